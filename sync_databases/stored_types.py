"""What SQLite's columns for numbers hold besides: it takes any value in any column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from sync_databases.columns import Column, Kind
from sync_databases.engines import engine_of

_NUMBERS = {
    Kind.INTEGER: ("integer",),
    Kind.NUMBER: ("number",),
    Kind.BOOLEAN: ("boolean", "integer"),
    Kind.ANY: ("string", "number"),
}
_FLAGS = 3
_INFINITE: tuple[sa.ColumnElement[float], ...] = (sa.literal_column("9e999"), sa.literal_column("-9e999"))


def with_stored_types(
    connection: sa.Connection, table: str, schema: str | None, columns: Iterable[Column]
) -> tuple[Column, ...]:
    """Say of columns for numbers which JSON types their values have in records; it looks through an SQLite table."""
    columns = tuple(columns)
    numbers = [column for column in columns if column.kind in _NUMBERS]
    if not numbers or not engine_of(connection.dialect).values_have_types:
        return columns
    source = sa.table(table, schema=schema)
    one: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer())
    odd = sa.select(one).select_from(source).where(sa.or_(*map(_is_odd, numbers))).limit(1)
    found: Sequence[Any] = [False] * (_FLAGS * len(numbers))
    if connection.execute(odd).first() is not None:
        found = connection.execute(sa.select(*_looks(numbers)).select_from(source)).one()
    known = {
        column.name: _with(column, *map(bool, found[at * _FLAGS : (at + 1) * _FLAGS]))
        for at, column in enumerate(numbers)
    }
    return tuple(known.get(column.name, column) for column in columns)


def _looks(numbers: Sequence[Column]) -> list[sa.ColumnElement[Any]]:
    """Which types there are among the values of each column, as `_with` takes it."""
    looks: list[sa.ColumnElement[Any]] = []
    for column in numbers:
        element: sa.ColumnElement[Any] = sa.column(column.name)
        storage = sa.func.typeof(element)
        texts = storage.in_([sa.literal_column("'text'"), sa.literal_column("'blob'")])
        reals, infinite = storage == sa.literal_column("'real'"), element.in_(_INFINITE)
        looks += [sa.func.max(texts), sa.func.max(reals), sa.func.max(infinite)]
    return looks


def _is_odd(column: Column) -> sa.ColumnElement[bool]:
    """The condition that a value has a type that the column does not say, as cheaply as it can be asked."""
    element: sa.ColumnElement[Any] = sa.column(column.name)
    if column.kind is Kind.ANY:
        return element.in_(_INFINITE)
    if column.kind is Kind.NUMBER:  # texts and BLOBs are greater than all numbers
        return sa.not_(sa.and_(element > _INFINITE[1], element < _INFINITE[0]))
    return sa.func.typeof(element).not_in([sa.literal_column("'integer'"), sa.literal_column("'null'")])


def _with(column: Column, texts: bool, reals: bool, infinite: bool) -> Column:  # noqa: FBT001 - as SQL gives them
    types = _NUMBERS[column.kind]
    types += ("number",) if reals and "number" not in types else ()
    types += ("string",) if texts and "string" not in types else ()
    return replace(column, json_types=types, may_be_null=infinite)
