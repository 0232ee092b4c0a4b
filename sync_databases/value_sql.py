"""SQL that turns a value into the database's own text and that text back into a value, for each family of engines.

Keys, versions and bookmarks travel as text that the database itself rendered, under pinned session settings, so that no
driver can lose a digit. A text that goes back is cast to the column's type: the cast stands on the value, never on the
column, so that the column's index stays usable. `page_order.py` says of which types this is known to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import UnsupportedCompilationError

from sync_databases import dialects, sqlite_texts
from sync_databases.columns import Column, Kind, Spatial, Storage
from sync_databases.engines import Family, engine_of
from sync_databases.sqlserver_oracle_sql import OracleValueSql, SQLServerValueSql
from sync_databases.value_sql_base import TIME_KINDS, Element, ValueSql, cast_to, parameter, typed_cast

__all__ = ["TIME_KINDS", "Element", "ValueSql", "value_sql_for"]


class SQLiteValueSql(ValueSql):
    """SQLite: values have types, columns only an affinity, and times are texts in whatever shape was written."""

    def text(self, column: Column, element: Element) -> Element:  # noqa: ARG002
        """Render as this engine's text."""
        return sqlite_texts.text_of(element)

    def bound(self, column: Column, text: str) -> Element:
        """Bind this engine's text, as a value of the storage class that positions have."""
        if column.storage is Storage.BLOB or (column.storage is None and column.kind is Kind.BINARY):
            return _or_text(sqlite_texts.bound_bytes(text), text)
        if column.storage is Storage.NUMBER:
            return _or_text(sqlite_texts.bound_number(text), text)
        return sqlite_texts.bound_text(text)

    def candidates(self, column: Column, text: str) -> list[Element]:  # noqa: ARG002
        """Bind a text as a value of each storage class that can have it."""
        given = (sqlite_texts.bound_text(text), sqlite_texts.bound_number(text), sqlite_texts.bound_bytes(text))
        return [value for value in given if value is not None]

    def last_value(self, row_value: Any, text: str) -> Element | None:
        """Bind a value as it is; a text by its own text, which may stand for bytes that are no UTF-8."""
        return sqlite_texts.bound_text(text) if isinstance(row_value, str) else sqlite_texts.bound_value(row_value)

    def outside(self, column: Column, element: Element) -> Element:
        """Values of another storage class than positions have."""
        conditions: list[Element] = [element.is_(None)]
        if column.storage is not None:
            no_text, blob = element < _EMPTY_TEXT, element >= _EMPTY_BLOB
            below = {Storage.TEXT: no_text, Storage.BLOB: element < _EMPTY_BLOB}.get(column.storage)
            above = {Storage.TEXT: blob, Storage.NUMBER: element >= _EMPTY_TEXT}.get(column.storage)
            conditions += [each for each in (below, above) if each is not None]
        return sa.or_(*conditions)

    def floor(self, column: Column, element: Element) -> Element | None:
        """Not below the storage class of positions."""
        least = {Storage.TEXT: _EMPTY_TEXT, Storage.BLOB: _EMPTY_BLOB}
        return element >= least[column.storage] if column.storage in least else None

    def ceiling(self, column: Column, element: Element) -> Element | None:
        """Not above the storage class of positions."""
        least_above = {Storage.TEXT: _EMPTY_BLOB, Storage.NUMBER: _EMPTY_TEXT}
        return element < least_above[column.storage] if column.storage in least_above else None

    def back(self, column: Column, element: Element) -> Element:  # noqa: ARG002
        """Turn this engine's text back; that of bytes it cannot, before version 3.41."""
        return element  # the column's affinity is applied to the text

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Refuse: nothing may take this way."""
        raise NotImplementedError  # times are text here: ranges.py writes them in the shape that the column has


_EMPTY_TEXT: Element = sa.literal_column("''")
_EMPTY_BLOB: Element = sa.literal_column("x''")


def _or_text(value: Element | None, text: str) -> Element:
    return sqlite_texts.bound_text(text) if value is None else value


class PostgreSQLValueSql(ValueSql):
    """PostgreSQL by psycopg 3."""

    def text(self, column: Column, element: Element) -> Element:
        """Render as this engine's text."""
        if column.kind is Kind.BINARY:
            return sa.func.encode(element, sa.literal_column("'hex'"), type_=sa.String())
        if isinstance(column.type, dialects.postgresql.MONEY):
            element = sa.cast(element, sa.Numeric())  # whose own text depends on the locale
        text = cast_to(element, "TEXT")
        # Under a collation that takes other letters for the same, texts could not be taken to pieces.
        return sa.collate(text, "C") if column.folds and column.kind is Kind.TEXT else text

    def has_greatest(self, column: Column) -> bool:
        """Whether max() knows the type, as the type and not as a text."""
        return column.kind in _HAVE_GREATEST and column.exact_type not in {"name", '"char"'}

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select here."""
        if column.kind is Kind.ARRAY:
            return sa.func.array_to_json(element)
        if isinstance(column.type, dialects.postgresql.MONEY):
            return cast_to(element, "NUMERIC")  # whose own text depends on the locale
        return super().fetched(column, element)

    def bound(self, column: Column, text: str) -> Element:
        """Bind this engine's text."""
        try:
            return self.back(column, parameter(text))
        except UnsupportedCompilationError:
            return sa.bindparam(None, text, type_=sa.types.NullType())  # the server infers the type

    def back(self, column: Column, element: Element) -> Element:
        """Turn this engine's text back."""
        if column.kind is Kind.BINARY:
            return sa.func.decode(element, sa.literal_column("'hex'"), type_=sa.LargeBinary())
        sql_type, exact = column.type, column.exact_type
        if exact is not None:
            if exact in _POSTGRESQL_TEXTS:
                return element
            if exact == "money":
                element = cast_to(element, "NUMERIC")
            return cast_to(element, exact.replace("%", "%%"))
        if column.kind is Kind.TEXT and not isinstance(sql_type, sa.CHAR):
            return element
        if isinstance(sql_type, sa.CHAR):
            return cast_to(element, f"CHAR({sql_type.length})" if sql_type.length else "CHAR")
        return cast_to(element, sql_type.compile(dialect=self.dialect))


