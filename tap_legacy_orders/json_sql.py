"""What each engine can write as JSON, byte for byte as `json_values.py` and msgspec would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timezone, tzinfo
from functools import reduce
from operator import add
from typing import Any

import sqlalchemy as sa

from sync_databases import dialects
from sync_databases.columns import Column, Kind
from sync_databases.engines import Family
from sync_databases.value_sql import Element, ValueSql

PLAIN_SCALE = 6
"""With more digits behind the point Python writes small decimals with an exponent, and the engines do not."""


class JsonSql:
    """The JSON functions of one engine. This base class is PostgreSQL."""

    def __init__(self, database: ValueSql, zone: tzinfo) -> None:
        """`zone` is where times without an offset belong."""
        self.database = database
        self._utc = zone is timezone.utc

    def of(self, column: Column, element: Element) -> Element | None:
        """Render the column; None if the engine writes no value of it exactly, in SQL NULL for a value it does not."""
        kind, text = column.kind, self.database.text(column, element)
        if kind in {Kind.NAIVE_TIME, Kind.ZONED_TIME}:
            has_iso_form = self._has_iso_form(column, element)
            return None if has_iso_form is None else _unless_null(element, self._iso(column, element), has_iso_form)
        if kind is Kind.NUMBER:
            return _unless_null(element, text, self._is_number(element)) if _is_plain_decimal(column.type) else None
        if kind is Kind.INTEGER:
            return _unless_null(element, text)
        if kind is Kind.BOOLEAN:
            return _unless_null(element, self._truth(element, text))
        if kind in {Kind.TEXT, Kind.OTHER, Kind.DATE, Kind.TIME_OF_DAY, Kind.UUID}:
            return _unless_null(
                element, self.quoted(self.database.fetched(column, element) if kind is Kind.TEXT else text)
            )
        return None  # documents, whose blanks and orders differ; floats, which are written in many ways; bytes

    def quoted(self, text: Element) -> Element:
        """Render text as a JSON string."""
        return sa.type_coerce(sa.cast(sa.func.to_json(text), sa.Text()), sa.String())

    def joined(self, texts: Sequence[Element]) -> Element:
        """Join texts to one; NULL where one of them is."""
        return reduce(add, texts)

    def _has_iso_form(self, column: Column, element: Element) -> Element | None:
        """The condition that a time has an ISO form; others keep the engine's own text, as `json_values.py` has it."""
        if column.kind is Kind.NAIVE_TIME and not self._utc:
            return None
        offset = "" if column.kind is Kind.NAIVE_TIME else "+00"
        return sa.and_(
            element >= literal(f"0001-01-01 00:00:00{offset}"), element < literal(f"10000-01-01 00:00:00{offset}")
        )

    def _iso(self, column: Column, element: Element) -> Element:
        zoned: Element = element if column.kind is Kind.ZONED_TIME else element.op("AT TIME ZONE")(literal("UTC"))
        return self.quoted(zoned)

    def _is_number(self, element: Element) -> Element | None:
        return element != literal("NaN")

    def _truth(self, element: Element, text: Element) -> Element:  # noqa: ARG002 - MySQL's needs it
        return text


class MySQLJsonSql(JsonSql):
    """MySQL and MariaDB: they have no `row_to_json`, but JSON_QUOTE."""

    def of(self, column: Column, element: Element) -> Element | None:
        """Render the column."""
        padded = getattr(column.type, "zerofill", False)
        bits = isinstance(column.type, (dialects.mysql.BIT, dialects.mysql.YEAR))
        if padded or bits or column.kind in {Kind.OTHER, Kind.UUID}:
            return None
        return super().of(column, element if column.kind is not Kind.TEXT else self.database.text(column, element))

    def quoted(self, text: Element) -> Element:
        """Render text as a JSON string."""
        return sa.func.json_quote(text, type_=sa.String())

    def joined(self, texts: Sequence[Element]) -> Element:
        """Join by one call: a chain would copy the text again and again."""
        return sa.func.concat(*texts, type_=sa.String())

    def _has_iso_form(self, column: Column, element: Element) -> Element | None:
        """Leave out what MySQL and MariaDB keep in such a column and is no time: 0000-00-00, February 30."""
        if column.kind is Kind.NAIVE_TIME and not self._utc:
            return None
        day = sa.func.dayofmonth(element)
        return sa.and_(sa.func.year(element) > 0, day > 0, day <= sa.func.dayofmonth(sa.func.last_day(element)))

    def _iso(self, column: Column, element: Element) -> Element:
        iso = sa.func.replace(self.database.text(column, element), literal(" "), literal("T"), type_=sa.String())
        return self.joined([literal('"'), iso, literal('+00:00"')])

    def _is_number(self, element: Element) -> Element | None:  # noqa: ARG002 - here every number is one
        return None

    def _truth(self, element: Element, text: Element) -> Element:
        """Take 0 and 1 for false and true; tinyint(1) holds other numbers too."""
        zero: Element = sa.literal_column("0")
        one: Element = sa.literal_column("1")
        return sa.case((element == zero, literal("false")), (element == one, literal("true")), else_=text)


_OF_FAMILY: Mapping[Family, type[JsonSql]] = {Family.POSTGRESQL: JsonSql, Family.MYSQL: MySQLJsonSql}


def json_sql_for(database: ValueSql, zone: tzinfo) -> JsonSql | None:
    """Choose by the engine; None where it writes no JSON for us.

    SQLite would write real numbers with 15 digits, and its own JSON was measured to be no faster.
    """
    kind = _OF_FAMILY.get(database.engine.family)
    return None if kind is None else kind(database, zone)


def literal(text: str) -> Element:
    """Write a text into the statement."""
    return sa.literal_column("'" + text.replace("'", "''") + "'", sa.String())


def _unless_null(element: Element, text: Element, condition: Element | None = None) -> Element:
    """Give JSON's null for NULL, else `text`; but NULL where a condition is given and does not hold."""
    null = literal("null")
    if condition is None:
        return sa.func.coalesce(text, null, type_=sa.String())
    return sa.case((condition, text), (element.is_(None), null))


def _is_plain_decimal(sql_type: sa.types.TypeEngine[Any]) -> bool:
    scale = getattr(sql_type, "scale", None)
    is_decimal = isinstance(sql_type, sa.Numeric) and not isinstance(sql_type, sa.Float)
    return is_decimal and scale is not None and 0 <= scale <= PLAIN_SCALE
