"""The types of the columns of tables that we make, where one type does not serve every engine."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sync_databases import dialects
from sync_databases.engines import Engine, Family

_Type = sa.types.TypeEngine[Any]


def timestamp_type(engine: Engine) -> _Type:
    """Naive UTC with microseconds."""
    if engine.family is Family.MYSQL:
        return dialects.mysql.DATETIME(fsp=6)
    if engine.family is Family.SQL_SERVER:
        return dialects.mssql.DATETIME2(6)  # type: ignore[no-untyped-call]
    return dialects.oracle.TIMESTAMP() if engine.family is Family.ORACLE else sa.DateTime()


def blob_type(engine: Engine) -> _Type:
    """Bytes without end: MySQL's plain BLOB ends at 64 KiB."""
    return dialects.mysql.LONGBLOB() if engine.family is Family.MYSQL else sa.LargeBinary()


def counter_type(engine: Engine) -> _Type:
    """Numbers that the engine counts up for a primary key: SQLite does so for INTEGER alone."""
    return sa.Integer() if engine.family is Family.SQLITE else sa.BigInteger()


def long_text_type(engine: Engine) -> _Type:
    """Text without end."""
    return dialects.mysql.LONGTEXT(charset="utf8mb4") if engine.family is Family.MYSQL else sa.UnicodeText()


def any_text_type(engine: Engine, length: int) -> _Type:
    """Text of any characters: MySQL's own character set may be one of 8 bits."""
    if engine.family is Family.MYSQL:
        return dialects.mysql.VARCHAR(length, charset="utf8mb4")
    return sa.Unicode(length)
