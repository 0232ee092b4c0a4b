"""Settlement: which records are not confirmed yet, and so which STATE may go out.

A STATE message is held until every record that was read before it has an outcome in the ledger; a run that dies
before that reads those records again. Nothing here sends or writes, so the rule can be tested alone.
"""

from __future__ import annotations

import threading
from array import array
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any, TypeAlias

from target_zoho_crm.batch import PendingRecords
from target_zoho_crm.confirmation.outcomes import Outcome, Status

_STATUS = attrgetter("status")

READ = "read"
DUE_AGAIN = "due_again"


Flight: TypeAlias = "array[int]"
"""The hashes of keys under way, in place of the keys: some bytes each. A strange key of the same hash only waits."""


class StateGate:
    """Counts what is read and what becomes of it, and lets STATE out in order. Safe for threads."""

    def __init__(self, emit: Callable[[Mapping[str, Any]], None]) -> None:
        """`emit` writes one STATE message; it is called with the latest one that may go out."""
        self._emit = emit
        self._lock = threading.Lock()
        self._groups: set[PendingRecords] = set()
        self._held: deque[tuple[Mapping[str, Any] | Callable[[], None], set[PendingRecords]]] = deque()
        self._counts: dict[str, Counter[str]] = {}
        self._in_flight: dict[str, list[Flight]] = {}

    def received(self, group: PendingRecords, records: int) -> None:
        """Count records that were read into `group`."""
        with self._lock:
            self._count(group.stream, READ, records)
            group.unsettled += records
            self._groups.add(group)

    def superseded(self, group: PendingRecords, records: int) -> None:
        """Count records of `group` that a later record of the same key has replaced."""
        with self._lock:
            self._count(group.stream, Status.SUPERSEDED.value, records)
            self._settle(group, records)

    def moved(self, source: PendingRecords, target: PendingRecords, records: int) -> None:
        """Move records that must wait into another group; STATE that waited for them waits for that one too."""
        if not records or source is target:
            return
        with self._lock:
            target.unsettled += records
            self._groups.add(target)
            for _, waits_for in self._held:
                if source in waits_for:
                    waits_for.add(target)
            self._settle(source, records)

    def confirmed(self, group: PendingRecords, outcomes: Iterable[Outcome], due_again: int) -> None:
        """Count outcomes that are in the ledger; `due_again` of them are refusals that pass by themselves."""
        with self._lock:
            counts = Counter(map(_STATUS, outcomes))
            for status, count in counts.items():
                self._count(group.stream, status.value, count)
            self._count(group.stream, DUE_AGAIN, due_again)
            self._settle(group, sum(counts.values()))

    def due_again(self, group: PendingRecords, records: int) -> None:
        """Count records whose refusal passes by itself, and of which the ledger knows without an outcome."""
        with self._lock:
            self._count(group.stream, Status.REJECTED.value, records)
            self._count(group.stream, DUE_AGAIN, records)
            self._settle(group, records)

    def hold(self, state: Mapping[str, Any]) -> None:
        """Take a STATE message; it goes out when all that was read before it is settled.

        One that waits for the same records takes the place of the one before it, so that a stream that never ends
        does not gather them.
        """
        with self._lock:
            waits_for = self._unsettled()
            if self._held and self._held[-1][1] == waits_for and not callable(self._held[-1][0]):
                self._held.pop()
            self._held.append((state, waits_for))
            self._release()

    def then(self, act: Callable[[], None]) -> None:
        """Call `act`, which must not take long, once all that was read before is settled; maybe by another thread."""
        with self._lock:
            self._held.append((act, self._unsettled()))
            self._release()

    def sent(self, module: str, keys: Iterable[str]) -> Flight:
        """Note that writes for these keys are under way; returns what `returned` wants back."""
        flight = array("q", map(hash, keys))
        with self._lock:
            self._in_flight.setdefault(module, []).append(flight)
        return flight

    def returned(self, module: str, flight: Flight) -> None:
        """Note that the writes that `sent` gave this flight for are over, or never happened."""
        with self._lock:
            flying = self._in_flight.get(module, [])
            self._in_flight[module] = [each for each in flying if each is not flight]

    def in_flight(self, module: str, keys: Collection[str]) -> set[str]:
        """Tell which of these keys have a write under way."""
        with self._lock:
            flying = list(self._in_flight.get(module, ()))
        if not flying:
            return set()
        wanted, found = set(map(hash, keys)), set[int]()
        for each in flying:
            found.update(wanted.intersection(each))
        return {key for key in keys if hash(key) in found} if found else set()

    def counts(self, stream: str) -> dict[str, int]:
        """Counts by outcome; `unsynced` are the records without one, and `read` is counted on its own."""
        with self._lock:
            found = self._counts.get(stream, Counter())
            counts = {name: found[name] for name in (READ, *(status.value for status in Status), DUE_AGAIN)}
            waiting = (group.unsettled for group in self._groups if group.stream == stream)
            counts[Status.UNSYNCED.value] = sum(waiting)
            return counts

    def _unsettled(self) -> set[PendingRecords]:
        return {group for group in self._groups if group.unsettled}

    def _count(self, stream: str, name: str, records: int) -> None:
        self._counts.setdefault(stream, Counter())[name] += records

    def _settle(self, group: PendingRecords, records: int) -> None:
        group.unsettled -= records
        if group.unsettled < 0:
            raise AssertionError("more outcomes than records")  # a defect of ours: nothing may be believed any more
        if not group.unsettled:
            self._groups.discard(group)
            for _, waits_for in self._held:
                waits_for.discard(group)
        self._release()

    def _release(self) -> None:
        latest = None
        while self._held and not self._held[0][1]:
            held, _ = self._held.popleft()
            if callable(held):
                held()
            else:
                latest = held
        if latest is not None:
            self._emit(latest)
