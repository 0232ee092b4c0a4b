"""Callbacks: a message that a job may have ended. Only a hint; who waits for the job asks Zoho itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from sync_ledger.tables import JobStep


def note_callback(connection: sa.Connection, table: sa.Table, zoho_job_ids: Collection[str], now: datetime) -> int:
    """Note a hint for the jobs of these ids, or for every job that is under way when none of them is one of ours.

    Returns how many jobs were noted. Jobs that are over are never touched.
    """
    waiting = table.c.step == JobStep.CREATED.value
    note = sa.update(table).values(called_back_at=now)
    named = connection.execute(note.where(waiting, table.c.zoho_job_id.in_(list(zoho_job_ids)))).rowcount
    return named or connection.execute(note.where(waiting)).rowcount


def called_back_at(connection: sa.Connection, table: sa.Table, job_id: str) -> datetime | None:
    """When the last hint about this job came, by the ledger database's clock; None before the first."""
    return connection.execute(sa.select(table.c.called_back_at).where(table.c.job_id == job_id)).scalar()
