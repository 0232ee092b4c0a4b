"""Orders that a worker of a split stream leaves to the one that comes last, so that all of them share full jobs.

They lie in the ledger, sealed, as a job that nobody has begun (`JobStep.POOLED`): until then their acks are
`submitted`, so nobody else sends them. Whoever comes last takes them. If nobody does, the next run of their own
partition makes them due and reads them anew, and then they are not left a second time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from sync_ledger.acks import make_due
from sync_ledger.codes import LedgerCode
from sync_ledger.job_journal import JournalledJob, list_jobs, open_of_stream
from sync_ledger.leases import Lease
from sync_ledger.runs import FOLLOWING, seems_dead
from sync_ledger.tables import JobStep, LedgerTables

PART_CHARACTERS = 160_000
"""A row of the pool has no more: MariaDB may be set to take no statement above 256 KiB."""


class PooledOrders:
    """What the workers of one split stream have left to each other."""

    def __init__(self, lease: Lease, run_group: str | None) -> None:
        """With a `run_group` the other partitions of the group are awaited, too, that have not begun yet."""
        self._lease = lease
        self._ledger = lease.ledger
        self._run_group = run_group

    def others_come(self) -> bool:
        """Whether another worker is still to come to its end, which takes what was left by then."""

        def look_up() -> bool:
            with self._ledger.connect() as connection:
                return self._others_come(connection)

        return self._ledger.with_retries(look_up)

    def come_to_end(self) -> bool:
        """Note that this worker has read all of its share. Gives whether it is the last one.

        One at a time does so: of two that come together, the second one is the last.
        """
        tables = self._ledger.tables
        own = sa.update(tables.run).where(tables.run.c.run_id == self._lease.run_id)

        def note(connection: sa.Connection) -> bool:
            # Locked by a change: SQL Server knows no FOR UPDATE.
            connection.execute(sa.update(tables.identity).values(only_row=1))
            connection.execute(own.values(came_to_end=1))
            return not self._others_come(connection)

        return self._ledger.transact(note)

    def were_released(self, keys: Collection[str]) -> bool:
        """Whether one of these orders was left before and nobody took it: none is left twice."""
        ack = self._ledger.tables.ack
        query = sa.select(ack.c.record_key).where(
            ack.c.stream == self._lease.stream,
            ack.c.next_attempt_at.is_not(None),
            ack.c.error_code == LedgerCode.NOT_COLLECTED.value,
        )

        def look_up() -> bool:
            with self._ledger.connect() as connection:
                return any(key in keys for key in connection.execute(query).scalars())

        return self._ledger.with_retries(look_up)

    def leave(self, job: JournalledJob, sealed: bytes, mark: str) -> None:
        """Leave the orders of a job that was intended, and of which nothing was sent, to whoever comes last.

        `mark` says what their values are: who has another one cannot write them.
        """
        tables = self._ledger.tables
        steps = tables.job.c.step.in_([JobStep.INTENT.value, JobStep.POOLED.value])
        own = sa.and_(tables.job.c.job_id == job.job_id, tables.job.c.run_id == self._lease.run_id, steps)
        pooled = sa.update(tables.job).where(own)

        def once() -> None:
            with self._lease.timed_transaction(settles=0) as (connection, now):
                facts = {"step": JobStep.POOLED.value, "file_id": mark, "updated_at": now}
                if connection.execute(pooled.values(facts)).rowcount != 1:
                    return  # it was left, the answer was lost, and somebody has taken it since
                _remove_parts(connection, tables, job.job_id)
                for part, start in enumerate(range(0, len(sealed), PART_CHARACTERS)):
                    row = {"job_id": job.job_id, "part": part, "sealed": sealed[start : start + PART_CHARACTERS]}
                    connection.execute(sa.insert(tables.pool), row)

        self._ledger.with_retries(once)

    def left(self, mark: str) -> Sequence[JournalledJob]:
        """What workers left with this mark."""
        job = self._ledger.tables.job
        query = open_of_stream(job).where(job.c.step == JobStep.POOLED.value, job.c.file_id == mark)

        def look_up() -> Sequence[JournalledJob]:
            with self._ledger.connect() as connection:
                return list_jobs(connection, query, self._lease.stream)

        return self._ledger.with_retries(look_up)

    def sealed(self, job: JournalledJob) -> bytes:
        """The orders of a job, as they were kept."""
        pool = self._ledger.tables.pool
        query = sa.select(pool.c.sealed).where(pool.c.job_id == job.job_id).order_by(pool.c.part)

        def look_up() -> bytes:
            with self._ledger.connect() as connection:
                return b"".join(map(bytes, connection.execute(query).scalars()))

        return self._ledger.with_retries(look_up)

    def take(self, job: JournalledJob) -> bool:
        """Take a job's orders over; False where they were released or taken meanwhile.

        From now on they are as those of a job that this run is about to make: if it dies, they are due again.
        """
        tables, run_id = self._ledger.tables, self._lease.run_id
        steps = sa.or_(
            sa.and_(tables.job.c.step == JobStep.POOLED.value, tables.job.c.run_id == job.run_id),
            sa.and_(tables.job.c.step == JobStep.INTENT.value, tables.job.c.run_id == run_id),  # an answer was lost
        )
        claim = sa.update(tables.job).where(tables.job.c.job_id == job.job_id, steps)

        def once() -> bool:
            with self._lease.timed_transaction(settles=0) as (connection, now):
                facts = {"run_id": run_id, "step": JobStep.INTENT.value, "updated_at": now}
                if connection.execute(claim.values(facts)).rowcount != 1:
                    return False
                _remove_parts(connection, tables, job.job_id)
                return True

        return self._ledger.with_retries(once)

    def close(self, job: JournalledJob) -> None:
        """Make those orders of a taken job due that this run did not send, and forget the job."""
        tables = self._ledger.tables

        def once() -> None:
            with self._lease.timed_transaction(settles=0) as (connection, now):
                release(connection, tables, job, now, LedgerCode.NOT_COLLECTED)
                connection.execute(sa.delete(tables.job).where(tables.job.c.job_id == job.job_id))

        self._ledger.with_retries(once)

    def _others_come(self, connection: sa.Connection) -> bool:
        run, lease = self._ledger.tables.run, self._lease
        beside = sa.and_(
            run.c.stream == lease.stream,
            run.c.partition_name.like(f"%/{lease.partition.of}"),
            run.c.partition_name != lease.partition.name,
        )
        if self._run_group is not None:
            named = sa.select(run.c.partition_name).where(
                beside, run.c.run_group == self._run_group, run.c.came_to_end == 1
            )
            return len(set(connection.execute(named).scalars())) < lease.partition.of - 1
        lasts = sa.func.coalesce(run.c.how_ended, "") == FOLLOWING
        unfinished = sa.select(run).where(
            beside, run.c.finished_at.is_(None), run.c.came_to_end.is_(None), sa.not_(lasts)
        )
        now = self._ledger.now(connection)
        return any(not seems_dead(row, now) for row in connection.execute(unfinished))


def release(
    connection: sa.Connection, tables: LedgerTables, job: JournalledJob, now: datetime, code: LedgerCode
) -> int:
    """Make the orders of a job due that have no other outcome since. Returns how many."""
    _remove_parts(connection, tables, job.job_id)
    return make_due(
        connection,
        tables.ack,
        stream=job.stream,
        keys=job.manifest.texts(),
        job_id=job.job_id,
        now=now,
        code=code.value,
    )


def _remove_parts(connection: sa.Connection, tables: LedgerTables, job_id: str) -> None:
    connection.execute(sa.delete(tables.pool).where(tables.pool.c.job_id == job_id))
