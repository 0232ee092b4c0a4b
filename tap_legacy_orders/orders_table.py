"""The table or view with the orders: its columns, and which of them are key, replication key and version.

What the settings leave open is found in the database; where there is no one choice, the error names the candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError

from sync_databases.columns import Column
from sync_databases.engines import engine_of
from sync_databases.page_order import UnfitColumnError, settled
from sync_databases.reflection import columns_of, primary_key, table_names
from sync_databases.stored_types import with_stored_types
from sync_ledger.partitions import WHOLE, Partition
from tap_legacy_orders.change_columns import likely_change_columns, sure_change_columns
from tap_legacy_orders.change_detection import asks_for_content
from tap_legacy_orders.partition_setting import read_partition
from tap_legacy_orders.sync_flag import FlagColumns, check_flag, wanted_flag
from tap_legacy_orders.tap_errors import TapConfigError, where


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
    """Whether no column says what changed: all orders are compared, and the key stands for the replication key."""
    has_ties: bool = False
    """Whether orders of different keys may compare as equal: letters that are folded, and no constraint against it."""

    @property
    def version_is_replication(self) -> bool:
        """True when the version is the replication key's own text."""
        return self.version.name == self.replication.name

    def sent(self, columns: Sequence[Column]) -> list[Column]:
        """Those of the columns whose values a flag stands for: all but the flag."""
        return [column for column in columns if self.flag is None or column.name != self.flag.name]

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
    changes = None if asks_for_content(config) else _replication(every, config, table)
    (replication,) = settle(connection, reflected, [changes or key[0]], "replication_key", table)
    version = replication
    if config.get("version_column"):
        version = find_column(every, config["version_column"], "version_column", table)
    wanted = set(config.get("columns") or every)
    for column in sorted(wanted):
        find_column(every, column, "columns", table)
    wanted |= {column.name for column in (*key, replication)}
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
        by_content=changes is None,
        has_ties=any(column.folds for column in key) and not _is_unique(inspector, reflected, key),
        source_name=name if schema in {None, inspector.default_schema_name} else f"{schema}.{name}",
    )
    if found.flag_columns is not None:
        check_flag(found.flag_columns, engine_of(engine.dialect))
    return found


@dataclass(frozen=True, slots=True)
class Reflected:
    """A table or view as the database describes it."""

    name: str
    schema: str | None
    columns: dict[str, Column]
    primary: Sequence[str]


def reflect(inspector: sa.Inspector, text: str, setting: str, engine: sa.Engine) -> Reflected:
    """Look up the table or view that the text of a setting names.

    Raises:
        TapConfigError: there is none; the message names similar ones.
    """
    name, schema = _locate(inspector, text, setting, engine.url)
    try:
        columns = columns_of(inspector, name, schema)
    except NoSuchTableError:
        raise TapConfigError(_missing_table(inspector, text, setting, engine.url)) from None
    primary = primary_key(inspector, name, schema)
    return Reflected(name, schema, columns, primary)


def _locate(inspector: sa.Inspector, text: str, setting: str, url: sa.URL) -> tuple[str, str | None]:
    """Split `schema.table`, unless the table's own name has a dot."""
    schema, _, name = text.rpartition(".")
    candidates = [(text, None), (name, schema)] if schema else [(text, None)]
    for table, owner in candidates:
        if table in _objects(inspector, owner):
            return table, owner
    raise TapConfigError(_missing_table(inspector, text, setting, url))


def _objects(inspector: sa.Inspector, schema: str | None) -> list[str]:
    if schema is not None and schema not in inspector.get_schema_names():
        return []
    return table_names(inspector, schema)


def _missing_table(inspector: sa.Inspector, text: str, setting: str, url: sa.URL) -> str:
    schema, _, name = text.rpartition(".")
    names = [n for n in _objects(inspector, schema or None) if not n.startswith("zoho_sync_")]
    if schema and not names:
        schemas = ", ".join(sorted(inspector.get_schema_names()))
        return f"{setting}: there is no table {text!r} in {where(url)}; it has the schemas {schemas}"
    close = get_close_matches(name or text, names, n=5, cutoff=0.4) or sorted(names)[:10]
    hint = f"did you mean {', '.join(close)}?" if close else "it has no tables that this user may see"
    return f"{setting}: there is no table or view {text!r} in {where(url)}; {hint}"


def find_column(every: Mapping[str, Column], name: str, setting: str, table: str) -> Column:
    """Find a column by its name.

    Raises:
        TapConfigError: there is none; the message names similar ones.
    """
    if name in every:
        return every[name]
    folded = {column.casefold(): column for column in every}
    close = get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    hint = ", ".join(folded[match] for match in close) if close else ", ".join(every)
    raise TapConfigError(f"{setting}: {table} has no column {name!r}; it has {hint}")


def find_key(
    every: Mapping[str, Column], setting: Any, primary: Sequence[str], table: str, option: str = "key_column"
) -> tuple[Column, ...]:
    """Find the columns that identify a row: those that `setting` names, else the primary key.

    Raises:
        TapConfigError: no such columns, or none that can be a key.
    """
    what = "an order" if option == "key_column" else "a line"
    names = listed(setting, option) or list(primary)
    if not names:
        raise TapConfigError(
            f"{option}: {table} has no primary key; name the column that identifies {what}: {', '.join(every)}"
        )
    return tuple(find_column(every, name, option, table) for name in names)


def settle(
    connection: sa.Connection, reflected: Reflected, columns: Sequence[Column], option: str, table: str
) -> tuple[Column, ...]:
    """Ask the database for what must be known of keys and positions.

    Raises:
        TapConfigError: a column can be none; `option` is the setting that names it.
    """
    try:
        return tuple(settled(connection, reflected.name, reflected.schema, columns))
    except UnfitColumnError as error:
        raise TapConfigError(f"{option}: {str(error).format(table=table)}") from error


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


def listed(setting: str | Sequence[str] | None, option: str) -> list[str]:
    """Read one name or a list of them; an environment variable holds the list as JSON.

    Raises:
        TapConfigError: the text looks like a list and is none.
    """
    if isinstance(setting, str) and setting.startswith("["):
        try:
            return msgspec.json.decode(setting, type=list[str])
        except msgspec.MsgspecError as error:
            raise TapConfigError(f"{option}: {setting} is no JSON list of column names") from error
    return [setting] if isinstance(setting, str) else list(setting or ())


def _replication(every: Mapping[str, Column], config: Mapping[str, Any], table: str) -> Column | None:
    """The column that says when an order changed; None where there is none, and contents can take its place."""
    setting = config.get("replication_key")
    if setting:
        return find_column(every, setting, "replication_key", table)
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
