"""What a column holds: its kind, read from the reflected SQL type, and the JSON schema that the catalog states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Any

import sqlalchemy as sa

from sync_databases import dialects
from sync_databases.engines import Engine, Family


class Kind(Enum):
    """What a column's values are, whatever the engine calls it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    NAIVE_TIME = "timestamp without zone"
    ZONED_TIME = "timestamp with zone"
    TIME_OF_DAY = "time"
    BINARY = "binary"
    JSON = "json"
    ARRAY = "array"
    UUID = "uuid"
    OTHER = "other"
    """A type that only the engine knows: its own text is taken."""
    ANY = "any"
    """SQLite's columns without a declared type, mostly of views: each value has a type of its own."""


class Storage(Enum):
    """SQLite's storage classes, in the order in which it sorts them; NULL comes before all."""

    NUMBER = "number"
    TEXT = "text"
    BLOB = "blob"


class Spatial(sa.types.UserDefinedType[Any]):
    """A spatial type of MySQL and MariaDB: read as well-known text."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        """Its name in DDL."""
        return "GEOMETRY"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the orders' table. What stands last is known of keys and positions alone (`page_order.py`)."""

    name: str
    type: sa.types.TypeEngine[Any]
    kind: Kind
    nullable: bool
    comment: str | None = None
    may_be_null: bool = False
    """Whether records may hold null for a value that is not NULL."""
    json_types: tuple[str, ...] = ()
    """The JSON types that its values have in records; empty: those of its kind."""
    padded_length: int | None = None
    """CHAR, where the engine pads: to how many characters, with blanks that are no part of the value."""
    exact_type: str | None = None
    """The server's own name of the type; PostgreSQL's of what a domain is of, as a cast takes it."""
    folds: bool = False
    """Whether values of different texts may compare as equal, as far as the database says."""
    storage: Storage | None = None
    """SQLite: of which storage class the positions are; values of others lie outside of any range."""


_Types = tuple[tuple[Kind, tuple[type[sa.types.TypeEngine[Any]], ...]], ...]

_COMMON: _Types = (
    (Kind.BINARY, (sa.LargeBinary, sa.BINARY, sa.VARBINARY)),
    (Kind.BOOLEAN, (sa.Boolean,)),
    (Kind.INTEGER, (sa.Integer,)),
    (Kind.NUMBER, (sa.Numeric, sa.Float)),
    (Kind.NAIVE_TIME, (sa.DateTime,)),
    (Kind.DATE, (sa.Date,)),
    (Kind.TIME_OF_DAY, (sa.Time,)),
    (Kind.JSON, (sa.JSON,)),
    (Kind.ARRAY, (sa.ARRAY,)),
    (Kind.UUID, (sa.Uuid,)),
    (Kind.TEXT, (sa.String,)),
)


# An engine's dialect is imported when its types are first asked for.
_OWN: Mapping[Family, Callable[[], _Types]] = {
    Family.POSTGRESQL: lambda: (
        (Kind.INTEGER, (dialects.postgresql.OID,)),
        (Kind.NUMBER, (dialects.postgresql.MONEY,)),
    ),
    Family.MYSQL: lambda: (
        (Kind.INTEGER, (dialects.mysql.YEAR, dialects.mysql.BIT)),
        (Kind.ZONED_TIME, (dialects.mysql.TIMESTAMP,)),  # kept in UTC, and our session reads it so
    ),
    Family.SQL_SERVER: lambda: (
        (Kind.BINARY, (dialects.mssql.TIMESTAMP,)),  # which is what rowversion is called, and no time
        (Kind.NUMBER, (dialects.mssql.MONEY, dialects.mssql.SMALLMONEY)),
        (Kind.ZONED_TIME, (dialects.mssql.DATETIMEOFFSET,)),
    ),
    Family.ORACLE: lambda: ((Kind.NAIVE_TIME, (dialects.oracle.DATE,)),),  # it has a time
}


@cache
def _types(family: Family) -> _Types:
    """An engine's own types, then those of all engines: some of its own are derived from others that mean less."""
    return (_OWN[family]() if family in _OWN else ()) + _COMMON


def kind_of(sql_type: sa.types.TypeEngine[Any], engine: Engine) -> Kind:
    """What a reflected type holds."""
    family = engine.family
    sql_type = _base_of(sql_type, engine)
    if isinstance(sql_type, sa.types.NullType):
        return Kind.ANY if engine.values_have_types else Kind.OTHER
    kind = next((kind for kind, types in _types(family) if isinstance(sql_type, types)), Kind.OTHER)
    if kind is Kind.NAIVE_TIME and getattr(sql_type, "timezone", False):
        return Kind.ZONED_TIME
    if kind is Kind.TEXT and family is Family.POSTGRESQL and isinstance(sql_type, sa.Enum):
        return Kind.OTHER  # compared and cast as its own type, never as varchar
    return Kind.BOOLEAN if family is Family.MYSQL and _is_mysql_boolean(sql_type) else kind


