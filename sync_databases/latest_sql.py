"""SQL that makes one time of several columns: the latest of some, and a date with the time that stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from sync_databases.columns import Kind
from sync_databases.engines import Family
from sync_databases.value_sql_base import Element, ValueSql

TIME_PARTS = frozenset({Kind.TIME_OF_DAY, Kind.INTEGER, Kind.TEXT})
"""Kinds of columns that can hold the time beside a date: a time, a number like 92745, a text like 09:27:45."""


def latest(value_sql: ValueSql, elements: Sequence[Element], *, first_is_never_null: bool) -> Element:
    """The greatest of some values, NULLs left out; NULL where all are."""
    if len(elements) == 1:
        return elements[0]
    family = value_sql.engine.family
    if family is Family.POSTGRESQL:
        return sa.func.greatest(*elements)  # leaves NULLs out by itself
    if family is Family.SQL_SERVER:  # which has GREATEST since 2022 only
        values = sa.values(sa.column("at"), name="v").data([(element,) for element in elements])
        return sa.select(sa.func.max(values.c.at)).scalar_subquery()
    # Elsewhere one NULL makes the whole NULL.
    some: Element = elements[0] if first_is_never_null else sa.func.coalesce(*elements)
    greatest = sa.func.max if family is Family.SQLITE else sa.func.greatest
    filled = [sa.func.coalesce(element, some) for element in elements[1:]]
    return greatest(elements[0] if first_is_never_null else sa.func.coalesce(elements[0], some), *filled)


def date_and_time(value_sql: ValueSql, date: Element, time: Element, kind: Kind) -> Element:
    """A date, and the time of the day beside it, as a timestamp; `kind` is the time's."""
    family = value_sql.engine.family
    seconds = _seconds(time) if kind is Kind.INTEGER else None
    if family is Family.POSTGRESQL:
        day: Element = sa.cast(date, sa.DateTime())
        second: Element = sa.literal_column("INTERVAL '1 second'")
        return day + (sa.cast(time, sa.Time()) if seconds is None else seconds * second)
    if family is Family.MYSQL:
        return sa.func.timestamp(date, time if seconds is None else sa.func.sec_to_time(seconds))
    if family is Family.SQL_SERVER:
        if seconds is None:
            midnight: Element = sa.literal_column("'00:00:00'")
            seconds = sa.func.datediff(sa.literal_column("SECOND"), midnight, sa.cast(time, sa.Time()))
        return sa.func.dateadd(sa.literal_column("SECOND"), seconds, sa.cast(date, _Type("DATETIME2(0)")))
    if family is Family.ORACLE:
        if seconds is not None:
            interval = sa.func.numtodsinterval(seconds, sa.literal_column("'SECOND'"))
            return sa.cast(date, sa.TIMESTAMP()) + interval
        text = sa.func.to_char(date, sa.literal_column("'YYYY-MM-DD '")).op("||")(time)
        return sa.func.to_timestamp(text, sa.literal_column("'YYYY-MM-DD HH24:MI:SS'"))
    of_day = sa.func.time(time) if seconds is None else sa.func.time(seconds, sa.literal_column("'unixepoch'"))
    return sa.func.date(date).op("||")(sa.literal_column("' '")).op("||")(of_day)


def _seconds(time: Element) -> Element:
    """Of a number like 92745, which is 09:27:45. All divisions come out even."""
    hundred, hundreds = _number(100), _number(10_000)
    second, within_hour = time % hundred, time % hundreds
    hours, minutes = (time - within_hour) * _number(36), (within_hour - second) * _number(60)
    return sa.type_coerce(hours, sa.Integer()) // hundred + sa.type_coerce(minutes, sa.Integer()) // hundred + second


def _number(value: int) -> Element:
    return sa.literal_column(str(value), sa.Integer())


class _Type(sa.types.UserDefinedType[object]):
    """A type known by its SQL name only."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        return self.name
