"""What the planner knows of the ack table: PostgreSQL analyzes a table that has grown only now and then, or never.

Until then it takes the table for so small that it reads all acks for each order of a page: minutes, in a first load.
A page that was planned while there were hardly any acks does so even where the server analyzes in time, for it meets
all that are written while it is read. The other engines analyze a new table by themselves, or join by its primary key.
"""

from __future__ import annotations

import threading

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync_databases.engines import engine_of
from sync_ledger.ledger import Ledger

FIRST_ANALYZE = 1_000
"""Acks of a run after which the server analyzes for the first time; fewer are read in no time however it joins."""

GROWTH = 8
"""How many times as many acks as at the last time make the next one worth while."""

# A query of the table itself, such as for its size, waits for whoever locks it.
_ESTIMATE = sa.text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)")
_SKIP_LOCKED_SINCE = 12  # PostgreSQL's first version that passes over a table that is locked


def few_are_estimated(connection: sa.Connection, ledger: Ledger) -> bool:
    """Whether the planner expects so few acks that it may choose to read all of them for each order."""
    needs = engine_of(connection.dialect).needs_statistics
    return needs and (_estimated(connection, ledger) or 0) < FIRST_ANALYZE


class AckStatistics:
    """Has PostgreSQL analyze the ack table when a run has written many acks. Safe for threads."""

    def __init__(self, ledger: Ledger) -> None:
        """Start with no acks written."""
        self._ledger = ledger
        self._lock = threading.Lock()
        self._written = 0
        self._due = FIRST_ANALYZE

    def wrote(self, acks: int) -> None:
        """Count acks that are committed, and have the server analyze the table when there are enough."""
        with self._lock:
            self._written += acks
            if self._written < self._due:
                return
            self._due = GROWTH * self._written
            written = self._written
        refresh_statistics(self._ledger, fewer_than=written)


def refresh_statistics(ledger: Ledger, *, fewer_than: int = 1) -> None:
    """Have the server analyze the ack table if it expects fewer rows; a second or less, and nobody waits for it."""
    if not engine_of(ledger.engine.dialect).needs_statistics:
        return
    try:
        with ledger.begin() as connection:
            estimated = _estimated(connection, ledger)
            if estimated is None or estimated >= fewer_than:
                return
            version = connection.dialect.server_version_info or (0,)
            how = "(SKIP_LOCKED) " if version[0] >= _SKIP_LOCKED_SINCE else ""
            connection.exec_driver_sql(f"ANALYZE {how}{_name(connection, ledger)}")
    except DBAPIError as error:  # the table is used all the same, and the server may analyze it by itself
        ledger.log.warning(
            "PostgreSQL did not analyze the ack table and may read it slowly: %s", type(error.orig).__name__
        )


def _estimated(connection: sa.Connection, ledger: Ledger) -> float | None:
    """How many acks there were at the last ANALYZE; below 1 without one, None where the table is not seen."""
    estimated: float | None = connection.execute(_ESTIMATE, {"name": _name(connection, ledger)}).scalar()
    return estimated


def _name(connection: sa.Connection, ledger: Ledger) -> str:
    return connection.dialect.identifier_preparer.format_table(ledger.tables.ack)
