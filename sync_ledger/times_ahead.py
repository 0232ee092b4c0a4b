"""Times of the ledger that lie further ahead than anything here sets them: its clock was set back since.

An order that was refused under a clock years ahead would be tried again only in those years, and a write in doubt be
looked at only then. So such times are brought back to now, before a run goes by them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import DUE_ORDERS
from sync_ledger.tables import OPEN_STEPS, AckStatus, LedgerTables

MOST_AHEAD = timedelta(seconds=DUE_ORDERS.longest_pause) + timedelta(minutes=1)
"""No next attempt is set further ahead."""


def bring_back(ledger: Ledger, stream: str) -> None:
    """Bring back the stream's times that lie ahead; where there are none, which is usual, one question is asked."""
    tables = ledger.tables

    def any_ahead() -> bool:
        with ledger.connect() as connection:
            flags = [
                sa.case((sa.exists().where(*ahead), 1), else_=0)
                for ahead in _ahead(tables, stream, ledger.now(connection))
            ]
            return any(connection.execute(sa.select(*flags)).one())

    if ledger.with_retries(any_ahead):
        orders = ledger.transact(partial(_bring_back, ledger=ledger, stream=stream))
        ledger.log.warning(
            "Stream %r: times of the ledger lay ahead of its clock, which was set back since; %d orders are due now",
            stream,
            orders,
        )


def _ahead(tables: LedgerTables, stream: str, now: datetime) -> tuple[tuple[sa.ColumnElement[bool], ...], ...]:
    """What finds them: next attempts, writes in doubt, open jobs."""
    ack, write, job = tables.ack, tables.write, tables.job
    next_attempt = ack.c.next_attempt_at.is_not(None), ack.c.next_attempt_at > now + MOST_AHEAD
    soon = now + timedelta(minutes=1)
    return (
        (ack.c.stream == stream, ack.c.status == AckStatus.REJECTED.value, *next_attempt),
        (write.c.stream == stream, write.c.began_at > soon),
        (job.c.stream == stream, job.c.step.in_([step.value for step in OPEN_STEPS]), job.c.updated_at > soon),
    )


def _bring_back(connection: sa.Connection, *, ledger: Ledger, stream: str) -> int:
    now, tables = ledger.now(connection), ledger.tables
    ack, write, job = tables.ack, tables.write, tables.job
    orders, writes, jobs = _ahead(tables, stream, now)
    since = sa.case((ack.c.failing_since > now, now), else_=ack.c.failing_since)
    due = connection.execute(sa.update(ack).where(*orders).values(next_attempt_at=now, failing_since=since))
    found = connection.execute(
        sa.select(
            write.c.write_id, write.c.began_at, write.c.may_land_until, write.c.left_at, write.c.verified_at
        ).where(*writes)
    )
    for row in found.all():
        # It went out before now, whatever the clock said then: from now on nothing can land later than this.
        facts = {
            "began_at": now,
            "may_land_until": now + (row.may_land_until - row.began_at),
            "left_at": None if row.left_at is None else now,
            "verified_at": None,
        }
        connection.execute(sa.update(write).where(write.c.write_id == row.write_id).values(facts))
    connection.execute(sa.update(job).where(*jobs).values(intended_at=now, updated_at=now))
    return due.rowcount
