"""Each order's lines from a table of their own, read with the page of orders and nested in the order's record.

One query gives the lines of many orders; it joins the orders, so that the database itself decides which line belongs to
which order (by its types and collations), and each line comes with its order's own key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

import sqlalchemy as sa

from sync_databases.chunks import chunks_of
from sync_databases.columns import Column, Kind, json_schema
from sync_databases.engines import engine_of
from sync_databases.key_sql import joined_key
from sync_databases.keys import join_key, split_key
from sync_databases.stored_types import with_stored_types
from sync_databases.value_sql import value_sql_for
from sync_ledger.stream_contract import KEY_PROPERTY
from tap_legacy_orders.connections import fetch_rows, reading
from tap_legacy_orders.filtered_rows import filtered
from tap_legacy_orders.json_values import Warn, converter
from tap_legacy_orders.named_tables import chosen_columns, find_key, find_parent, reflect
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.pages import Page
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

DEFAULT_NAME = "lines"
ORDERS_AT_ONCE = 5_000
"""Orders whose lines are in memory at a time."""

ORDERS_BY_CAST = 500
"""Keys that each need a cast, or have several columns, make long statements."""


@dataclass(frozen=True)
class LinesTable:
    """The table with the lines, as the tap reads it."""

    name: str
    schema: str | None
    columns: tuple[Column, ...]
    """Those that a line carries, in the byte order of their names."""
    parent: tuple[Column, ...]
    """What names the order: one column for each of the order's key."""
    key: tuple[Column, ...]
    property: str
    """The property of the order's record that holds the lines."""
    filter: str | None = None
    """An SQL condition that lines must meet."""
    numbered: bool = False
    """Whether lines are known by their order and their place in it: what identifies one changes with every edit."""

    def json_schema(self) -> dict[str, Any]:
        """State the property as JSON schema: an array of lines, each with its key as text."""
        keys = set[str]() if self.numbered else {column.name for column in self.key}
        properties = {column.name: json_schema(column, required=column.name in keys) for column in self.columns}
        properties[KEY_PROPERTY] = {"type": ["string"], "description": "The line's key as text"}
        items = {"type": "object", "properties": properties, "required": [KEY_PROPERTY]}
        return {"type": ["array"], "items": items, "description": f"The order's lines, from {self.name}"}


def line_names(lines: LinesTable) -> dict[str, str]:
    """Columns that are no data, and what each is; part of a key of several columns may well be data."""
    names = {column.name: "it names the order" for column in lines.parent}
    if len(lines.key) == 1:
        names[lines.key[0].name] = "it is the line's key, which the key field holds"
    return names


def find_lines_table(
    engine: sa.Engine, connection: sa.Connection, config: Mapping[str, Any], orders: OrdersTable
) -> LinesTable:
    """Reflect the table that the setting `lines` names.

    Raises:
        TapConfigError: no such table or column, or no one choice for a key.
    """
    table = config.get("table")
    if not table:
        raise TapConfigError("lines.table: name the table that holds the orders' lines")
    reflected = reflect(sa.inspect(connection), table, "lines.table", engine)
    every = reflected.columns
    parent = find_parent(every, config.get("parent_key"), orders.key, "lines.parent_key", table)
    key = find_key(every, config.get("key_column"), reflected.primary, table, "lines.key_column")
    wanted = chosen_columns(every, config, table, "lines.")
    name = config.get("name") or DEFAULT_NAME
    if name in {column.name for column in orders.columns}:
        raise TapConfigError(f"lines.name: {orders.name} has a column {name!r} already; choose another name")
    return LinesTable(
        name=reflected.name,
        schema=reflected.schema,
        columns=with_stored_types(
            connection, reflected.name, reflected.schema, (every[name] for name in sorted(wanted, key=str.encode))
        ),
        parent=parent,
        key=key,
        property=name,
        filter=config.get("filter") or None,
        numbered=bool(config.get("numbered")),
    )


