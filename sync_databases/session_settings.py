"""Settings that the database's texts depend on: pinned alike wherever a version is rendered or compared.

On PostgreSQL they are set for each transaction alone, elsewhere for the session, which is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync_ledger.transactions import set_locally

BUSY_SECONDS = 60
"""How long a query waits for a writer on SQLite, for a locked table elsewhere."""

_POSTGRESQL_TEXTS = (
    "TIME ZONE 'UTC'",
    "datestyle = 'ISO, YMD'",
    "intervalstyle = 'postgres'",
    "extra_float_digits = 3",
)
_TEXTS: dict[str, Sequence[str]] = {
    "sqlite": (),
    "mysql": ("SET SESSION time_zone = '+00:00'",),
    "mssql": ("SET DATEFORMAT ymd",),
    "oracle": ("ALTER SESSION SET TIME_ZONE = '+00:00'", "ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,'"),
}
_READ_ONLY: dict[str, Sequence[str]] = {
    "sqlite": ("PRAGMA query_only = ON",),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", f"SET SESSION lock_wait_timeout = {BUSY_SECONDS}"),
}
for _statements in (_TEXTS, _READ_ONLY):
    _statements["mariadb"] = _statements["mysql"]

_POSTGRESQL_TEXT_TYPES = ("timestamp", "timestamptz", "date", "time", "timetz", "interval", "json", "jsonb", "uuid")
"""Taken as the server writes them: Python's types know neither 'infinity' nor years before Christ."""


def pin_for_reading(engine: sa.Engine) -> None:
    """Pin an engine that only reads; it must come from the ledger's `create_engine`."""
    backend = engine.dialect.name
    if backend == "postgresql":
        set_locally(engine, *_POSTGRESQL_TEXTS, f"lock_timeout = '{BUSY_SECONDS}s'", read_only=True)
        event.listen(engine, "connect", _take_as_text)
    else:
        _pin(engine, (*_TEXTS[backend], *_READ_ONLY.get(backend, ())))


def keep_to_indexes(engine: sa.Engine) -> None:
    """Have PostgreSQL read by an index wherever there is one, from now on."""
    set_locally(engine, "enable_seqscan = off")


def pin_for_writing(engine: sa.Engine) -> None:
    """Pin an engine that writes, and comes from there too: its texts are the same."""
    if engine.dialect.name == "postgresql":
        set_locally(engine, *_POSTGRESQL_TEXTS)
        event.listen(engine, "connect", _take_as_text)
    else:
        _pin(engine, _TEXTS[engine.dialect.name])


def _pin(engine: sa.Engine, statements: Sequence[str]) -> None:
    def pin(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()

    event.listen(engine, "connect", pin)


def _take_as_text(connection: Any, _record: object) -> None:
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - an optional driver

    for name in _POSTGRESQL_TEXT_TYPES:
        connection.adapters.register_loader(name, TextLoader)
