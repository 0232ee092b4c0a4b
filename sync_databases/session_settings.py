"""Session settings that the database's texts depend on: pinned alike wherever a version is rendered or compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

BUSY_SECONDS = 60
"""How long a query waits for a writer on SQLite, for a locked table elsewhere."""

_TEXTS: dict[str, Sequence[str]] = {
    "sqlite": (),
    "postgresql": (
        "SET TIME ZONE 'UTC'",
        "SET datestyle = 'ISO, YMD'",
        "SET intervalstyle = 'postgres'",
        "SET extra_float_digits = 3",
    ),
    "mysql": ("SET SESSION time_zone = '+00:00'",),
    "mssql": ("SET DATEFORMAT ymd",),
    "oracle": ("ALTER SESSION SET TIME_ZONE = '+00:00'", "ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,'"),
}
_READ_ONLY: dict[str, Sequence[str]] = {
    "sqlite": ("PRAGMA query_only = ON",),
    "postgresql": ("SET default_transaction_read_only = on", f"SET lock_timeout = '{BUSY_SECONDS}s'"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", f"SET SESSION lock_wait_timeout = {BUSY_SECONDS}"),
}
for _statements in (_TEXTS, _READ_ONLY):
    _statements["mariadb"] = _statements["mysql"]

_POSTGRESQL_TEXT_TYPES = ("timestamp", "timestamptz", "date", "time", "timetz", "interval", "json", "jsonb", "uuid")
"""Taken as the server writes them: Python's types know neither 'infinity' nor years before Christ."""


def pin_for_reading(engine: sa.Engine) -> None:
    """Pin the sessions of an engine that only reads."""
    backend = engine.dialect.name
    _pin(engine, (*_TEXTS[backend], *_READ_ONLY.get(backend, ())))


def keep_to_indexes(engine: sa.Engine) -> None:
    """Have PostgreSQL read by an index wherever there is one, in sessions from now on."""
    _pin(engine, ("SET enable_seqscan = off",))
    engine.dispose()


def pin_for_writing(engine: sa.Engine) -> None:
    """Pin the sessions of an engine that writes: its texts are the same."""
    _pin(engine, _TEXTS[engine.dialect.name])


def _pin(engine: sa.Engine, statements: Sequence[str]) -> None:
    is_postgresql = engine.dialect.name == "postgresql"

    def pin(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        if is_postgresql:
            dbapi_connection.commit()
            _take_as_text(dbapi_connection)

    event.listen(engine, "connect", pin)


def _take_as_text(connection: Any) -> None:
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - an optional driver

    for name in _POSTGRESQL_TEXT_TYPES:
        connection.adapters.register_loader(name, TextLoader)
