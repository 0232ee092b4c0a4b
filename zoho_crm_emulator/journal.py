"""What the emulator saw: requests by endpoint, records by fate, automations, and the last requests. No secrets."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import Any

from zoho_crm_emulator.automations import Asked, Ran

LOG_LENGTH = 2000


class Journal:
    """Counters since the start or the last reset, and a log of bounded length."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.requests: Counter[str] = Counter()
            self.statuses: Counter[str] = Counter()
            self.records: Counter[str] = Counter()
            self.ran = Ran()
            self.seconds: defaultdict[str, float] = defaultdict(float)
            self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
            self.number = 0

    def request(self, endpoint: str, entry: dict[str, Any], seconds: float) -> None:
        """Note a request that has been answered or dropped."""
        with self._lock:
            self.number += 1
            self.requests[endpoint] += 1
            self.statuses[f"{endpoint} {entry['status']}"] += 1
            self.seconds[endpoint] += seconds
            self.log.append({"number": self.number, "endpoint": endpoint, **entry})

    def wrote(self, how: str, actions: Mapping[str, int], wanted: Asked | None) -> None:
        """Note what became of records written, and the automations that ran for them; None: nothing ran."""
        with self._lock:
            for action, count in actions.items():
                self.records[f"{how} {action}"] += count
            if wanted is not None:
                self.ran.count(how, actions, wanted)

    def deleted(self, count: int, *, workflows: bool) -> None:
        """Note records deleted by a call, and whether workflows ran for them."""
        with self._lock:
            self.records["delete"] += count
            if workflows:
                self.ran.count_deleted(count)

    def tail(self, count: int) -> list[dict[str, Any]]:
        """The last requests, newest last."""
        with self._lock:
            return list(self.log)[-count:]

    def counts(self) -> dict[str, Any]:
        """All counters, for the admin API."""
        with self._lock:
            return {
                "requests": dict(self.requests),
                "statuses": dict(self.statuses),
                "records": dict(self.records),
                **self.ran.counts(),
                "seconds": {name: round(value, 4) for name, value in self.seconds.items()},
            }
