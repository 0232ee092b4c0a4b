"""When an order last changed, where no one column says it: the latest of several, also of other tables.

Each is a time, or a date with the time beside it. A row of another table, such as a line or an entry of a history,
counts for the order that it names. NULLs count for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from singer_sdk import typing as th

from sync_databases.columns import Column, Kind, is_row_version
from sync_databases.engines import engine_of
from sync_databases.latest_sql import TIME_PARTS, date_and_time, latest
from sync_databases.value_sql import TIME_KINDS, Element, ValueSql
from tap_legacy_orders.filtered_rows import filtered
from tap_legacy_orders.named_tables import Reflected, find_column, find_parent, reflect, settle
from tap_legacy_orders.tap_errors import TapConfigError

LABEL = "_sync_changed_at"
"""The column's name in statements."""
_BESIDE = " + "
_KINDS = frozenset({*TIME_KINDS, Kind.INTEGER, Kind.NUMBER})

PROPERTY = th.Property(
    "changes_in",
    th.ArrayType(
        th.ObjectType(
            th.Property("table", th.StringType, description="The table or view; may be schema.table"),
            th.Property(
                "parent_key",
                th.StringType,
                description="The column that holds the order's key, or a list; by default those of its names",
            ),
            th.Property("replication_key", th.StringType, description="The column that says when a row changed"),
            th.Property("filter", th.StringType, description="An SQL condition that rows must meet"),
        )
    ),
    title="Changes in other tables",
    description="Tables of which a new or changed row is a change of its order, such as a history; see "
    "docs/database.md",
)


def with_keys_as_text(setting: Sequence[Any]) -> list[Any]:
    """The setting with lists of key columns as the text that they are declared as."""
    return [
        {**each, "parent_key": json.dumps(each["parent_key"])}
        if isinstance(each, dict) and isinstance(each.get("parent_key"), list)
        else each
        for each in setting
    ]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The column of another table that says when a row changed."""

    table: str
    schema: str | None
    parent: tuple[Column, ...]
    """What names the order: one column for each of the order's key."""
    column: Column
    filter: str | None


@dataclass(frozen=True, slots=True)
class ChangedAt:
    """What an order's last change is made of."""

    column: Column
    """Stands for the whole; its name is for people and for STATE."""
    own: tuple[tuple[Column, Column | None], ...]
    """Columns of the orders' table, and the time that stands beside a date."""
    elsewhere: tuple[Elsewhere, ...]

    @property
    def needed(self) -> list[Column]:
        """The columns of the orders' table."""
        return [column for pair in self.own for column in pair if column is not None]

    def expression(self, database: ValueSql, orders: sa.TableClause, key: Sequence[Column]) -> Element:
        """Say it in SQL, to be selected from the orders' table."""
        elements: list[Element] = []
        for column, time in self.own:
            element: Element = orders.c[column.name]
            if time is not None:
                element = date_and_time(database, element, orders.c[time.name], time.kind)
            elements.append(element)
        elements += [_of_order(each, f"c{number}", orders, key) for number, each in enumerate(self.elsewhere)]
        return latest(
            database,
            elements,
            first_is_never_null=not any(column is not None and column.nullable for column in self.own[0]),
        )


def _of_order(each: Elsewhere, name: str, orders: sa.TableClause, key: Sequence[Column]) -> Element:
    columns = {column.name: None for column in (*each.parent, each.column)}
    rows = filtered(sa.table(each.table, *map(sa.column, columns), schema=each.schema), each.filter, name)
    belongs = [rows.c[of.name] == orders.c[column.name] for of, column in zip(each.parent, key, strict=True)]
    query = sa.select(sa.func.max(rows.c[each.column.name])).where(*belongs)
    return query.correlate(orders).scalar_subquery()


