"""What a dead run leaves behind: jobs that were never created give their orders back, the others are adopted."""

from __future__ import annotations

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
    job = ledger.tables.job
    released = 0
    for orphan in _orphans(ledger, stream, job.c.step.in_(_GIVEN_BACK)):
        with ledger.begin() as connection:
            if not _claim(connection, ledger, orphan, orphan.run_id):
                continue
            now = ledger.now(connection)
            released += make_due(
                connection,
                ledger.tables.ack,
                stream=stream,
                keys=orphan.manifest,
                job_id=orphan.job_id,
                now=now,
                code=NEVER_CREATED if orphan.step is JobStep.INTENT else CALL_UNCONFIRMED,
            )
            journal_step(connection, job, orphan.job_id, JobStep.ABANDONED, now, due_again_count=len(orphan.manifest))
    return released


def adopt(ledger: Ledger, lock: RunLock) -> list[JournalledJob]:
    """Take over the uploaded and created jobs of dead runs; from now on they are this run's."""
    release_uncreated(ledger, lock.stream)
    adopted = []
    for orphan in _orphans(ledger, lock.stream, ledger.tables.job.c.step.not_in(_GIVEN_BACK)):
        with lock.transaction() as connection:
            if _claim(connection, ledger, orphan, lock.run_id):
                adopted.append(orphan)
    return adopted


def _orphans(ledger: Ledger, stream: str, *where: sa.ColumnElement[bool]) -> list[JournalledJob]:
    """Open jobs of runs that are over."""
    job, run = ledger.tables.job, ledger.tables.run
    over = sa.select(run.c.run_id).where(run.c.stream == stream, run.c.finished_at.is_not(None))
    with ledger.connect() as connection:
        return open_jobs(connection, job, job.c.stream == stream, job.c.run_id.in_(over), *where)


def _claim(connection: sa.Connection, ledger: Ledger, orphan: JournalledJob, run_id: str) -> bool:
    """Take a job for this transaction; False when somebody else was faster."""
    job = ledger.tables.job
    claim = (
        sa.update(job)
        .where(job.c.job_id == orphan.job_id, job.c.run_id == orphan.run_id, job.c.step == orphan.step.value)
        .values(run_id=run_id)
    )
    return connection.execute(claim).rowcount == 1
