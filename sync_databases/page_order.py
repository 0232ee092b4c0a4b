"""Which columns can be keys and positions: of each type of each engine how it orders, compares, renders, comes back.

A page ends at an order, and the next one begins behind it: ORDER BY, the comparison with that end, the way of a value
to text and back, and equality must agree. `value_sql.py` has the SQL of it; here stands of which types that is known to
hold, why of others it does not, and what has to be asked of the database for one column. `docs/key-types.md` is
generated from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from sync_databases.columns import Column, Kind, Storage
from sync_databases.database_errors import DatabaseError
from sync_databases.engines import Family, engine_of
from sync_databases.sqlite_texts import text_of
from sync_databases.timestamps import read_timestamp

AFTER_ALL_DATES = "9999-12-31T99"
"""Sorts after every date written as text, and before words."""


class UnfitColumnError(DatabaseError):
    """A column that can be no key and no position; the text says why, and the way out."""


@dataclass(frozen=True, slots=True)
class TypeRule:
    """What holds of some types of one engine."""

    types: str
    """For people."""
    how: str
    """How it is done; of refused ones why not, and the way out."""
    names: frozenset[str] = frozenset()
    """As the server names them; empty: all that no other rule names."""
    works: bool = True


def _rule(types: str, how: str, names: str = "", *, works: bool = True) -> TypeRule:
    return TypeRule(types, how, frozenset(names.split(",")) if names else frozenset(), works=works)


_CAST = "name another column, or a view with it cast to DECIMAL or text"
RULES: Mapping[Family, tuple[TypeRule, ...]] = {
    Family.POSTGRESQL: (
        _rule("text, varchar", "by the column's collation", "text,varchar"),
        _rule(
            'char, "char", name, citext, enums, domains',
            "compared as the column's own type; domains as what they are of",
        ),
        _rule(
            "integers, numeric, float, money", "exact digits, NaN and infinities among them; money as numeric", "money"
        ),
        _rule("date, time, timestamp, interval", "as ISO in UTC; infinite ones and years before Christ among them"),
        _rule("bytea", "as hexadecimal", "bytea"),
        _rule("uuid, boolean, inet, bit, arrays, ranges, jsonb", "by their own order, as the server writes them"),
        _rule(
            "geometry, geography",
            "whose order knows only the box around each: name another column",
            "geometry,geography",
            works=False,
        ),
        _rule(
            "json, xml, xid, point and other types without an order",
            "which has no order in PostgreSQL: name another column, or a view with it cast to text",
            "json,xml,xid,point,line,lseg,box,path,polygon,circle",
            works=False,
        ),
    ),
    Family.MYSQL: (
        _rule("integers, with UNSIGNED and ZEROFILL, YEAR", "exact", "tinyint,smallint,mediumint,int,bigint,year"),
        _rule("DECIMAL", "exact, up to 65 digits", "decimal"),
        _rule("DOUBLE", "by the 17 digits that give it back", "double"),
        _rule(
            "CHAR, VARCHAR, TEXT (MariaDB's JSON among them)",
            "by the column's collation",
            "char,varchar,tinytext,text,mediumtext,longtext",
        ),
        _rule("ENUM, SET", "by the place of the value in its list", "enum,set"),
        _rule("BINARY, VARBINARY, BLOB", "as hexadecimal", "binary,varbinary,tinyblob,blob,mediumblob,longblob"),
        _rule(
            "DATE, DATETIME, TIMESTAMP, TIME",
            "zero dates and dates that are none among them",
            "date,datetime,timestamp,time",
        ),
        _rule("UUID, INET4, INET6", "by their own order", "uuid,inet4,inet6"),
        _rule("FLOAT", f"whose text has fewer digits than its value: {_CAST}", "float", works=False),
        _rule("BIT", f"whose text is bytes: {_CAST}", "bit", works=False),
        _rule("JSON (MySQL)", f"which orders by rules of its own: {_CAST}", "json", works=False),
        _rule("spatial types, and any other", "of which no order is known: name another column", works=False),
    ),
    Family.SQLITE: (
        _rule(
            "each storage class in each declared type",
            "numbers, then texts by the column's collation, then BLOBs, each compared as the value it is; BLOBs are"
            " written as hexadecimal, bytes that are no UTF-8 as \\xNN",
        ),
    ),
    Family.SQL_SERVER: (
        _rule(
            "money, smallmoney", f"whose text has fewer digits than its value: {_CAST}", "money,smallmoney", works=False
        ),
        _rule(
            "text, ntext, image, xml, sql_variant, spatial types",
            "which SQL Server does not sort: name another column, or a view with it cast to a type with an order",
            "text,ntext,image,xml,sql_variant,null,nulltype",
            works=False,
        ),
        _rule("all others", "compared as the column's own type"),
    ),
    Family.ORACLE: (
        _rule(
            "CLOB, NCLOB, BLOB, LONG, XMLTYPE, spatial types",
            "which Oracle does not sort: name another column, or a view with it cast to a type with an order",
            "clob,nclob,blob,long,bfile,nulltype",
            works=False,
        ),
        _rule(
            "BINARY_FLOAT, BINARY_DOUBLE",
            f"whose text has fewer digits than its value: {_CAST}",
            "binary_float,binary_double",
            works=False,
        ),
        _rule("all others", "compared as the column's own type"),
    ),
}


def rule_of(family: Family, name: str) -> TypeRule | None:
    """The rule of a type that the server so names; None where only the database itself can say."""
    for rule in RULES[family]:
        if name in rule.names or (not rule.names and family is not Family.POSTGRESQL):
            return rule
    return None


def settled(connection: sa.Connection, table: str, schema: str | None, columns: Sequence[Column]) -> list[Column]:
    """Give columns that are to be keys or positions what has to be asked of the database for that.

    Raises:
        UnfitColumnError: one of them can be neither.
    """
    ask = {
        Family.POSTGRESQL: _settled_by_catalog,
        Family.MYSQL: _settled_by_information_schema,
        Family.SQLITE: _settled_by_values,
    }.get(engine_of(connection.dialect).family, _settled_by_type)
    return ask(connection, table, schema, columns)


def _unfit(column: Column, name: str, why: str) -> UnfitColumnError:
    return UnfitColumnError(f"{column.name!r} of {{table}} is of type {name}, {why}")


def _must_work(column: Column, name: str, family: Family, shown: str | None = None) -> None:
    rule = rule_of(family, name.lower())
    if rule is not None and not rule.works:
        raise _unfit(column, shown or name, rule.how)


# PostgreSQL: the catalog knows each type, what a domain is of, and whether there is an order

_CATALOG = sa.text(
    """
    WITH RECURSIVE base(name, sorting, type, modifier) AS (
        SELECT CAST(attname AS text), attcollation, atttypid, atttypmod
        FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attname = ANY(:names)
        UNION ALL
        SELECT name, sorting, typbasetype, typtypmod FROM base JOIN pg_type ON pg_type.oid = type
        WHERE typtype = 'd'
    )
    SELECT name, CAST(typname AS text), format_type(type, CASE typname WHEN 'bit' THEN modifier ELSE -1 END),
        EXISTS (
            SELECT 1 FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod
            WHERE amname = 'btree' AND opcdefault AND (
                opcintype = t.oid
                OR t.typname = 'cidr' AND opcintype = CAST('inet' AS regtype)
                OR t.typname = 'varchar' AND opcintype = CAST('text' AS regtype)
                OR t.typtype = 'e' AND opcintype = CAST('anyenum' AS regtype)
                OR t.typtype = 'r' AND opcintype = CAST('anyrange' AS regtype)
                OR t.typcategory = 'A' AND t.typelem <> 0 AND opcintype = CAST('anyarray' AS regtype)
            )
        ),
        COALESCE((
            SELECT CAST(to_jsonb(c) ->> 'collisdeterministic' AS boolean) FROM pg_collation c WHERE c.oid = sorting
        ), true)
    FROM base JOIN pg_type t ON t.oid = type WHERE t.typtype <> 'd'
    """
)
_POSTGRESQL_EXACT = frozenset(
    name
    for names in (
        ("int2", "int4", "int8", "oid", "text", "varchar", "bpchar", "char", "name", "bytea", "uuid", "bool", "money"),
        ("date", "time", "timestamp", "timestamptz", "inet", "cidr", "macaddr", "macaddr8", "pg_lsn", "bit", "varbit"),
    )
    for name in names
)
"""Types of which two values are equal just where their texts are; enums, too."""


def _settled_by_catalog(
    connection: sa.Connection, table: str, schema: str | None, columns: Sequence[Column]
) -> list[Column]:
    named = connection.dialect.identifier_preparer.format_table(sa.table(table, schema=schema))
    names = [column.name for column in columns]
    rows = connection.execute(_CATALOG, {"table": named.replace("%%", "%"), "names": names})
    found = {name: (kind, cast, ordered, exact) for name, kind, cast, ordered, exact in rows}
    settled_columns = []
    for column in columns:
        kind, cast, ordered, deterministic = found[column.name]
        _must_work(column, kind, Family.POSTGRESQL, cast)
        if not ordered:
            raise _unfit(column, cast, RULES[Family.POSTGRESQL][-1].how)
        exact = deterministic and (kind in _POSTGRESQL_EXACT or isinstance(column.type, sa.Enum))
        settled_columns.append(replace(column, exact_type=cast, folds=not exact))
    return settled_columns


# MySQL and MariaDB: types that SQLAlchemy does not know, and collations

_DESCRIBED = sa.text(
    "SELECT column_name, data_type, collation_name FROM information_schema.columns"
    " WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :table"
)
_NO_PAD = ("_nopad_bin", "_0900_bin")


def _settled_by_information_schema(
    connection: sa.Connection, table: str, schema: str | None, columns: Sequence[Column]
) -> list[Column]:
    rows = connection.execute(_DESCRIBED, {"schema": schema, "table": table})
    found = {name.lower(): (kind, collation) for name, kind, collation in rows}
    settled_columns = []
    for column in columns:
        kind, collation = found.get(column.name.lower(), (str(column.type), None))
        _must_work(column, kind.lower(), Family.MYSQL)
        exact = collation is None or kind.lower() in {"enum", "set"} or collation.endswith(_NO_PAD)
        settled_columns.append(replace(column, exact_type=kind.lower(), folds=not exact))
    return settled_columns


# SQLite: values have types, columns do not


def _settled_by_values(
    connection: sa.Connection, table: str, schema: str | None, columns: Sequence[Column]
) -> list[Column]:
    source = sa.table(table, schema=schema)
    return [replace(column, storage=_storage(connection, source, column), folds=True) for column in columns]


def _storage(connection: sa.Connection, source: sa.TableClause, column: Column) -> Storage:
    """Of which storage class the positions are: those of others are read by key.

    Dates written as text, where there are some; else numbers; else texts; BLOBs in a column for them.
    """
    element: sa.ColumnElement[Any] = sa.column(column.name)

    def greatest(*conditions: sa.ColumnElement[bool]) -> tuple[Any, str]:
        largest = sa.func.max(element)
        found = sa.select(text_of(largest), sa.func.typeof(largest)).select_from(source).where(*conditions)
        value, storage = connection.execute(found).one()
        return value, storage

    no_text, no_blob = element < sa.literal_column("''"), element < sa.literal_column("x''")
    value, storage = greatest()
    if storage == "null":
        return _USUAL_STORAGE.get(column.kind, Storage.TEXT)
    if storage == "blob":
        if column.kind is Kind.BINARY:
            return Storage.BLOB
        value, storage = greatest(no_blob)
    if storage == "text":
        dates = sa.and_(no_blob, element <= sa.literal_column(f"'{AFTER_ALL_DATES}'"))
        if read_timestamp(value) is None and not _is_date(greatest(dates)):
            value, storage = greatest(no_text)
            return Storage.TEXT if storage == "null" else Storage.NUMBER
        return Storage.TEXT
    return Storage.BLOB if storage == "null" else Storage.NUMBER


def _is_date(found: tuple[Any, str]) -> bool:
    value, storage = found
    return storage == "text" and read_timestamp(value) is not None


_USUAL_STORAGE = {
    Kind.INTEGER: Storage.NUMBER,
    Kind.NUMBER: Storage.NUMBER,
    Kind.BOOLEAN: Storage.NUMBER,
    Kind.BINARY: Storage.BLOB,
}


# SQL Server and Oracle: by the type that SQLAlchemy knows


def _settled_by_type(
    connection: sa.Connection,
    table: str,  # noqa: ARG001 - all are called alike
    schema: str | None,  # noqa: ARG001
    columns: Sequence[Column],
) -> list[Column]:
    family = engine_of(connection.dialect).family
    for column in columns:
        _must_work(column, type(column.type).__name__, family)
    return list(columns)
