"""Text compared byte by byte on every engine: columns of that type, and expressions that are compared with them.

MySQL, MariaDB and SQL Server otherwise take 'A1' and 'a1', or 'A1' and 'A1 ', for one order.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from sync_databases import dialects
from sync_databases.engines import Family, find_engine, server_of
from sync_databases.keys import KEY_LENGTH

SQL_SERVER_ENCODING = "utf-16-le"
"""How an NVARCHAR lies in memory, and so what CAST(nvarchar AS varbinary) gives."""


class ExactText(sa.types.TypeDecorator[str]):
    """Text compared byte by byte: no case folding, no padding, no locale."""

    impl = sa.Unicode
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the engine's own exact type."""
        length = self.impl_instance.length  # type: ignore[attr-defined]
        engine = find_engine(dialect.name)
        if engine is None:  # SQLAlchemy prints a statement by a dialect that is nobody's
            return dialect.type_descriptor(sa.VARCHAR(length))
        collation, family = server_of(dialect).exact_collation, engine.family
        if family is Family.MYSQL:
            return dialect.type_descriptor(dialects.mysql.VARCHAR(length, charset="utf8mb4", collation=collation))
        if family is Family.POSTGRESQL:
            return dialect.type_descriptor(dialects.postgresql.VARCHAR(length, collation=collation))
        if family is Family.SQL_SERVER:
            return dialect.type_descriptor(sa.VARBINARY(length * 2))
        if family is Family.ORACLE:
            return dialect.type_descriptor(dialects.oracle.VARCHAR2(length))
        return dialect.type_descriptor(sa.VARCHAR(length))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Encode for SQL Server, whose text comparisons ignore trailing spaces under every collation."""
        if value is not None and _is_kept_as_bytes(dialect):
            return value.encode(SQL_SERVER_ENCODING)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Decode what `process_bind_param` encoded."""
        if value is not None and _is_kept_as_bytes(dialect):
            return bytes(value).decode(SQL_SERVER_ENCODING)
        return None if value is None else str(value)


def _is_kept_as_bytes(dialect: Dialect) -> bool:
    engine = find_engine(dialect.name)
    return engine is not None and engine.keys_as_bytes


def exact_key(expression: sa.ColumnElement[Any], dialect: Dialect) -> sa.ColumnElement[Any]:
    """Make an SQL text expression comparable with an `ExactText` column so that the column's index is used.

    SQLite carries a column's collation through a CAST, hence the explicit one there too.
    """
    engine = server_of(dialect)
    if engine.keys_as_bytes:
        return sa.cast(sa.cast(expression, dialects.mssql.NVARCHAR(KEY_LENGTH)), sa.VARBINARY(KEY_LENGTH * 2))
    return expression if engine.exact_collation is None else sa.collate(expression, engine.exact_collation)
