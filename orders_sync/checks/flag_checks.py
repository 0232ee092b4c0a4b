"""The flag column of `unsynced_by: sync_flag`: whether both plugins use one table, may set it, and find it quickly."""

from __future__ import annotations

from contextlib import closing

import sqlalchemy as sa

from orders_sync.checks.findings import Findings, Result
from orders_sync.config_sources.database_urls import display_url, place_of
from sync_databases.columns import Column
from sync_databases.flags import FlaggedTable, index_columns, index_statement
from sync_databases.value_sql import value_sql_for
from tap_legacy_orders.connections import fetch_rows, reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.sync_flag import flagged_table
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_queries import UnsyncedQueries
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.confirmation.sync_flags import SyncFlags
from target_zoho_crm.settings import Settings
from target_zoho_crm.target import TargetZohoCRM

SUBJECT = "Sync flag"
INDEX = "Index of the sync flag"


def check_flag_column(
    findings: Findings, tap: TapLegacyOrders | None, target: TargetZohoCRM | None, table: OrdersTable | None
) -> None:
    """Check the flag, where the tap uses one; changes nothing."""
    flagged = None if table is None else flagged_table(table.flag_columns)
    if tap is None or table is None or table.flag is None or flagged is None:
        return
    if target is None:
        findings.skip([SUBJECT], "the settings of the target are missing")
    else:
        findings.check(SUBJECT, lambda: (_rehearsed(tap, target, table, flagged), True))
    if not table.is_view:
        _check_index(findings, tap, table, table.flag)


def _rehearsed(tap: TapLegacyOrders, target: TargetZohoCRM, table: OrdersTable, flagged: FlaggedTable) -> str:
    settings = Settings.read(target.config)
    where, here = settings.orders_url or settings.ack_url, tap.config["sqlalchemy_url"]
    if place_of(where, None) != place_of(here, None):
        raise configuration_error(
            OwnCode.SYNC_FLAG_NOT_WRITABLE,
            f"Orders are read from {display_url(here, None)}, flags set in {display_url(where, None)}.",
        )
    queries = UnsyncedQueries(table, value_sql_for(tap.engine.dialect), tap.stream_name, table.columns, None)
    with reading(tap.engine) as connection:
        order = dict(fetch_rows(connection, queries.any_unflagged()))
    with closing(SyncFlags.open(settings.flags_url, settings.sync_flag_column, tap.stream_name, flagged)) as flags:
        flags.rehearse(order)
    tried = "set for one order, and taken back" if order else "no order has it unset, so it was not tried"
    return f"{flagged.flag} may be set; {tried}"


def _check_index(findings: Findings, tap: TapLegacyOrders, table: OrdersTable, flag: Column) -> None:
    with reading(tap.engine) as connection:
        indexes = sa.inspect(connection).get_indexes(table.name, table.schema)
    for index in indexes:
        partial = " ".join(str(value) for name, value in index.get("dialect_options", {}).items() if "where" in name)
        if index["column_names"][:1] == [flag.name] or flag.name in partial:
            findings.add(INDEX, Result.OK, f"{index['name']}")
            return
    database = value_sql_for(tap.engine.dialect)
    columns = index_columns(database, flag.name, table.replication.name, [column.name for column in table.key])
    statement = index_statement(database, sa.table(table.name, schema=table.schema), flag, columns)
    findings.add(
        INDEX,
        Result.WARNING,
        f"no index finds the orders with {flag.name} unset; every run reads the complete table",
        f"Make one: {statement}",
    )
