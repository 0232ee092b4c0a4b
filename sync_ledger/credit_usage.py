"""The credits that our runs have spent, as the ledger keeps them from run to run."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

DAY = timedelta(hours=24)
"""Zoho counts credits over a rolling day."""


def credits_of_a_day(connection: sa.Connection, run: sa.Table, now: datetime) -> int:
    """Sum up what the runs of all streams spent that lived within the last 24 hours.

    All credits of such a run count, so the figure is never too low.
    """
    return int(connection.execute(_credits_since(run), {"since": now - DAY}).scalar() or 0)


@cache
def _credits_since(run: sa.Table) -> sa.Select[Any]:
    lived = sa.func.coalesce(run.c.finished_at, run.c.heartbeat_at) > sa.bindparam("since")
    return sa.select(sa.func.sum(run.c.credits)).where(lived)
