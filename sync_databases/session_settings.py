"""What is set before statements run: what texts depend on, and how long a statement may hold up others.

On PostgreSQL each transaction begins with its settings (`transaction_start`), since a pooler lends one session to many
clients; elsewhere they are set as soon as a session is connected, which is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync_databases.engines import Family, engine_of
from sync_databases.sqlite_texts import teach_texts
from sync_databases.transaction_start import set_locally

_POSTGRESQL_TEXT_TYPES = ("timestamp", "timestamptz", "date", "time", "timetz", "interval", "json", "jsonb", "uuid")
"""Taken as the server writes them: Python's types know neither 'infinity' nor years before Christ."""


def pin_for_reading(engine: sa.Engine) -> None:
    """Pin what the texts of an engine that only reads depend on; it must come from `create_engine` of `drivers`."""
    facts = engine_of(engine.dialect)
    _pin(engine, (*facts.pinned_settings, *facts.read_only_settings), read_only=True)


def pin_for_writing(engine: sa.Engine) -> None:
    """Pin the same of an engine that writes, which comes from there too."""
    _pin(engine, engine_of(engine.dialect).pinned_settings)


def keep_to_indexes(engine: sa.Engine) -> None:
    """Have the server read by an index wherever there is one, from now on; nothing where it does anyway."""
    setting = engine_of(engine.dialect).index_scan_setting
    if setting is not None:
        set_from_now_on(engine, (setting,))


def limit_waiting(engine: sa.Engine) -> None:
    """Limit how long an engine that writes waits, and makes others wait."""
    set_from_now_on(engine, engine_of(engine.dialect).write_limits)


def set_from_now_on(engine: sa.Engine, settings: Sequence[str], *, read_only: bool = False) -> None:
    """Have settings hold for all transactions, or all sessions, to come."""
    if engine_of(engine.dialect).sets_per_transaction:
        set_locally(engine, *settings, read_only=read_only)
    elif settings:
        _set_on_connect(engine, settings)


def _set_on_connect(engine: sa.Engine, statements: Sequence[str]) -> None:
    def run(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()

    event.listen(engine, "connect", run)


def _pin(engine: sa.Engine, settings: Sequence[str], *, read_only: bool = False) -> None:
    set_from_now_on(engine, settings, read_only=read_only)
    teach_texts(engine)
    if engine_of(engine.dialect).family is Family.POSTGRESQL:
        event.listen(engine, "connect", _take_as_text)


def _take_as_text(connection: Any, _record: object) -> None:
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - an optional driver

    for name in _POSTGRESQL_TEXT_TYPES:
        connection.adapters.register_loader(name, TextLoader)