def _is_mysql_boolean(sql_type: sa.types.TypeEngine[Any]) -> bool:
    """MySQL's booleans are numbers of one digit or one bit."""
    mysql = dialects.mysql
    one_digit = isinstance(sql_type, mysql.TINYINT) and sql_type.display_width == 1
    one_bit = isinstance(sql_type, mysql.BIT) and sql_type.length in {None, 1}
    return one_digit or one_bit


def json_types_of(sql_type: sa.types.TypeEngine[Any], kind: Kind, engine: Engine) -> tuple[str, ...]:
    """The JSON types of a column's values, null apart, where they are not those of its kind."""
    is_number = engine.family is Family.MYSQL and isinstance(sql_type, dialects.mysql.TINYINT)
    return ("boolean", "integer") if kind is Kind.BOOLEAN and is_number else ()


def padded_length(sql_type: sa.types.TypeEngine[Any], engine: Engine) -> int | None:
    """To how many characters the engine fills texts of a type up, and gives them so; None where it does not."""
    base = _base_of(sql_type, engine)
    return base.length or 1 if engine.pads_texts and isinstance(base, (sa.CHAR, sa.NCHAR)) else None


def _base_of(sql_type: sa.types.TypeEngine[Any], engine: Engine) -> sa.types.TypeEngine[Any]:
    """The type that a domain is of."""
    if engine.family is Family.POSTGRESQL and isinstance(sql_type, dialects.postgresql.DOMAIN):
        return _base_of(sql_type.data_type, engine)
    return sql_type


def may_be_null(sql_type: sa.types.TypeEngine[Any], kind: Kind, engine: Engine) -> bool:
    """Whether a value that is not NULL may be sent as null.

    So are NaN and infinite numbers, the null of a document, and what Oracle trims to an empty text.
    """
    if kind is Kind.JSON or (engine.family is Family.ORACLE and padded_length(sql_type, engine)):
        return True
    is_money = engine.family is Family.POSTGRESQL and isinstance(sql_type, dialects.postgresql.MONEY)
    return kind is Kind.NUMBER and engine.family is Family.POSTGRESQL and not is_money


def tick_of(column: Column, engine: Engine) -> timedelta:
    """The step in which a column's times advance, where that is so long that two changes can fall into one."""
    if column.kind is Kind.DATE:
        return timedelta(days=1)
    if engine.family is Family.SQL_SERVER and isinstance(column.type, dialects.mssql.SMALLDATETIME):
        return timedelta(minutes=1)
    return timedelta(0)


def is_row_version(column: Column, engine: Engine) -> bool:
    """Whether the database itself changes the column with every UPDATE of its row, whatever that sets."""
    return engine.family is Family.SQL_SERVER and isinstance(column.type, dialects.mssql.TIMESTAMP)


_SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": ["string"]},
    Kind.INTEGER: {"type": ["integer"]},
    Kind.NUMBER: {"type": ["number"]},
    Kind.BOOLEAN: {"type": ["boolean"]},
    Kind.DATE: {"type": ["string"], "format": "date"},
    Kind.NAIVE_TIME: {"type": ["string"], "format": "date-time"},
    Kind.ZONED_TIME: {"type": ["string"], "format": "date-time"},
    Kind.TIME_OF_DAY: {"type": ["string"]},
    Kind.BINARY: {"type": ["string"], "contentEncoding": "base64"},
    Kind.JSON: {"type": ["object", "array", "string", "number", "boolean"]},
    Kind.ARRAY: {"type": ["array"]},
    Kind.UUID: {"type": ["string"], "format": "uuid"},
    Kind.OTHER: {"type": ["string"]},
    Kind.ANY: {"type": ["string", "number"]},
}


def json_schema(column: Column, *, required: bool) -> dict[str, Any]:
    """State a column's type as JSON schema; `required` columns are never null."""
    schema = dict(_SCHEMAS[column.kind])
    if column.json_types:
        schema["type"] = list(column.json_types)
    if not required and (column.nullable or column.may_be_null):
        schema["type"] = [*schema["type"], "null"]
    length = getattr(column.type, "length", None)
    if column.kind is Kind.TEXT and isinstance(length, int):
        schema["maxLength"] = length
    if column.comment:
        schema["description"] = column.comment
    return schema
