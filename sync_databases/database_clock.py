"""The time by a database's own clock."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from sync_databases.engines import engine_of


def database_now(connection: sa.Connection) -> datetime:
    """Ask a database for the time: naive UTC."""
    return clock_time(connection.exec_driver_sql(engine_of(connection.dialect).clock_query).scalar_one())


def clock_time(text: str) -> datetime:
    """Read what an engine's `clock_query` gives."""
    return datetime.fromisoformat(text)
