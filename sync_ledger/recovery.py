"""What a dead run leaves behind: jobs that were never created give their orders back, the others are adopted."""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa

from sync_ledger.acks import make_due
from sync_ledger.doubts import CALL_UNCONFIRMED
from sync_ledger.jobs import JournalledJob, journal_step, open_jobs
from sync_ledger.ledger import Ledger
from sync_ledger.runs import RunLock, bury_dead
from sync_ledger.tables import JobStep

_GIVEN_BACK = (JobStep.INTENT.value, JobStep.CALLING.value)
NEVER_CREATED = "JOB_NEVER_CREATED"
"""Our own error code of an order whose bulk job never reached Zoho."""


def release_uncreated(ledger: Ledger, stream: str) -> int:
    """Make the orders of dead runs' never-created jobs and unanswered insert calls due again. Returns how many.

    The tap calls this before it reads, so that the very next run streams them.
    """
    bury_dead(ledger, stream)
    orphans = _orphans(ledger, stream, ledger.tables.job.c.step.in_(_GIVEN_BACK))
    return sum(ledger.transact(partial(_release, ledger=ledger, orphan=orphan)) for orphan in orphans)


def _release(connection: sa.Connection, ledger: Ledger, orphan: JournalledJob) -> int:
    if not _claim(connection, ledger, orphan, orphan.run_id):
        return 0
    now = ledger.now(connection)
    released = make_due(
        connection,
        ledger.tables.ack,
        stream=orphan.stream,
        keys=orphan.manifest.texts(),
        job_id=orphan.job_id,
        now=now,
        code=NEVER_CREATED if orphan.step is JobStep.INTENT else CALL_UNCONFIRMED,
    )
    facts = {"due_again_count": len(orphan.manifest)}
    journal_step(connection, ledger.tables.job, orphan.job_id, JobStep.ABANDONED, now, **facts)
    return released


def adopt(ledger: Ledger, lock: RunLock) -> list[JournalledJob]:
    """Take over the uploaded and created jobs of dead runs; from now on they are this run's.

    Those of another partition are left to its own next run; those of an earlier split go to whoever comes first.
    """
    release_uncreated(ledger, lock.stream)
    run = ledger.tables.run
    of_others = sa.select(run.c.run_id).where(
        run.c.stream == lock.stream, lock.partition.apart_from(run.c.partition_name)
    )
    job = ledger.tables.job
    orphans = _orphans(ledger, lock.stream, job.c.step.not_in(_GIVEN_BACK), job.c.run_id.not_in(of_others))

    def claimed(orphan: JournalledJob) -> bool:
        with lock.transaction() as connection:
            return _claim(connection, ledger, orphan, lock.run_id)

    return [orphan for orphan in orphans if ledger.patiently(partial(claimed, orphan))]


def _orphans(ledger: Ledger, stream: str, *where: sa.ColumnElement[bool]) -> list[JournalledJob]:
    """Open jobs of runs that are over."""
    job, run = ledger.tables.job, ledger.tables.run
    over = sa.select(run.c.run_id).where(run.c.stream == stream, run.c.finished_at.is_not(None))

    def look_up() -> list[JournalledJob]:
        with ledger.connect() as connection:
            return open_jobs(connection, job, job.c.stream == stream, job.c.run_id.in_(over), *where)

    return ledger.patiently(look_up)


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
