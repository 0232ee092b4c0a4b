"""Refused orders, grouped by cause, for the log: codes, fields and a few keys, never a record's contents."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from target_zoho_crm.errors import CODES
from target_zoho_crm.outcomes import Outcome

SAMPLE_KEYS = 5


@dataclass
class Cause:
    """One cause and how often it came."""

    count: int = 0
    keys: list[str] = field(default_factory=list)


class Problems:
    """Collects refusals of a run. Memory grows with the number of causes, not of orders."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._causes: dict[tuple[str, str, str], Cause] = {}

    def note(self, stream: str, outcomes: Sequence[Outcome]) -> None:
        """Take in those outcomes that are refusals."""
        with self._lock:
            for outcome in outcomes:
                if outcome.code is None:
                    continue
                cause = self._causes.setdefault((stream, outcome.code, outcome.field or ""), Cause())
                cause.count += 1
                if len(cause.keys) < SAMPLE_KEYS:
                    cause.keys.append(outcome.key)

    def lines(self) -> list[str]:
        """One line a cause, the most frequent first: how many, why, which, and what to do."""
        with self._lock:
            ordered = sorted(self._causes.items(), key=lambda item: -item[1].count)
            return [self._line(*cause, found) for cause, found in ordered]

    @staticmethod
    def _line(stream: str, code: str, fields: str, found: Cause) -> str:
        info = CODES.get(code)
        where = f" in field {fields}" if fields else ""
        keys = ", ".join(found.keys) + (", ..." if found.count > len(found.keys) else "")
        meaning = f" {info.meaning} {info.remedy}" if info else ""
        return f"{found.count} of stream {stream!r}: {code}{where} (orders {keys}).{meaning}"
