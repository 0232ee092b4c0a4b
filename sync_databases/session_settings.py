"""Settings of a session, set as soon as it is connected: what texts depend on, and how long it may hold up others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync_databases.engines import Family, engine_of

_POSTGRESQL_TEXT_TYPES = ("timestamp", "timestamptz", "date", "time", "timetz", "interval", "json", "jsonb", "uuid")
"""Taken as the server writes them: Python's types know neither 'infinity' nor years before Christ."""


def pin_for_reading(engine: sa.Engine) -> None:
    """Pin the sessions of an engine that only reads."""
    facts = engine_of(engine.dialect)
    _pin(engine, (*facts.pinned_settings, *facts.read_only_settings))


def pin_for_writing(engine: sa.Engine) -> None:
    """Pin the sessions of an engine that writes: its texts are the same."""
    _pin(engine, engine_of(engine.dialect).pinned_settings)


def keep_to_indexes(engine: sa.Engine) -> None:
    """Have the server read by an index wherever there is one, in sessions from now on; nothing where it does anyway."""
    setting = engine_of(engine.dialect).index_scan_setting
    if setting is not None:
        set_on_connect(engine, (setting,))
        engine.dispose()


def limit_waiting(engine: sa.Engine) -> None:
    """Limit how long the sessions of an engine that writes wait, and make others wait."""
    set_on_connect(engine, engine_of(engine.dialect).write_limits)


def set_on_connect(engine: sa.Engine, statements: Sequence[str]) -> None:
    """Run these statements in each session that the engine opens from now on."""
    if not statements:
        return
    must_commit = engine_of(engine.dialect).settings_open_transaction

    def run(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        if must_commit:
            dbapi_connection.commit()

    event.listen(engine, "connect", run)


def _pin(engine: sa.Engine, statements: Sequence[str]) -> None:
    set_on_connect(engine, statements)
    if engine_of(engine.dialect).family is Family.POSTGRESQL:
        event.listen(engine, "connect", _take_as_text)


def _take_as_text(connection: Any, _record: object) -> None:
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - an optional driver

    for name in _POSTGRESQL_TEXT_TYPES:
        connection.adapters.register_loader(name, TextLoader)
