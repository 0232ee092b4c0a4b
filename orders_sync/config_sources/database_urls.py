"""Where a database lies: whether two URLs mean one place, and how one is displayed."""

from __future__ import annotations

from pathlib import Path

from sync_databases.drivers import database_url
from sync_databases.engines import find_engine


def place_of(url: str | None, schema: str | None) -> tuple[object, ...]:
    """What two URLs of one ledger have in common, whatever user and driver they name."""
    parsed = database_url(url or "")
    database = parsed.database
    engine = find_engine(parsed.get_backend_name())
    if engine is not None and not engine.is_server and database:
        database = str(Path(database).resolve())
    host = {"localhost": "127.0.0.1"}.get(parsed.host or "", parsed.host)
    return parsed.get_backend_name(), host, parsed.port, database, schema


def display_url(url: str | None, schema: str | None) -> str:
    """The URL without its password, for messages."""
    text = database_url(url or "").render_as_string(hide_password=True)
    return f"{text}, schema {schema}" if schema else text
