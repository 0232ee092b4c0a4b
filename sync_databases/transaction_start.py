"""How transactions begin on PostgreSQL: in one statement, with all that is set, and set for that transaction alone.

A transaction pooler (PgBouncer, Supavisor, RDS Proxy and others) lends one session of the server to many clients, a
transaction at a time. What one of them leaves on the session, the next one meets: after `SET
default_transaction_read_only = on` the shop itself could not save an order. So nothing is set but by `SET LOCAL`,
nothing is prepared by name, and no lock is taken that outlives a transaction.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync_databases.engines import find_engine

_START = "transaction_start"
"""The execution option by which an engine knows how its transactions begin."""

ALONE = "alone"
"""The execution option of a transaction of one statement: the server begins and ends it, in one round trip."""

_OF_A_START = {"no_parameters": True, "stream_results": False, "yield_per": None}
"""A connection that reads by a cursor of the server is none for BEGIN."""


class _Start:
    """What begins a transaction. Goes in one round trip, as the driver's own BEGIN would."""

    def __init__(self) -> None:
        self._read_only = False
        self._settings: tuple[str, ...] = ()

    def add(self, settings: tuple[str, ...], *, read_only: bool) -> None:
        self._settings += settings
        self._read_only = self._read_only or read_only

    def begin(self, connection: sa.Connection) -> None:
        if connection.get_execution_options().get(ALONE):
            return
        mode = " READ ONLY" if self._read_only else ""
        statement = "; ".join((f"BEGIN{mode}", *(f"SET LOCAL {setting}" for setting in self._settings)))
        connection.exec_driver_sql(statement, execution_options=_OF_A_START)


def options_for_poolers(url: sa.URL, options: dict[str, Any]) -> dict[str, Any]:
    """Options of an engine, with those that let it work through a transaction pooler where it is PostgreSQL's.

    The driver is in its autocommit mode, in which it sends no BEGIN; it still sends COMMIT and ROLLBACK as asked.
    """
    engine = find_engine(url.get_backend_name())
    if engine is None or not engine.sets_per_transaction:
        return options
    prepares = {"prepare_threshold": None} if url.get_driver_name() == engine.driver else {}
    return {
        **options,
        "isolation_level": "AUTOCOMMIT",
        "connect_args": {**options.get("connect_args", {}), **prepares},
        "execution_options": {**options.get("execution_options", {}), _START: _Start()},
    }


def begin_for_poolers(engine: sa.Engine) -> None:
    """Begin the transactions of an engine that was made with such options."""
    start = engine.get_execution_options().get(_START)
    if start is not None:
        event.listen(engine, "begin", start.begin)


def set_locally(engine: sa.Engine, *settings: str, read_only: bool = False) -> None:
    """Have each transaction to come begin with these settings (such as `TIME ZONE 'UTC'`), on PostgreSQL."""
    start: _Start = engine.get_execution_options()[_START]
    start.add(settings, read_only=read_only)
