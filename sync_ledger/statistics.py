"""What the planner knows of the ack table: PostgreSQL looks at a table that has grown only now and then, or never.

Until then it takes the table for so small that it reads all acks for each order of a page: minutes, in a first load.
A page that was planned while there were hardly any acks does so even where the server looks in time, for it meets all
that are written while it is read. The other engines look at a new table by themselves, or join by its primary key.
"""

from __future__ import annotations

import threading

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync_ledger.ledger import Ledger

FIRST_LOOK = 1_000
"""Acks of a run after which the server is asked for its first look; fewer are read in no time however it joins."""

GROWTH = 8
"""How many times as many acks as at the last look make the next one worth while."""

# What would look at the table itself, such as its size, waits for whoever locks it.
_BELIEVED = sa.text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)")
_SKIPPING_SINCE = 12  # PostgreSQL's first version that passes over a table somebody else is looking at


def few_are_known(connection: sa.Connection, ledger: Ledger) -> bool:
    """Whether PostgreSQL believes in so few acks that it may choose to read all of them for each order."""
    return connection.dialect.name == "postgresql" and (_believed(connection, ledger) or 0) < FIRST_LOOK


class AckStatistics:
    """Has PostgreSQL look at the ack table when a run has written many acks. Safe for threads."""

    def __init__(self, ledger: Ledger) -> None:
        """Start with no acks written."""
        self._ledger = ledger
        self._lock = threading.Lock()
        self._written = 0
        self._due = FIRST_LOOK

    def wrote(self, acks: int) -> None:
        """Count acks that are committed, and have the server look when there are enough."""
        with self._lock:
            self._written += acks
            if self._written < self._due:
                return
            self._due = GROWTH * self._written
            written = self._written
        look(self._ledger, fewer_than=written)


def look(ledger: Ledger, *, fewer_than: int = 1) -> None:
    """Have the server look at the ack table if it believes in fewer rows; a second or less, and nobody waits for it."""
    if ledger.engine.dialect.name != "postgresql":
        return
    try:
        with ledger.begin() as connection:
            believed = _believed(connection, ledger)
            if believed is None or believed >= fewer_than:
                return
            version = connection.dialect.server_version_info or (0,)
            how = "(SKIP_LOCKED) " if version[0] >= _SKIPPING_SINCE else ""
            connection.exec_driver_sql(f"ANALYZE {how}{_name(connection, ledger)}")
    except DBAPIError as error:  # the table is used all the same, and the server may look at it by itself
        ledger.log.warning(
            "PostgreSQL did not look at the ack table and may read it slowly: %s", type(error.orig).__name__
        )


def _believed(connection: sa.Connection, ledger: Ledger) -> float | None:
    """How many acks there were at the last look; below 1 without one, None where the table is not seen."""
    believed: float | None = connection.execute(_BELIEVED, {"name": _name(connection, ledger)}).scalar()
    return believed


def _name(connection: sa.Connection, ledger: Ledger) -> str:
    return connection.dialect.identifier_preparer.format_table(ledger.tables.ack)
