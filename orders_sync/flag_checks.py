"""The flag column of `unsynced_by: sync_flag`: whether both mean it, it may be set, stays set, and has its index."""

from __future__ import annotations

from contextlib import closing

import sqlalchemy as sa

from orders_sync.database_urls import place_of, shown
from orders_sync.findings import Examination, Verdict
from sync_databases.columns import Column
from sync_databases.databases import database_for
from sync_databases.flags import index_columns, index_statement
from tap_legacy_orders.connections import fetch_rows, reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.sync_flag import announcement
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_queries import UnsyncedQueries
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.confirmation.sync_flags import SyncFlags
from target_zoho_crm.settings import Settings
from target_zoho_crm.target import TargetZohoCRM

SUBJECT = "Sync flag"
INDEX = "Index of the sync flag"


def examine_flag(
    examination: Examination, tap: TapLegacyOrders | None, target: TargetZohoCRM | None, table: OrdersTable | None
) -> None:
    """Look at the flag, where the tap goes by one; changes nothing."""
    if tap is None or table is None or table.flag is None:
        return
    if target is None:
        examination.skip([SUBJECT], "the settings of the target are missing")
    else:
        examination.look(SUBJECT, lambda: (_rehearsed(tap, target, table), True))
    if not table.is_view:
        _examine_index(examination, tap, table, table.flag)


def _rehearsed(tap: TapLegacyOrders, target: TargetZohoCRM, table: OrdersTable) -> str:
    settings = Settings.read(target.config)
    where, here = settings.orders_url or settings.ack_url, tap.config["sqlalchemy_url"]
    if place_of(where, None) != place_of(here, None):
        raise configuration_error(
            OwnCode.SYNC_FLAG_NOT_WRITABLE,
            f"Orders are read from {shown(here, None)}, flags set in {shown(where, None)}.",
        )
    queries = UnsyncedQueries(table, database_for(tap.engine.dialect), tap.stream_name, table.columns, None)
    with reading(tap.engine) as connection:
        order = dict(fetch_rows(connection, queries.any_unflagged()))
    with closing(SyncFlags.open(settings, tap.stream_name, announcement(table))) as flags:
        flags.rehearse(order)
    tried = "set for one order, and taken back" if order else "no order has it unset, so it was not tried"
    return f"{table.flag.name if table.flag else ''} may be set; {tried}"


def _examine_index(examination: Examination, tap: TapLegacyOrders, table: OrdersTable, flag: Column) -> None:
    with reading(tap.engine) as connection:
        indexes = sa.inspect(connection).get_indexes(table.name, table.schema)
    for index in indexes:
        partial = " ".join(str(value) for name, value in index.get("dialect_options", {}).items() if "where" in name)
        if index["column_names"][:1] == [flag.name] or flag.name in partial:
            examination.add(INDEX, Verdict.FITS, f"{index['name']}")
            return
    database = database_for(tap.engine.dialect)
    columns = index_columns(database, flag.name, table.replication.name, [column.name for column in table.key])
    statement = index_statement(database, sa.table(table.name, schema=table.schema), flag, columns)
    examination.add(
        INDEX,
        Verdict.WARNING,
        f"no index tells which orders have {flag.name} unset; every run reads the whole table",
        f"Make one: {statement}",
    )
