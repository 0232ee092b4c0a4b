"""Jobs that a person waits for no longer: `orders-sync jobs --abandon`.

The job may still land, so its orders stay in flight until Zoho says that it has ended, or for a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from sync_ledger.job_journal import journal_step
from sync_ledger.retry_schedules import GIVEN_UP_JOB_SECONDS
from sync_ledger.tables import OPEN_STEPS, JobStep

WAITS_AFTER = timedelta(seconds=GIVEN_UP_JOB_SECONDS)
"""How long a job's orders wait that was given up and whose end nobody has seen; then they are due."""

_POSSIBLE = (JobStep.UPLOADED, JobStep.CREATED, JobStep.GIVEN_UP)


class NoSuchJobError(LookupError):
    """No job of this id can be given up; the text says why."""


def give_up(connection: sa.Connection, job: sa.Table, job_id: str, now: datetime) -> sa.Row[tuple[object, ...]]:
    """Give up the job whose own id begins so, or that has this id at Zoho; one that is given up already stays so.

    Raises:
        NoSuchJobError: there is none, or more than one, or it is none that is waited for.
    """
    if not job_id:
        raise NoSuchJobError("the id is empty")
    same = sa.or_(job.c.zoho_job_id == job_id, sa.func.substr(job.c.job_id, 1, len(job_id)) == job_id)
    columns = (job.c.job_id, job.c.stream, job.c.step, job.c.row_count, job.c.parent_job_id)
    found = connection.execute(
        sa.select(*columns).where(same, job.c.step.in_([step.value for step in OPEN_STEPS]))
    ).all()
    if len(found) != 1:
        how_many = "no open job has" if not found else "more than one job has"
        raise NoSuchJobError(f"{how_many} this id; `orders-sync jobs` lists them")
    row = found[0]
    if row.parent_job_id is not None:
        raise NoSuchJobError(f"it is of the lines or links of job {row.parent_job_id[:8]}; abandon that one")
    if row.step not in {step.value for step in _POSSIBLE}:
        raise NoSuchJobError("it has not reached Zoho; the next run gives its orders back by itself")
    if row.step != JobStep.GIVEN_UP.value:
        journal_step(connection, job, row.job_id, JobStep.GIVEN_UP, now)
    return row


def given_up_for(connection: sa.Connection, job: sa.Table, job_id: str, now: datetime) -> timedelta | None:
    """How long ago a job was given up; None where it was not."""
    query = sa.select(job.c.updated_at).where(job.c.job_id == job_id, job.c.step == JobStep.GIVEN_UP.value)
    then: datetime | None = connection.execute(query).scalar()
    return None if then is None else now - then
