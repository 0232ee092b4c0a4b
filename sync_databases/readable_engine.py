"""An engine that only reads the orders' database, in sessions whose settings are pinned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sync_databases.database_errors import DatabaseError
from sync_databases.drivers import create_engine, database_url, driver_missing
from sync_databases.engines import BUSY_SECONDS, Family, find_engine, unsupported
from sync_databases.session_settings import pin_for_reading


def readable_engine(text: str, *, ping: bool = True) -> sa.Engine:
    """Make an engine that reads; it connects on first use.

    With `ping` a connection is tried before each use, at the price of another statement.

    Raises:
        DatabaseError: the URL, its engine, its driver or its SQLite file is of no use.
    """
    url = database_url(text)
    facts = find_engine(url.get_backend_name())
    if facts is None:
        raise unsupported(url.get_backend_name())
    options: dict[str, Any] = {"pool_size": 1, "pool_pre_ping": ping}
    if not facts.is_server:
        _must_exist(url)
        options = {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
    if facts.reads_in_autocommit:
        options["isolation_level"] = "AUTOCOMMIT"
    if facts.family is Family.MYSQL:
        options["connect_args"] = {"conv": _mysql_converters(facts.name)}
    engine = create_engine(url, **options)
    pin_for_reading(engine)
    return engine


def _must_exist(url: sa.URL) -> None:
    """SQLite would make an empty database of a mistyped path."""
    path = url.database
    if path and path != ":memory:" and not path.startswith("file:") and not Path(path).is_file():
        raise DatabaseError(f"there is no SQLite file {path}; check the path")


def _mysql_converters(name: str) -> dict[Any, Any]:
    """PyMySQL's converters without those for dates and times, which lose what Python cannot hold (0000-00-00)."""
    try:
        from pymysql.constants import FIELD_TYPE  # noqa: PLC0415 - an optional driver
        from pymysql.converters import conversions  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise driver_missing(name) from error
    times = {FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME, FIELD_TYPE.DATE, FIELD_TYPE.TIME}
    return {key: function for key, function in conversions.items() if key not in times}
