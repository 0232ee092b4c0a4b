"""What SQLite's columns for numbers hold besides: it takes any value in any column."""

from __future__ import annotations

from collections.abc import Iterable
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


def with_stored_types(
    connection: sa.Connection, table: str, schema: str | None, columns: Iterable[Column]
) -> tuple[Column, ...]:
    """Say of columns for numbers which JSON types their values have in records; one look through an SQLite table."""
    columns = tuple(columns)
    numbers = [column for column in columns if column.kind in _NUMBERS]
    if not numbers or not engine_of(connection.dialect).values_have_types:
        return columns
    looks = []
    for column in numbers:
        element: sa.ColumnElement[Any] = sa.column(column.name)
        storage = sa.func.typeof(element)
        infinite = element.in_([sa.literal_column("9e999"), sa.literal_column("-9e999")])
        texts = storage.in_([sa.literal_column("'text'"), sa.literal_column("'blob'")])
        looks += [sa.func.max(texts), sa.func.max(storage == sa.literal_column("'real'")), sa.func.max(infinite)]
    found = connection.execute(sa.select(*looks).select_from(sa.table(table, schema=schema))).one()
    odd = {
        column.name: _with(column, *map(bool, found[at * _FLAGS : (at + 1) * _FLAGS]))
        for at, column in enumerate(numbers)
    }
    return tuple(odd.get(column.name, column) for column in columns)


def _with(column: Column, texts: bool, reals: bool, infinite: bool) -> Column:  # noqa: FBT001 - as SQL gives them
    types = _NUMBERS[column.kind]
    types += ("number",) if reals and "number" not in types else ()
    types += ("string",) if texts and "string" not in types else ()
    return replace(column, json_types=types, may_be_null=infinite)