_POSTGRESQL_TEXTS = frozenset({"text", "character varying"})
_HAVE_GREATEST = frozenset({Kind.TEXT, Kind.INTEGER, Kind.NUMBER, *TIME_KINDS, Kind.TIME_OF_DAY})


class MySQLValueSql(ValueSql):
    """MySQL and MariaDB by PyMySQL."""

    length_function = "char_length"

    def text(self, column: Column, element: Element) -> Element:
        """Render as this engine's text."""
        if column.kind is Kind.BINARY:
            return sa.func.lower(sa.func.hex(element), type_=sa.String())
        if isinstance(column.type, Spatial):
            return sa.func.st_astext(element, type_=sa.String())
        return typed_cast(element, sa.CHAR())

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select here."""
        if isinstance(column.type, dialects.mysql.BIT) and column.kind is Kind.INTEGER:
            return element + sa.literal_column("0")
        return super().fetched(column, element)

    def back(self, column: Column, element: Element) -> Element:
        """Turn this engine's text back."""
        if column.kind is Kind.BINARY:
            return sa.func.unhex(element, type_=sa.LargeBinary())
        sql_type = self._cast_type(column)
        return element if sql_type is None else typed_cast(element, sql_type)

    @staticmethod
    def _cast_type(column: Column) -> sa.types.TypeEngine[Any] | None:
        """The type that a text is cast to: casts know few of them."""
        if column.kind in {Kind.INTEGER, Kind.BOOLEAN}:
            return dialects.mysql.BIGINT(unsigned=getattr(column.type, "unsigned", False))
        if column.kind is Kind.NUMBER and not isinstance(column.type, sa.Float):
            return dialects.mysql.DECIMAL(65, getattr(column.type, "scale", None) or 0)
        if column.kind in {Kind.NAIVE_TIME, Kind.ZONED_TIME}:
            return dialects.mysql.DATETIME(fsp=6)
        if column.kind is Kind.TIME_OF_DAY:
            return dialects.mysql.TIME(fsp=6)
        return sa.Date() if column.kind is Kind.DATE else None

    def place(self, column: Column, element: Element) -> Element:
        """Compare the places in a list, as ORDER BY does; a comparison with a text would go by the texts."""
        labels = _labels(column)
        if labels is None:
            return element
        number: Element = sa.cast(element, dialects.mysql.BIGINT(unsigned=True))
        if "" not in labels:
            return number
        return sa.case((element == sa.literal_column("''"), _whole(labels.index("") + 1)), else_=number)

    def place_of(self, column: Column, text: str) -> Element:
        """A value's place in its list; beyond all where it is none of them."""
        labels = _labels(column)
        if labels is None:
            return self.bound(column, text)
        if isinstance(column.type, dialects.mysql.SET):
            chosen = text.split(",") if text else []
            return _whole(sum(1 << labels.index(each) for each in chosen) if set(chosen) <= set(labels) else 0)
        return _whole(labels.index(text) + 1 if text in labels else 0)

    def order_by(self, column: Column, element: Element) -> Element:
        """Sort by place where a list has an empty text, which is also what a wrong value is shown as."""
        return self.place(column, element) if "" in (_labels(column) or ()) else element

    def has_greatest(self, column: Column) -> bool:
        """Whether max() goes by the places of a list: it goes by the texts."""
        return _labels(column) is None

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Write a timestamp as this engine takes it."""
        return super().timestamp_text(column, timestamp, zone).removesuffix("+00:00")  # the session's zone is UTC


def _labels(column: Column) -> Sequence[str] | None:
    """The list of an ENUM or SET."""
    if isinstance(column.type, dialects.mysql.SET):
        return list(column.type.values)
    return list(column.type.enums) if isinstance(column.type, sa.Enum) else None


def _whole(number: int) -> Element:
    return sa.literal_column(str(number))


_OF_FAMILY: Mapping[Family, type[ValueSql]] = {
    Family.SQLITE: SQLiteValueSql,
    Family.POSTGRESQL: PostgreSQLValueSql,
    Family.MYSQL: MySQLValueSql,
    Family.SQL_SERVER: SQLServerValueSql,
    Family.ORACLE: OracleValueSql,
}


def value_sql_for(dialect: Dialect) -> ValueSql:
    """Choose the engine's SQL.

    Raises:
        DatabaseError: it is none of ours.
    """
    return _OF_FAMILY[engine_of(dialect).family](dialect)
