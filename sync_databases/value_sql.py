"""SQL that turns a value into the database's own text and that text back into a value, for each family of engines.

Keys, versions and bookmarks travel as text that the database itself rendered, under session settings pinned here, so
that no driver can lose a digit. A text that goes back is cast to the column's type: the cast stands on the value,
never on the column, so that the column's index stays usable.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone, tzinfo
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import UnsupportedCompilationError

from sync_databases import dialects
from sync_databases.columns import Column, Kind
from sync_databases.engines import Family, engine_of

Element = sa.ColumnElement[Any]
MICROSECONDS_TEXT = "%Y-%m-%d %H:%M:%S.%f"
TIME_KINDS = frozenset({Kind.NAIVE_TIME, Kind.ZONED_TIME, Kind.DATE})


class ValueSql:
    """How one engine does it. This base class is standard SQL; each family overrides what it does otherwise."""

    length_function: ClassVar[str] = "length"
    """Counts the characters of a text."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.engine = engine_of(dialect)

    def text(self, column: Column, element: Element) -> Element:
        """Render the column as the database's own text."""
        raise NotImplementedError

    def bound(self, column: Column, text: str) -> Element:
        """Bind the column's own text as a value of the column's type."""
        return self.back(column, _parameter(text))

    def back(self, column: Column, element: Element) -> Element:
        """Turn the column's own text, as SQL has it, back into a value of the column's type."""
        raise NotImplementedError

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select for a record: the column itself where the driver gives its value exactly."""
        return self.text(column, element) if column.kind is Kind.OTHER else element

    def length(self, text: Element) -> Element:
        """Count the characters of a text."""
        counted: Element = getattr(sa.func, self.length_function)(text, type_=sa.Integer())
        return counted

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Write a naive UTC timestamp so that `bound` takes it; `zone` is where the column's naive ones belong."""
        if column.kind is Kind.ZONED_TIME:
            return timestamp.strftime(MICROSECONDS_TEXT) + "+00:00"
        local = timestamp.replace(tzinfo=timezone.utc).astimezone(zone)
        return local.strftime("%Y-%m-%d" if column.kind is Kind.DATE else MICROSECONDS_TEXT)


def _parameter(text: str) -> Element:
    return sa.bindparam(None, text, type_=sa.String())


def _cast(element: Element, type_text: str) -> Element:
    """Cast to a type given by its SQL name, as text to SQLAlchemy, which so leaves the result alone."""
    return sa.type_coerce(sa.cast(element, _Named(type_text)), sa.String())


def _typed_cast(element: Element, sql_type: sa.types.TypeEngine[Any]) -> Element:
    """Cast to a type that SQLAlchemy knows; on MySQL it leaves out casts to any other."""
    return sa.type_coerce(sa.cast(element, sql_type), sa.String())


class _Named(sa.types.UserDefinedType[Any]):
    """A type known by its SQL name only."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


class SQLiteValueSql(ValueSql):
    """SQLite: values have types, columns only an affinity, and times are texts in whatever shape was written."""

    def text(self, column: Column, element: Element) -> Element:
        """Render as this engine's text."""
        if column.kind is Kind.BINARY:
            return sa.func.lower(sa.func.hex(element), type_=sa.String())
        text = _cast(element, "TEXT")
        if column.kind in {Kind.TEXT, Kind.INTEGER}:
            return text
        # CAST gives a real number 15 digits; 17 are needed to give the same number again.
        real = sa.func.printf("%!.17g", element, type_=sa.String())
        return sa.case((sa.func.typeof(element) == "real", real), else_=text)

    def bound(self, column: Column, text: str) -> Element:
        """Bind this engine's text."""
        if column.kind is Kind.BINARY:
            return sa.bindparam(None, bytes.fromhex(text), type_=sa.LargeBinary())
        return super().bound(column, text)

    def back(self, column: Column, element: Element) -> Element:
        """Turn this engine's text back; that of bytes it cannot, before version 3.41."""
        if column.kind is Kind.ANY and isinstance(column.type, sa.Numeric):
            return _cast(element, "NUMERIC")
        return element  # the column's affinity is applied to the text

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Refuse: nothing may take this way."""
        raise NotImplementedError  # times are text here: ranges.py writes them in the shape that the column has


class PostgreSQLValueSql(ValueSql):
    """PostgreSQL by psycopg 3."""

    def text(self, column: Column, element: Element) -> Element:
        """Render as this engine's text."""
        if column.kind is Kind.BINARY:
            return sa.func.encode(element, sa.literal_column("'hex'"), type_=sa.String())
        return _cast(element, "TEXT")

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select here."""
        if column.kind is Kind.ARRAY:
            return sa.func.array_to_json(element)
        if isinstance(column.type, dialects.postgresql.MONEY):
            return _cast(element, "NUMERIC")  # whose own text depends on the locale
        return super().fetched(column, element)

    def bound(self, column: Column, text: str) -> Element:
        """Bind this engine's text."""
        try:
            return self.back(column, _parameter(text))
        except UnsupportedCompilationError:
            return sa.bindparam(None, text, type_=sa.types.NullType())  # the server infers the type

    def back(self, column: Column, element: Element) -> Element:
        """Turn this engine's text back."""
        if column.kind is Kind.BINARY:
            return sa.func.decode(element, sa.literal_column("'hex'"), type_=sa.LargeBinary())
        sql_type = column.type
        if column.kind is Kind.TEXT and not isinstance(sql_type, sa.CHAR):
            return element
        if isinstance(sql_type, sa.CHAR):
            return _cast(element, f"CHAR({sql_type.length})" if sql_type.length else "CHAR")
        return _cast(element, sql_type.compile(dialect=self.dialect))


