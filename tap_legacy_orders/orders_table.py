"""The table or view with the orders: its columns, and which of them are key, replication key and version.

What the settings leave open is found in the database; where there is no one choice, the error names the candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from sync_databases.columns import Column
from sync_databases.engines import engine_of
from sync_databases.stored_types import with_stored_types
from sync_databases.value_sql import Element, ValueSql
from sync_ledger.partitions import WHOLE, Partition
from tap_legacy_orders.change_columns import likely_change_columns, sure_change_columns
from tap_legacy_orders.change_detection import asks_for_content, content_every
from tap_legacy_orders.changed_at import LABEL, ChangedAt, find_changed_at, is_of_several
from tap_legacy_orders.filtered_rows import filtered
from tap_legacy_orders.named_tables import Reflected, chosen_columns, find_column, find_key, listed, reflect, settle
from tap_legacy_orders.partition_setting import read_partition
from tap_legacy_orders.sync_flag import FlagColumns, check_flag, wanted_flag
from tap_legacy_orders.tap_errors import TapConfigError


@dataclass(frozen=True)
class OrdersTable:
    """The orders' table as the tap reads it."""

    name: str
    schema: str | None
    is_view: bool
    columns: tuple[Column, ...]
    """Those that records carry, in the table's order."""
    key: tuple[Column, ...]
    replication: Column
    """When an order changed; a column of the table unless `changed_at` is set."""
    version: Column
    """What the version text is made of: the replication key unless a version column is set."""
    filter: str | None = None
    partition: Partition = WHOLE
    """The share of its keys that is read."""
    flag: Column | None = None
    """The column that shows whether an order is synced, where the tap uses one."""
    other_columns: tuple[str, ...] = ()
    """The names of those that records do not carry."""
    source_name: str = ""
    """The table's name, with its schema unless that is the connection's own."""
    notified_by: str = ""
    """The table whose trigger notifies of changes."""
    by_content: bool = False
    """Whether all orders are compared: no column says what changed, or all of it; pages go by the key."""
    changed_at: ChangedAt | None = None
    """What the replication key is made of, where it is the latest of several columns."""
    content_every: timedelta | None = None
    """How often all orders are compared by content; None: in each run."""
    has_ties: bool = False
    """Whether orders of different keys may compare as equal: letters that are folded, and no constraint against it."""

    @property
    def version_is_replication(self) -> bool:
        """True when the version is the replication key's own text."""
        return self.version.name == self.replication.name

    @property
    def must_sort(self) -> bool:
        """Whether changes are found by the order of the replication key alone, and its texts may be times."""
        in_key = self.replication.name in [column.name for column in self.key]
        return not (in_key or self.by_content or self.flag is not None)

    @property
    def only_of_tap(self) -> dict[str, str]:
        """Columns by which the tap finds what changed, each with its setting; no field need take them.

        Where nothing else needs them, each touch would be a change of the record.
        """
        names = {} if self.version_is_replication else {self.version.name: "version_column"}
        if not self.by_content:
            names[self.replication.name] = "replication_key"
        if self.flag is not None:
            names[self.flag.name] = "sync_flag_column"
        return names

    def sent(self, columns: Sequence[Column]) -> list[Column]:
        """Those of the columns whose values a flag stands for: all but the flag."""
        return [column for column in columns if self.flag is None or column.name != self.flag.name]

    def rows(self, database: ValueSql, columns: Sequence[Column]) -> sa.FromClause:
        """The orders in SQL, with these columns and those that are gone by.

        Whatever a filter names cannot meet the names of other tables.
        """
        gone_by = [each for each in (self.replication, self.version, self.flag) if each and not self._is_computed(each)]
        parts = [] if self.changed_at is None else self.changed_at.needed
        names = {column.name: None for column in (*columns, *self.key, *parts, *gone_by)}
        orders = sa.table(self.name, *map(sa.column, names), schema=self.schema)
        computed = [] if self.changed_at is None else [self.changed_at.expression(database, orders, self.key)]
        return filtered(orders, self.filter, "o", *(each.label(LABEL) for each in computed))

    def element(self, rows: sa.FromClause, column: Column) -> Element:
        """A column of `rows`; also the one that stands for several."""
        return rows.c[LABEL if self._is_computed(column) else column.name]

    def _is_computed(self, column: Column) -> bool:
        return self.changed_at is not None and column == self.changed_at.column

    @property
    def by_key_alone(self) -> OrdersTable:
        """The same table for statements that look orders up by key: nothing is computed for them."""
        return replace(self, changed_at=None, replication=self.key[0], version=self.key[0])

    @property
    def flag_columns(self) -> FlagColumns | None:
        """The flag with the columns that it is set by; None where there is none."""
        if self.flag is None:
            return None
        return FlagColumns(
            table=self.name,
            schema=self.schema,
            is_view=self.is_view,
            key=self.key,
            replication=self.replication,
            version=self.version,
            flag=self.flag,
        )