def is_of_several(names: Sequence[str], every: Mapping[str, Column], config: Mapping[str, Any]) -> bool:
    """Whether more than one column of the orders' table says when an order changed."""
    return len(names) > 1 or any(name not in every and _BESIDE in name for name in names) or bool(_others(config))


def find_changed_at(
    engine: sa.Engine,
    connection: sa.Connection,
    orders: Reflected,
    key: Sequence[Column],
    names: Sequence[str],
    config: Mapping[str, Any],
) -> ChangedAt:
    """Find the columns: `names` are those of the orders' table.

    Raises:
        TapConfigError: no such table or column, or columns of which none is the later one.
    """
    table = config["orders_table"]
    own = [_own(connection, orders, name, table) for name in names]
    elsewhere = [_elsewhere(engine, connection, key, option, each) for option, each in _others(config).items()]
    whole = [column if time is None else _timestamp(column) for column, time in own]
    columns = [*whole, *(each.column for each in elsewhere)]
    kinds = {column.kind for column in columns}
    are_row_versions = all(is_row_version(column, engine_of(engine.dialect)) for column in columns)
    if not are_row_versions and (len(kinds) > 1 or not kinds <= _KINDS):
        told = ", ".join(f"{column.name} ({column.kind.value})" for column in columns)
        raise TapConfigError(
            f"replication_key: of {told} none can be said to be the latest; name times, or numbers, of one kind"
        )
    named = [*names, *map(_named, elsewhere)]
    column = replace(
        whole[0], name=f"the latest of {', '.join(named)}", nullable=all(each.nullable for each in whole), comment=None
    )
    return ChangedAt(column, tuple(own), tuple(elsewhere))


def _named(each: Elsewhere) -> str:
    """For people, and so that a bookmark under another filter is not used."""
    return f"{each.table}.{each.column.name}" + ("" if each.filter is None else f" where {each.filter}")


def _own(connection: sa.Connection, orders: Reflected, name: str, table: str) -> tuple[Column, Column | None]:
    option = "replication_key"
    date, beside, time = name.partition(_BESIDE)
    if name in orders.columns or not beside:
        (column,) = settle(connection, orders, [find_column(orders.columns, name, option, table)], option, table)
        return column, None
    day, clock = (find_column(orders.columns, part.strip(), option, table) for part in (date, time))
    if day.kind not in {Kind.DATE, Kind.NAIVE_TIME} or clock.kind not in TIME_PARTS:
        raise TapConfigError(
            f"{option}: {name!r} is no date with a time beside it: {day.name} is of kind {day.kind.value}, "
            f"{clock.name} of kind {clock.kind.value}"
        )
    (day,) = settle(connection, orders, [day], option, table)
    return day, clock


def _timestamp(date: Column) -> Column:
    """The column that a date is with the time beside it."""
    return replace(date, type=sa.DateTime(), kind=Kind.NAIVE_TIME, exact_type=None)


def _others(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The other tables, by the settings that name them."""
    lines = config.get("lines") or {}
    others = {f"changes_in[{number}]": each for number, each in enumerate(config.get("changes_in") or ())}
    return others | ({"lines": lines} if lines.get("replication_key") else {})


def _elsewhere(
    engine: sa.Engine,
    connection: sa.Connection,
    key: Sequence[Column],
    option: str,
    each: Mapping[str, Any],
) -> Elsewhere:
    for name in ("table", "replication_key"):
        if not each.get(name):
            raise TapConfigError(f"{option}.{name}: name the {'table' if name == 'table' else 'column of its changes'}")
    table = each["table"]
    found = reflect(sa.inspect(connection), table, f"{option}.table", engine)
    setting = f"{option}.replication_key"
    (column,) = settle(
        connection, found, [find_column(found.columns, each["replication_key"], setting, table)], setting, table
    )
    parent = find_parent(found.columns, each.get("parent_key"), key, f"{option}.parent_key", table)
    return Elsewhere(found.name, found.schema, parent, column, each.get("filter") or None)
