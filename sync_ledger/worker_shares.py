"""What an org lets all workers do at once, shared out by the ledger: the parts never add up to more.

A worker that comes takes what the others leave, and the others give way at their next look; what is given up counts as
held until it is really over. Where there are more workers than places each has one, and Zoho refuses what is too much.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import LEASE_HEARTBEAT_SECONDS, LEASE_SILENT_SECONDS


class Limit(StrEnum):
    """What is limited for the whole org; also the name of a column."""

    UPSERTS = "upserts"
    JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class Part:
    """What a worker may have from now on, and what counts as held by it until it has given up the rest."""

    granted: int
    held: int


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was granted at a time of this process's clock, and what each worker held then, in the order of limits."""

    at: float
    granted: Mapping[Limit, int]
    by_worker: Mapping[str, tuple[int, ...]]


def part_of(limit: int, held: int, others: Sequence[int], place: int) -> Part:
    """One worker's part. Pure.

    Args:
        limit: how many all may have.
        held: how many this worker holds now.
        others: how many each of the others holds.
        place: how many of the others come before this one; the first ones get what is left over.
    """
    workers = len(others) + 1
    fair = max(1, limit // workers + (place < limit % workers))
    if fair < held:
        return Part(granted=fair, held=held)
    free = 1 if workers > limit else max(0, limit - sum(others))
    granted = max(held, min(fair, free))
    return Part(granted, granted)


class WorkerShares:
    """The parts of one run. Not for two threads at a time."""

    def __init__(self, ledger: Ledger, run_id: str, org: str, limits: Mapping[Limit, int]) -> None:
        """`limits` are those of the whole org, as far as this run knows."""
        self._ledger = ledger
        self._worker = ledger.tables.worker
        self._run_id = run_id
        self._org = org
        self._limits = limits
        self._own = self._worker.c.run_id == run_id
        self._all_held = sa.select(self._worker.c.run_id, *(self._worker.c[limit] for limit in limits)).where(
            self._worker.c.org == org
        )
        self._taken: _Taken | None = None

    def take(self, held: Mapping[Limit, int]) -> Mapping[Limit, int]:
        """Note what this worker holds, and give what it may have from now on.

        While nobody holds more or less than at the last time, nothing is written but a sign of life now and then.

        Raises:
            DatabaseUnavailableError: the ledger does not answer, time and again.
        """
        if (granted := self._unchanged(held)) is not None:
            return granted
        try:
            return self._ledger.transact(lambda connection: self._take(connection, held))
        except IntegrityError:  # it was noted before, by a commit whose answer was lost
            return self._ledger.transact(lambda connection: self._take(connection, held))

    def give_back(self) -> None:
        """Hold nothing any more."""
        self._ledger.transact(lambda connection: connection.execute(sa.delete(self._worker).where(self._own)))

    def _unchanged(self, held: Mapping[Limit, int]) -> Mapping[Limit, int] | None:
        """What was granted last, where it would be granted again."""
        taken = self._taken
        if taken is None or time.monotonic() - taken.at >= LEASE_HEARTBEAT_SECONDS:
            return None
        if taken.by_worker[self._run_id] != tuple(held[limit] for limit in self._limits):
            return None
        return taken.granted if self._ledger.with_retries(self._held_by_all) == taken.by_worker else None

    def _held_by_all(self) -> dict[str, tuple[int, ...]]:
        with self._ledger.connect() as connection:
            return {run_id: tuple(parts) for run_id, *parts in connection.execute(self._all_held)}

    def _take(self, connection: sa.Connection, held: Mapping[Limit, int]) -> Mapping[Limit, int]:
        worker, run, identity = self._worker, self._ledger.tables.run, self._ledger.tables.identity
        # One worker at a time, so that no two take the same place.
        connection.execute(sa.select(identity.c.only_row).with_for_update())
        now = self._ledger.now(connection)
        beside = sa.select(worker, run.c.finished_at).join(run, run.c.run_id == worker.c.run_id, isouter=True)
        found = connection.execute(beside.where(worker.c.org == self._org)).all()
        since = now - timedelta(seconds=LEASE_SILENT_SECONDS)
        gone = [row.run_id for row in found if row.run_id != self._run_id and (row.finished_at or row.seen_at < since)]
        if gone:
            connection.execute(sa.delete(worker).where(worker.c.run_id.in_(gone)))
        others = [row for row in found if row.run_id not in (self._run_id, *gone)]
        place = sum(row.run_id < self._run_id for row in others)
        parts = {
            limit: part_of(most, held[limit], [getattr(row, limit) for row in others], place)
            for limit, most in self._limits.items()
        }
        facts = {limit.value: part.held for limit, part in parts.items()} | {"seen_at": now}
        if any(row.run_id == self._run_id for row in found):
            connection.execute(sa.update(worker).where(self._own).values(facts))
        else:
            connection.execute(sa.insert(worker).values(run_id=self._run_id, org=self._org, **facts))
        granted = {limit: part.granted for limit, part in parts.items()}
        by_worker = {row.run_id: tuple(getattr(row, limit) for limit in self._limits) for row in others}
        own = {self._run_id: tuple(part.held for part in parts.values())}
        self._taken = _Taken(time.monotonic(), granted, by_worker | own)
        return granted