def find_orders_table(engine: sa.Engine, connection: sa.Connection, config: Mapping[str, Any]) -> OrdersTable:
    """Reflect the table that the settings name.

    Raises:
        TapConfigError: no such table or column, or no one choice for a key.
    """
    table = config["orders_table"]
    inspector = sa.inspect(connection)
    reflected = reflect(inspector, table, "orders_table", engine)
    name, schema, every = reflected.name, reflected.schema, reflected.columns
    named = find_key(every, config.get("key_column"), reflected.primary, table)
    key = settle(connection, reflected, named, "key_column", table)
    asked = asks_for_content(config)
    changed_at = _several(engine, connection, reflected, key, config)
    changes = (
        None if changed_at or (asked and not config.get("replication_key")) else _replication(every, config, table)
    )
    if changed_at is not None:
        version = changed_at.column
    else:
        (version,) = settle(connection, reflected, [changes or key[0]], "replication_key", table)
    replication = key[0] if asked else version
    by_content = asked or (changes is None and changed_at is None)
    if config.get("version_column"):
        version = find_column(every, config["version_column"], "version_column", table)
    wanted = chosen_columns(every, config, table)
    needed = {column.name for column in (*key, *(() if changed_at else (changes or key[0],)))}
    kept = needed & set(config.get("exclude") or ())
    if kept:
        raise TapConfigError(f"exclude: {', '.join(sorted(kept))} of {table} is key or replication key, always sent")
    wanted |= needed
    flag = wanted_flag(config)
    found = OrdersTable(
        name=name,
        schema=schema,
        is_view=name in inspector.get_view_names(schema),
        columns=with_stored_types(connection, name, schema, (c for c in every.values() if c.name in wanted)),
        key=key,
        replication=replication,
        version=version,
        filter=config.get("filter") or None,
        partition=read_partition(config.get("partition")),
        flag=None if flag is None else find_column(every, flag, "sync_flag_column", table),
        other_columns=tuple(column for column in every if column not in wanted),
        notified_by=(config.get("notify_table") or name).rpartition(".")[2],
        by_content=by_content,
        changed_at=changed_at,
        content_every=content_every(config, column=None if by_content else replication.name),
        has_ties=any(column.folds for column in key) and not _is_unique(inspector, reflected, key),
        source_name=name if schema in {None, inspector.default_schema_name} else f"{schema}.{name}",
    )
    if changed_at is not None and flag is not None:
        raise TapConfigError("sync_flag_column: a flag stands for one replication key, and several columns are named")
    if found.flag_columns is not None:
        check_flag(found.flag_columns, engine_of(engine.dialect))
    return found


def _is_unique(inspector: sa.Inspector, reflected: Reflected, key: Sequence[Column]) -> bool:
    """Whether the database lets no two rows have keys that it takes for equal."""
    names = {column.name for column in key}
    if reflected.primary and names >= set(reflected.primary):
        return True
    return any(
        index.get("unique")
        and None not in index["column_names"]
        and names >= set(index["column_names"])
        and not any(
            option.endswith("_where") and value is not None
            for option, value in index.get("dialect_options", {}).items()
        )
        for index in inspector.get_indexes(reflected.name, reflected.schema)
    )


def _several(
    engine: sa.Engine, connection: sa.Connection, orders: Reflected, key: Sequence[Column], config: Mapping[str, Any]
) -> ChangedAt | None:
    """The columns that say when an order changed, where they are several."""
    names = listed(config.get("replication_key"), "replication_key")
    if not is_of_several(names, orders.columns, config):
        return None
    if not names:
        own = _replication(orders.columns, config, config["orders_table"])
        if own is None and asks_for_content(config):
            return None
        if own is None:
            raise TapConfigError("replication_key: name the orders' own column of changes beside those of other tables")
        names = [own.name]
    return find_changed_at(engine, connection, orders, key, names, config)


def _replication(every: Mapping[str, Column], config: Mapping[str, Any], table: str) -> Column | None:
    """The column that says when an order changed; None where there is none, and contents can take its place."""
    for name in listed(config.get("replication_key"), "replication_key"):
        return find_column(every, name, "replication_key", table)
    found = sure_change_columns(every.values())
    if len(found) == 1:
        return found[0]
    if found:
        raise TapConfigError(f"replication_key: {table} has several candidates, name one: {_names(found)}")
    why = next((why for option, why in _NEEDS_A_COLUMN.items() if config.get(option)), None)
    if why is None:
        return None
    likely = likely_change_columns(every.values())
    hint = f"perhaps {_names(likely)}" if likely else f"no name looks like one: it has {', '.join(every)}"
    raise TapConfigError(
        f"replication_key: {table} has no column named like updated_at or modified_at; name the one that is set at "
        f"each change of an order ({hint}): {why}. A date of business, such as order_date, stays as it is when the "
        "order changes: with it changes are lost"
    )


_NEEDS_A_COLUMN = {
    "follow": "`follow` looks for what is new by it, and without it all orders would be compared every few seconds",
    "sync_flag_column": "a flag alone does not say which change it stands for",
}


def _names(columns: Iterable[Column]) -> str:
    return ", ".join(column.name for column in columns)
