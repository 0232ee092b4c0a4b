"""When a stream that never ends sends what it has gathered: by age, in batches under load. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sync_ledger.retry_schedules import BUSY_FLUSH_SECONDS
from target_zoho_crm.api.costs import CALL_RECORDS, CREDIT_RECORDS

INPUT_PENDING_FACTOR = 5
"""While input keeps coming without a pause, records wait up to so many times their age: more go together then."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be sent, and what stands in its way."""

    ready: int
    """Records whose key has no write under way."""
    free_calls: int
    free_jobs: int
    by_jobs: bool
    """Whether so many records would go by bulk write jobs."""


class FlushTimer:
    """Says how many records are to be sent now."""

    def __init__(self, max_age_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Records wait `max_age_seconds` for others to go with."""
        self._max_age = max_age_seconds
        self._clock = clock
        self._since: float | None = None

    def arrived(self) -> None:
        """Note that records were read."""
        if self._since is None:
            self._since = self._clock()

    def emptied(self) -> None:
        """Note that nothing waits any more."""
        self._since = None

    def is_time(self, *, input_pending: bool) -> bool:
        """Whether the oldest record has waited long enough."""
        return self._since is not None and self._age() >= self._max_age * (INPUT_PENDING_FACTOR if input_pending else 1)

    def pause(self) -> float | None:
        """Seconds until it is worth while to look again; None where nothing waits."""
        return None if self._since is None else max(self._max_age - self._age(), BUSY_FLUSH_SECONDS)

    @staticmethod
    def portion(waiting: Waiting) -> int:
        """How many records to send now: no more than there are threads for, and no call with a small rest of them.

        A rest too small to be worth its credit goes with the next ones, at the latest when nothing else waits.
        """
        if waiting.by_jobs:
            return waiting.ready if waiting.free_jobs else 0
        portion = min(waiting.ready, waiting.free_calls * CALL_RECORDS)
        rest = portion % CALL_RECORDS
        return portion - rest if rest < CREDIT_RECORDS and portion > rest else portion

    def _age(self) -> float:
        return 0.0 if self._since is None else self._clock() - self._since
