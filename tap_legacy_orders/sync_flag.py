"""`unsynced_by: sync_flag`: a flag column of the orders' table says which orders are unsynced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from sync_databases.columns import Column, is_row_version
from sync_databases.engines import Engine
from sync_databases.flags import FlaggedTable, is_flag
from tap_legacy_orders.tap_errors import TapConfigError

if TYPE_CHECKING:
    from tap_legacy_orders.orders_table import OrdersTable

ACK_TABLE = "ack_table"
SYNC_FLAG = "sync_flag"

PROPERTIES = (
    th.Property(
        "unsynced_by",
        th.StringType,
        default=ACK_TABLE,
        allowed_values=[ACK_TABLE, SYNC_FLAG],
        title="Unsynced by",
        description="What tells that an order is unsynced: the ledger alone, or `sync_flag_column` (docs/sync-flag.md)",
    ),
    th.Property(
        "sync_flag_column",
        th.StringType,
        title="Sync flag column",
        description="The column that the shop resets with each change of an order, and the target sets",
    ),
)


def wanted_flag(config: Mapping[str, Any]) -> str | None:
    """Name the column that the settings want for a flag; None where the ledger alone tells.

    Raises:
        TapConfigError: a flag is wanted, and no column is named.
    """
    if config.get("unsynced_by", ACK_TABLE) != SYNC_FLAG:
        return None
    if not config.get("sync_flag_column"):
        raise TapConfigError("sync_flag_column: `unsynced_by` is sync_flag; name the column that holds the flag")
    name: str = config["sync_flag_column"]
    return name


def check_flag(table: OrdersTable, flag: Column, engine: Engine) -> None:
    """Make sure that a column can be the flag of its table.

    Raises:
        TapConfigError: it cannot, or the table cannot be written.
    """
    if not is_flag(flag):
        raise TapConfigError(
            f"sync_flag_column: {flag.name!r} of {table.name} is of type {flag.type}, which is no flag; name a "
            "boolean, a number (0 and 1) or a text (N and Y)"
        )
    if flag.name in {column.name for column in (*table.key, table.replication, table.version)}:
        raise TapConfigError(f"sync_flag_column: {flag.name!r} is key, replication key or version of {table.name}")
    if is_row_version(table.version, engine):
        raise TapConfigError(
            f"version_column: {table.version.name!r} changes whenever the flag is set; name another, or leave "
            "`unsynced_by` at ack_table"
        )
    if table.is_view and not engine.views_take_updates:
        raise TapConfigError(f"orders_table: {table.name} is a view, in which SQLite sets no flag; name the table")


def flagged_table(table: OrdersTable) -> FlaggedTable | None:
    """What the target must know to set the flag; None where the tap goes by none."""
    if table.flag is None:
        return None
    return FlaggedTable(
        table=table.name,
        schema=table.schema,
        key=tuple(column.name for column in table.key),
        version=table.version.name,
        flag=table.flag.name,
    )
