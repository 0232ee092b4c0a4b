"""What a dead run leaves behind: jobs that were never created give their orders back, the others are adopted."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import sqlalchemy as sa

from sync_ledger.codes import LedgerCode
from sync_ledger.in_doubt import check_in_doubt
from sync_ledger.job_journal import JournalledJob, journal_step, list_jobs, open_of_stream
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.pooled_orders import release
from sync_ledger.runs import mark_dead_runs
from sync_ledger.tables import JobStep, LedgerTables
from sync_ledger.times_ahead import bring_back

_GIVEN_BACK = (JobStep.INTENT.value, JobStep.CALLING.value)
_WHY_DUE = {
    JobStep.POOLED: LedgerCode.NOT_COLLECTED,
    JobStep.INTENT: LedgerCode.JOB_NEVER_CREATED,
    JobStep.CALLING: LedgerCode.INSERT_UNCONFIRMED,
}


def release_uncreated(ledger: Ledger, stream: str, *, watched_for: Partition | None = None) -> int:
    """Make the orders of dead runs' never-created jobs and unanswered insert calls due again. Returns how many.

    So are those that are in doubt and to be compared. The tap calls this before it reads, so that the very next run
    streams them. With `watched_for`, a silent run that has keys in common with that partition is watched first, and
    what its workers left to others comes back, too.
    """
    mark_dead_runs(ledger, stream, watched_for=watched_for)
    bring_back(ledger, stream)
    check_in_doubt(ledger, stream)
    return _release_uncreated(ledger, stream, watched_for)


def _release_uncreated(ledger: Ledger, stream: str, partition: Partition | None) -> int:
    orphans = _look_up(ledger, _never_created(ledger.tables, partition), stream)
    return sum(ledger.transact(partial(_release, ledger=ledger, orphan=orphan)) for orphan in orphans)


def _release(connection: sa.Connection, ledger: Ledger, orphan: JournalledJob) -> int:
    if not _claim(connection, ledger, orphan, orphan.run_id):
        return 0
    now, why = ledger.now(connection), _WHY_DUE[orphan.step]
    if orphan.step is JobStep.POOLED and not _came_to_end(connection, ledger.tables.run, orphan.run_id):
        why = LedgerCode.JOB_NEVER_CREATED  # it died as it left them: nobody was late
    elif orphan.step is JobStep.INTENT and orphan.file_id is not None:
        why = LedgerCode.NOT_COLLECTED  # taken by a run that died: one that always does must not get them again
    released = release(connection, ledger.tables, orphan, now, why)
    facts = {"due_again_count": len(orphan.manifest)}
    journal_step(connection, ledger.tables.job, orphan.job_id, JobStep.ABANDONED, now, **facts)
    return released


def _came_to_end(connection: sa.Connection, run: sa.Table, run_id: str) -> bool:
    return bool(connection.execute(sa.select(run.c.came_to_end).where(run.c.run_id == run_id)).scalar())


def adopt(ledger: Ledger, lease: Lease) -> list[JournalledJob]:
    """Take over the uploaded and created jobs of dead runs; from now on they are this run's.

    Those of another partition are left to its own next run; those of an earlier split go to whoever comes first.
    """
    mark_dead_runs(ledger, lease.stream)
    bring_back(ledger, lease.stream)
    _release_uncreated(ledger, lease.stream, lease.partition)
    orphans = _look_up(ledger, _begun(ledger.tables, lease.partition), lease.stream)

    def claimed(orphan: JournalledJob) -> bool:
        with lease.transaction() as connection:
            return _claim(connection, ledger, orphan, lease.run_id)

    return [orphan for orphan in orphans if ledger.with_retries(partial(claimed, orphan))]


def _look_up(ledger: Ledger, orphans: sa.Select[Any], stream: str) -> list[JournalledJob]:
    def look_up() -> list[JournalledJob]:
        with ledger.connect() as connection:
            return list_jobs(connection, orphans, stream)

    return ledger.with_retries(look_up)


def _orphans(tables: LedgerTables) -> sa.Select[Any]:
    """Open jobs of runs that are over."""
    job, run = tables.job, tables.run
    over = sa.select(run.c.run_id).where(run.c.stream == sa.bindparam("stream"), run.c.finished_at.is_not(None))
    return open_of_stream(job).where(job.c.run_id.in_(over))


@cache
def _never_created(tables: LedgerTables, partition: Partition | None) -> sa.Select[Any]:
    """Those whose orders are given back; with a `partition` what its own workers left to others is among them."""
    step = tables.job.c.step
    given_back: sa.ColumnElement[bool] = step.in_(_GIVEN_BACK)
    if partition is not None:
        left = sa.and_(step == JobStep.POOLED.value, _is_not_of_others(tables, partition))
        given_back = sa.or_(given_back, left)
    return _orphans(tables).where(given_back)


@cache
def _begun(tables: LedgerTables, partition: Partition) -> sa.Select[Any]:
    begun = tables.job.c.step.not_in((*_GIVEN_BACK, JobStep.POOLED.value))
    return _orphans(tables).where(begun, _is_not_of_others(tables, partition))


def _is_not_of_others(tables: LedgerTables, partition: Partition) -> sa.ColumnElement[bool]:
    """Which jobs are of runs that had keys in common with a partition."""
    job, run = tables.job, tables.run
    of_others = sa.select(run.c.run_id).where(
        run.c.stream == sa.bindparam("stream"), partition.is_disjoint_from(run.c.partition_name)
    )
    return job.c.run_id.not_in(of_others)


def _claim(connection: sa.Connection, ledger: Ledger, orphan: JournalledJob, run_id: str) -> bool:
    """Take a job for this transaction; False when somebody else was faster.

    It may be this run's own already, since a commit whose answer was lost.
    """
    job = ledger.tables.job
    owners = {orphan.run_id, run_id}
    claim = (
        sa.update(job)
        .where(job.c.job_id == orphan.job_id, job.c.run_id.in_(owners), job.c.step == orphan.step.value)
        .values(run_id=run_id)
    )
    return connection.execute(claim).rowcount == 1
