"""The first pages of a first load: they are planned while there is no ack yet, and read while thousands are written."""

from __future__ import annotations

import sqlalchemy as sa

from benchmarks.orders import make_orders
from orders_sync.checks.query_plans import explain
from sync_databases.database_clock import database_now
from sync_databases.value_sql import value_sql_for
from sync_ledger.ledger import Ledger
from tap_legacy_orders.connections import reading
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

ORDERS = 30_000


def test_a_first_page_finds_acks_by_their_key_on_postgresql(postgresql_url: str) -> None:
    make_orders(postgresql_url, ORDERS)
    ledger = Ledger.open(postgresql_url)
    ledger.ensure_tables()
    ledger.close()
    tap = TapLegacyOrders(config={"sqlalchemy_url": postgresql_url, "orders_table": "orders"})
    assert tap.ledger.tables.ack.name == "zoho_sync_ack"
    database = value_sql_for(tap.engine.dialect)
    table = tap.orders_table
    queries = UnsyncedQueries(table, database, tap.stream_name, table.columns, tap.ledger.tables.ack)
    with reading(tap.engine) as connection:
        newest = connection.execute(queries.newest(None)).scalar_one()
        page = queries.range_page(None, newest, None, 25_000, database_now(connection))
        plan = explain(connection, page)
    acks = plan.of("zoho_sync_ack")
    assert acks is not None
    assert acks.index == "zoho_sync_ack_pkey"
    orders = plan.of("o")
    assert orders is not None
    assert orders.index == "ix_orders_updated_at"


def test_sessions_are_as_ever_once_there_are_acks(postgresql_url: str) -> None:
    make_orders(postgresql_url, ORDERS)
    ledger = Ledger.open(postgresql_url)
    ledger.ensure_tables()
    with ledger.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO zoho_sync_ack (stream, record_key, version, status, attempts, acked_at) "
            "SELECT 'orders', order_id, updated_at::text, 'synced', 1, now() FROM orders"
        )
    ledger.close()
    tap = TapLegacyOrders(config={"sqlalchemy_url": postgresql_url, "orders_table": "orders"})
    assert tap.ledger is not None
    with reading(tap.engine) as connection:
        assert connection.execute(sa.text("SHOW enable_seqscan")).scalar_one() == "on"
