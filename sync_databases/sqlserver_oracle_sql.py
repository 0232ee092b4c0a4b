"""The same SQL for SQL Server and Oracle, of which no server has been tried."""

from __future__ import annotations

from datetime import datetime, tzinfo

import sqlalchemy as sa
from sqlalchemy.exc import UnsupportedCompilationError

from sync_databases import dialects
from sync_databases.columns import Column, Kind, is_row_version
from sync_databases.value_sql_base import TIME_KINDS, Element, ValueSql, cast_to


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
            return cast_to(element, "NVARCHAR(4000)")
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
            style, name = "2", "BINARY(8)" if is_row_version(column, self.engine) else "VARBINARY(8000)"
        return sa.func.convert(sa.literal_column(name), element, sa.literal_column(style), type_=sa.String())

    def has_greatest(self, column: Column) -> bool:
        """Whether max() knows the type; of a rowversion nobody documents it."""
        return not is_row_version(column, self.engine)

    def ceiling(self, column: Column, element: Element) -> Element | None:
        """Of a rowversion, what no open transaction can still commit below: its numbers are given before the commit."""
        if not is_row_version(column, self.engine):
            return None
        least: Element = sa.func.min_active_rowversion(type_=sa.LargeBinary())
        return element < least

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
        return cast_to(element, "VARCHAR2(4000)")

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
