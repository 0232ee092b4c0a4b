"""The credits that our runs have spent, as the ledger keeps them from run to run."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

DAY = timedelta(hours=24)
"""Zoho counts credits over a rolling day."""


def credits_of_a_day(connection: sa.Connection, run: sa.Table, now: datetime) -> int:
    """Sum up what the runs of all streams spent that lived within the last 24 hours.

    A run is counted whole, so the figure is never too low.
    """
    lived = sa.func.coalesce(run.c.finished_at, run.c.heartbeat_at) > now - DAY
    return int(connection.execute(sa.select(sa.func.sum(run.c.credits)).where(lived)).scalar() or 0)
