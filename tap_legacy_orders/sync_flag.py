"""`unsynced_by: sync_flag`: a flag column of the orders' table shows which orders are unsynced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from singer_sdk import typing as th

from sync_databases.columns import Column, is_row_version
from sync_databases.engines import Engine
from sync_databases.flags import FlaggedTable, is_flag
from tap_legacy_orders.tap_errors import TapConfigError

ACK_TABLE = "ack_table"
SYNC_FLAG = "sync_flag"

PROPERTIES = (
    th.Property(
        "unsynced_by",
        th.StringType,
        default=ACK_TABLE,
        allowed_values=[ACK_TABLE, SYNC_FLAG],
        title="Unsynced by",
        description="What decides whether an order is unsynced: the ledger, or `sync_flag_column` (docs/database.md)",
    ),
    th.Property(
        "sync_flag_column",
        th.StringType,
        title="Sync flag column",
        description="The column that the shop resets with each change of an order, and the target sets",
    ),
)


@dataclass(frozen=True)
class FlagColumns:
    """The flag, and the columns by which the target finds the row whose flag it sets."""

    table: str
    schema: str | None
    is_view: bool
    key: tuple[Column, ...]
    replication: Column
    version: Column
    flag: Column


def wanted_flag(config: Mapping[str, Any]) -> str | None:
    """Name the column that the settings want for a flag; None where the ledger alone decides.

    Raises:
        TapConfigError: a flag is wanted, and no column is named.
    """
    if config.get("unsynced_by", ACK_TABLE) != SYNC_FLAG:
        return None
    if not config.get("sync_flag_column"):
        raise TapConfigError("sync_flag_column: `unsynced_by` is sync_flag; name the column that holds the flag")
    name: str = config["sync_flag_column"]
    return name


def check_flag(columns: FlagColumns, engine: Engine) -> None:
    """Make sure that the flag can be set.

    Raises:
        TapConfigError: the column is no flag, or the table cannot be written.
    """
    flag, table = columns.flag, columns.table
    if not is_flag(flag):
        raise TapConfigError(
            f"sync_flag_column: {flag.name!r} of {table} is of type {flag.type}, which is no flag; name a "
            "boolean, a number (0 and 1) or a text (N and Y)"
        )
    if flag.name in {column.name for column in (*columns.key, columns.replication, columns.version)}:
        raise TapConfigError(f"sync_flag_column: {flag.name!r} is key, replication key or version of {table}")
    # SQL Server gives a rowversion (TIMESTAMP) a new value with each UPDATE of its row, also of the flag alone.
    if is_row_version(columns.version, engine):
        raise TapConfigError(
            f"version_column: {columns.version.name!r} changes whenever the flag is set; name another, or leave "
            "`unsynced_by` at ack_table"
        )
    if columns.is_view and not engine.views_take_updates:
        raise TapConfigError(f"orders_table: {table} is a view, in which SQLite sets no flag; name the table")


def flagged_table(columns: FlagColumns | None, sent: Sequence[Column] = ()) -> FlaggedTable | None:
    """What the target must know to set the flag; None where the tap uses none. `sent`: the columns that are sent."""
    if columns is None:
        return None
    return FlaggedTable(
        table=columns.table,
        schema=columns.schema,
        key=tuple(column.name for column in columns.key),
        version=columns.version.name,
        flag=columns.flag.name,
        sent=tuple(column.name for column in sent),
    )