class OrderLines:
    """The lines of the orders of a page."""

    def __init__(self, engine: sa.Engine, orders: OrdersTable, lines: LinesTable, *, zone: tzinfo, warn: Warn) -> None:
        """`zone` is where times without an offset belong; `warn` is called for values that JSON cannot hold."""
        self.property = lines.property
        self.names = tuple(line_names(lines))
        self._engine = engine
        self._orders = orders
        self._database = value_sql_for(engine.dialect)
        self._queries = UnsyncedQueries(orders.by_key_alone, self._database, "", (), None)
        self._names = [*(column.name for column in lines.columns), KEY_PROPERTY]
        self._converters = [converter(column, zone, warn) for column in lines.columns]
        self._key_type = _plain_type(orders.key)
        self._most = min(ORDERS_AT_ONCE, engine_of(engine.dialect).keys_per_lookup)
        if self._key_type is None:
            self._most = min(self._most, ORDERS_BY_CAST)
        self._numbered = lines.numbered
        self._select = self._selected(lines)

    def attach(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Add to each page a last column with each order's lines; a large page becomes several.

        Only the last part of a page moves the bookmark.
        """
        for page in pages:
            for start in range(0, max(page.count, 1), self._most):
                end = min(start + self._most, page.count)
                columns = [column[start:end] for column in page.columns]
                of = self._read(columns[page.key_at]) if end > start else {}
                lines = [of.get(key, ()) for key in columns[page.key_at]]
                bookmark = page.bookmark if end == page.count else None
                yield replace(page, columns=[*columns, lines], count=end - start, bookmark=bookmark)

    def statement(self, keys: Sequence[str]) -> sa.Select[Any]:
        """The query for the lines of these orders."""
        return self._select.where(self._wanted(keys))

    def of(self, keys: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """The lines of some orders, by the order's key, in the order of the lines' keys; none of an order without any.

        Raises:
            TapSyncError: the database does not answer.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        for some in chunks_of(keys, self._most):
            found.update(self._read(some))
        return found

    def _read(self, keys: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Read the lines of these orders: by the order's key, in the order of the lines' keys."""
        with reading(self._engine, "lines", "`lines`, and the user's rights") as connection:
            rows = fetch_rows(connection, self.statement(keys))
        found: dict[str, list[dict[str, Any]]] = {}
        if not rows:
            return found
        orders, *values, line_keys = zip(*rows, strict=True)
        converted = [convert(column) for convert, column in zip(self._converters, values, strict=True)]
        names = self._names
        for order, *line in zip(orders, *converted, line_keys, strict=True):
            of_order = found.setdefault(order, [])
            if self._numbered:
                line[-1] = join_key((order, str(len(of_order) + 1)))
            of_order.append(dict(zip(names, line, strict=True)))
        return found

    def _selected(self, table: LinesTable) -> sa.Select[Any]:
        named = {column.name: None for column in (*table.columns, *table.parent, *table.key)}
        lines = filtered(sa.table(table.name, *map(sa.column, named), schema=table.schema), table.filter, "l")
        orders = self._queries.orders
        key = [lines.c[column.name] for column in table.key]
        belongs = [
            lines.c[parent.name] == orders.c[column.name]
            for parent, column in zip(table.parent, self._orders.key, strict=True)
        ]
        return (
            sa.select(
                self._queries.key_text,
                *(self._database.fetched(column, lines.c[column.name]) for column in table.columns),
                joined_key(self._database, table.key, key),
            )
            .select_from(orders.join(lines, sa.and_(*belongs)))
            .order_by(*key)
        )

    def _wanted(self, keys: Sequence[str]) -> sa.ColumnElement[bool]:
        """The condition for these orders: a list of values where the driver takes keys as they are, else one by one."""
        if self._key_type is None or (isinstance(self._key_type, sa.Integer) and not all(map(_is_whole, keys))):
            parts = [split_key(key, len(self._orders.key)) for key in keys]
            return self._queries.is_one_of([each for each in parts if each is not None])
        values: list[Any] = [int(key) for key in keys] if isinstance(self._key_type, sa.Integer) else list(keys)
        column = self._queries.orders.c[self._orders.key[0].name]
        wanted: sa.ColumnElement[bool] = column.in_(
            sa.bindparam("orders", values, expanding=True, type_=self._key_type)
        )
        return wanted


def _plain_type(key: Sequence[Column]) -> sa.types.TypeEngine[Any] | None:
    """The type by which a key's own text can be bound without a cast; None where there is no such type."""
    if len(key) == 1 and key[0].kind is Kind.INTEGER and isinstance(key[0].type, sa.Integer):
        return sa.BigInteger()
    if len(key) == 1 and key[0].kind is Kind.TEXT and not isinstance(key[0].type, sa.CHAR):
        return sa.String()
    return None


def _is_whole(key: str) -> bool:
    """Whether a key is a whole number; SQLite keeps texts in columns for them."""
    return key.removeprefix("-").isdecimal()