class MySQLValueSql(ValueSql):
    """MySQL and MariaDB by PyMySQL."""

    length_function = "char_length"

    def text(self, column: Column, element: Element) -> Element:
        """Render as this engine's text."""
        if column.kind is Kind.BINARY:
            return sa.func.lower(sa.func.hex(element), type_=sa.String())
        return _typed_cast(element, sa.CHAR())

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select here."""
        if isinstance(column.type, dialects.mysql.BIT) and column.kind is Kind.INTEGER:
            return element + sa.literal_column("0")
        return super().fetched(column, element)

    def back(self, column: Column, element: Element) -> Element:
        """Turn this engine's text back."""
        if column.kind is Kind.BINARY:
            return sa.func.unhex(element, type_=sa.LargeBinary())
        if column.kind is Kind.INTEGER:
            return _typed_cast(element, dialects.mysql.BIGINT(unsigned=getattr(column.type, "unsigned", False)))
        if column.kind is Kind.NUMBER and not isinstance(column.type, sa.Float):
            return _typed_cast(element, dialects.mysql.DECIMAL(65, getattr(column.type, "scale", None) or 0))
        if column.kind in {Kind.NAIVE_TIME, Kind.ZONED_TIME}:
            return _typed_cast(element, dialects.mysql.DATETIME(fsp=6))
        if column.kind is Kind.DATE:
            return _typed_cast(element, sa.Date())
        return element

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Write a timestamp as this engine takes it."""
        return super().timestamp_text(column, timestamp, zone).removesuffix("+00:00")  # the session's zone is UTC


class SQLServerValueSql(ValueSql):
    """SQL Server by pymssql."""

    length_function = "len"

    def text(self, column: Column, element: Element) -> Element:
        """Render as this engine's text."""
        style = None
        if column.kind in TIME_KINDS:
            style = 121  # yyyy-mm-dd hh:mi:ss.nnnnnnn
        elif column.kind is Kind.BINARY:
            style = 2  # hexadecimal without 0x
        elif isinstance(column.type, sa.Float):
            style = 3  # 17 digits
        if style is None:
            return _cast(element, "NVARCHAR(4000)")
        return sa.func.convert(
            sa.literal_column("VARCHAR(8000)"), element, sa.literal_column(str(style)), type_=sa.String()
        )

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select here."""
        # Python's datetime has no place for the seventh digit.
        return self.text(column, element) if column.kind in TIME_KINDS else super().fetched(column, element)

    def back(self, column: Column, element: Element) -> Element:
        """Turn this engine's text back."""
        if column.kind is Kind.TEXT:
            return element
        style, name = "0", self._type_name(column)
        if column.kind in TIME_KINDS:
            style = "121"
        elif column.kind is Kind.BINARY:
            style, name = "2", "VARBINARY(8000)"
        return sa.func.convert(sa.literal_column(name), element, sa.literal_column(style), type_=sa.String())

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Write a timestamp as this engine takes it."""
        text = super().timestamp_text(column, timestamp, zone)
        has_microseconds = isinstance(column.type, (dialects.mssql.DATETIME2, dialects.mssql.DATETIMEOFFSET))
        return text if has_microseconds else text[: len(text) - 3]  # the older types take milliseconds only

    def _type_name(self, column: Column) -> str:
        try:
            return column.type.compile(dialect=self.dialect)
        except UnsupportedCompilationError:
            return "NVARCHAR(4000)"


class OracleValueSql(ValueSql):
    """Oracle by python-oracledb."""

    _TIMESTAMP = "'YYYY-MM-DD HH24:MI:SS.FF9'"
    _SECOND = "'YYYY-MM-DD HH24:MI:SS'"

    def text(self, column: Column, element: Element) -> Element:
        """Render as this engine's text."""
        if column.kind is Kind.ZONED_TIME:
            utc = sa.func.sys_extract_utc(element)
            return self._call("to_char", utc, self._TIMESTAMP).op("||")(sa.literal_column("'+00:00'"))
        if column.kind is Kind.NAIVE_TIME:
            return self._call("to_char", element, self._SECOND if self._is_date(column) else self._TIMESTAMP)
        if column.kind is Kind.BINARY:
            return sa.func.lower(sa.func.rawtohex(element), type_=sa.String())
        if column.kind in {Kind.INTEGER, Kind.NUMBER}:
            return self._call("to_char", element, "'TM9'")
        return _cast(element, "VARCHAR2(4000)")

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select here."""
        return self.text(column, element) if column.kind in TIME_KINDS else super().fetched(column, element)

    def back(self, column: Column, element: Element) -> Element:
        """Turn this engine's text back."""
        if column.kind is Kind.ZONED_TIME:
            return self._call("to_timestamp_tz", element, "'YYYY-MM-DD HH24:MI:SS.FFTZH:TZM'")
        if column.kind is Kind.NAIVE_TIME:
            if self._is_date(column):
                return self._call("to_date", element, self._SECOND)
            return self._call("to_timestamp", element, "'YYYY-MM-DD HH24:MI:SS.FF'")
        if column.kind is Kind.BINARY:
            return sa.func.hextoraw(element, type_=sa.LargeBinary())
        if column.kind in {Kind.INTEGER, Kind.NUMBER}:
            return self._call("to_number", element)
        return element

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Write a timestamp as this engine takes it."""
        text = super().timestamp_text(column, timestamp, zone)
        return text.partition(".")[0] if self._is_date(column) else text

    @staticmethod
    def _is_date(column: Column) -> bool:
        return isinstance(column.type, dialects.oracle.DATE) or column.kind is Kind.DATE

    @staticmethod
    def _call(name: str, element: Element, *literals: str) -> Element:
        function: Element = getattr(sa.func, name)(element, *map(sa.literal_column, literals), type_=sa.String())
        return function


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
