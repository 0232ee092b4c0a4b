"""Settlement: which records are not confirmed yet, and so which STATE may go out.

A STATE message is held until every record that was read before it has an outcome in the ledger; a run that dies
before that reads those records again. Nothing here sends or writes, so the rule can be tested alone.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from target_zoho_crm.batch import PendingRecords
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.retries import attempt_of

_STATUS = attrgetter("status")

READ = "read"
DUE_AGAIN = "due_again"
_COUNTS_WAIT_SECONDS = 1.0


@dataclass(slots=True)
class _Waiting:
    """A STATE message, or something to be done, until the records that were read before it are settled."""

    release: Mapping[str, Any] | Callable[[], None]
    waits_for: set[PendingRecords]


class StateGate:
    """Counts what is read and what becomes of it, and lets STATE out in order. Safe for threads."""

    def __init__(self, emit: Callable[[Mapping[str, Any]], None]) -> None:
        """`emit` writes one STATE message; it is called with the latest one that may go out."""
        self._emit = emit
        self._lock = threading.Lock()
        self._pending: set[PendingRecords] = set()
        self._queue: deque[_Waiting] = deque()
        self._counts: dict[str, Counter[str]] = {}

    def received(self, pending: PendingRecords, records: int) -> None:
        """Count records that were read into `pending`."""
        with self._lock:
            self._count(pending.stream, READ, records)
            pending.unsettled += records
            self._pending.add(pending)

    def superseded(self, pending: PendingRecords, records: int) -> None:
        """Count those of the `pending` records that a later record of the same key has replaced."""
        with self._lock:
            self._count(pending.stream, Status.SUPERSEDED.value, records)
            self._count_down(pending, records)

    def handed_over(self, pending: PendingRecords, records: int) -> None:
        """Take records out of what this run has read: another worker reads them in the ledger, which has them all."""
        with self._lock:
            self._count(pending.stream, READ, -records)
            self._count_down(pending, records)

    def move(self, records: int, source: PendingRecords, target: PendingRecords) -> None:
        """Let records that must wait be of those that are read next; STATE that waited for them waits for these too."""
        if not records or source is target:
            return
        with self._lock:
            target.unsettled += records
            self._pending.add(target)
            for waiting in self._queue:
                if source in waiting.waits_for:
                    waiting.waits_for.add(target)
            self._count_down(source, records)

    def confirmed(self, pending: PendingRecords, outcomes: Collection[Outcome], due_again: int) -> None:
        """Count outcomes that are in the ledger; `due_again` of them are refusals that pass by themselves.

        What failed with others and counts for nobody is left unsynced, though STATE need not wait for it.
        """
        with self._lock:
            counts = Counter(map(_STATUS, outcomes))
            for_nobody = sum(not attempt_of(each.code).counted for each in outcomes) if counts[Status.REJECTED] else 0
            if for_nobody:
                counts[Status.REJECTED] -= for_nobody
                counts[Status.UNSYNCED] += for_nobody
                due_again -= for_nobody
            for status, count in counts.items():
                self._count(pending.stream, status.value, count)
            self._count(pending.stream, DUE_AGAIN, due_again)
            self._count_down(pending, sum(counts.values()))

    def due_again(self, pending: PendingRecords, records: int) -> None:
        """Count records whose refusal passes by itself, and of which the ledger knows without an outcome."""
        with self._lock:
            self._count(pending.stream, Status.REJECTED.value, records)
            self._count(pending.stream, DUE_AGAIN, records)
            self._count_down(pending, records)

    def hold(self, state: Mapping[str, Any]) -> None:
        """Take a STATE message; it goes out when all that was read before it is settled.

        One that waits for the same records takes the place of the one before it, so that a stream that never ends
        does not gather them.
        """
        with self._lock:
            waits_for = self._unsettled()
            last = self._queue[-1] if self._queue else None
            if last is not None and last.waits_for == waits_for and not callable(last.release):
                self._queue.pop()
            self._queue.append(_Waiting(state, waits_for))
            self._release()

    def when_settled(self, act: Callable[[], None]) -> None:
        """Call `act`, which must not take long, once all that was read before is settled; maybe by another thread."""
        with self._lock:
            self._queue.append(_Waiting(act, self._unsettled()))
            self._release()

    def counts(self, stream: str) -> dict[str, int]:
        """Counts by outcome; `unsynced` are the records without one, and `read` is counted on its own."""
        with self._lock:
            return self._counted(stream)

    def counts_so_far(self, stream: str) -> dict[str, int]:
        """As `counts`; none where a STATE waits for whoever takes it: a heartbeat must not wait with it."""
        if not self._lock.acquire(timeout=_COUNTS_WAIT_SECONDS):
            return {}
        try:
            return self._counted(stream)
        finally:
            self._lock.release()

    def _counted(self, stream: str) -> dict[str, int]:
        found = self._counts.get(stream, Counter())
        counts = {name: found[name] for name in (READ, *(status.value for status in Status), DUE_AGAIN)}
        counts[Status.UNSYNCED.value] += sum(each.unsettled for each in self._pending if each.stream == stream)
        return counts

    def _unsettled(self) -> set[PendingRecords]:
        return {pending for pending in self._pending if pending.unsettled}

    def _count(self, stream: str, name: str, records: int) -> None:
        self._counts.setdefault(stream, Counter())[name] += records

    def _count_down(self, pending: PendingRecords, records: int) -> None:
        pending.unsettled -= records
        if pending.unsettled < 0:
            raise AssertionError("more outcomes than records")  # a defect of ours: nothing may be believed any more
        if not pending.unsettled:
            self._pending.discard(pending)
            for waiting in self._queue:
                waiting.waits_for.discard(pending)
        self._release()

    def _release(self) -> None:
        latest = None
        while self._queue and not self._queue[0].waits_for:
            release = self._queue.popleft().release
            if callable(release):
                release()
            else:
                latest = release
        if latest is not None:
            self._emit(latest)
