"""`orders-sync doctor` looks at the database's own plan, and its `CREATE INDEX` is one that helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from engine_fixtures import fresh_database
from sqlalchemy.dialects import mssql, oracle

from benchmarks.large_shop import LargeShop
from orders_sync.checks.findings import Finding, Findings
from orders_sync.checks.legacy_checks import check_orders
from orders_sync.checks.reading_checks import helpful_index
from sync_databases.columns import Column, Kind
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders

ROWS = 30_000


@pytest.fixture
def url(engine_url: str) -> str:
    """A table with many orders, all synced, and no index of ours."""
    LargeShop(engine_url, ROWS).make()
    change(engine_url, "DROP INDEX ix_orders_updated_at" + (" ON orders" if "mysql" in engine_url else ""))
    return engine_url


def change(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def found(url: str, **config: Any) -> dict[str, Finding]:
    findings = Findings()
    tap = TapLegacyOrders(config={"sqlalchemy_url": url, "orders_table": "orders", **config})
    check_orders(findings, tap)
    tap.engine.dispose()
    return {finding.subject: finding for finding in findings.all}


def test_without_an_index_it_names_the_one_that_helps_and_with_it_all_is_well(url: str) -> None:
    before = found(url)
    assert before["Reading"].result == before["Replication key"].result == "warning"
    assert "orders row by row" in before["Reading"].message
    statement = before["Reading"].remedy
    assert statement == before["Replication key"].remedy
    assert statement.endswith("ON orders (updated_at, order_id);")
    change(url, statement)
    after = found(url)
    assert after["Reading"].result == after["Replication key"].result == "ok"
    assert "orders by index ix_orders_updated_at" in after["Reading"].message
    assert "zoho_sync_ack by index" in after["Reading"].message
    assert "row by row" not in after["Reading"].message
    if "postgresql" in url:
        assert "cost " in after["Reading"].message


def test_a_filter_and_a_partition_leave_the_plan_as_it_is(url: str) -> None:
    change(url, found(url)["Reading"].remedy)
    message = found(url, filter="status <> 'Draft'", partition={"index": 2, "of": 4})["Reading"].message
    assert "orders by index ix_orders_updated_at" in message


def test_a_ledger_elsewhere_and_a_view_are_told_too(url: str, tmp_path: Path) -> None:
    with fresh_database("sqlite", tmp_path) as other:
        assert "zoho_sync_ack" not in found(url, ack_url=other)["Reading"].message
    change(url, "CREATE VIEW shown AS SELECT * FROM orders")
    view = found(url, orders_table="shown", key_column="order_id")
    assert "orders row by row" in view["Reading"].message
    assert "CREATE INDEX" not in view["Reading"].remedy


def test_the_index_has_the_change_column_and_then_all_of_a_key_of_texts(engine_url: str) -> None:
    table = "CREATE TABLE orders (shop_no INTEGER, order_no TEXT NOT NULL, changed_at TIMESTAMP NULL, note TEXT)"
    change(engine_url, table, "INSERT INTO orders VALUES (1, 'A', '2026-01-01', NULL), (1, 'B', '2026-01-02', NULL)")
    config: dict[str, Any] = {"key_column": ["shop_no", "order_no"], "replication_key": "changed_at"}
    statement = found(engine_url, **config)["Replication key"].remedy
    beginning = "(255)" if "mysql" in engine_url or "mariadb" in engine_url else ""
    assert statement.endswith(f"ON orders (changed_at, shop_no, order_no{beginning});")
    change(engine_url, statement)
    assert found(engine_url, **config)["Replication key"].result == "ok"


@pytest.mark.parametrize("dialect", [mssql.dialect(), oracle.dialect()], ids=["mssql", "oracle"])
def test_the_index_is_written_for_engines_that_are_not_asked(dialect: sa.Dialect) -> None:
    number = Column("order no", sa.BigInteger(), Kind.INTEGER, nullable=False)
    note = Column("note", sa.Text(), Kind.TEXT, nullable=False)
    changed = Column("updated_at", sa.DateTime(), Kind.NAIVE_TIME, nullable=False)
    table = OrdersTable(
        name="orders",
        schema="sales",
        is_view=False,
        columns=(number, note, changed),
        key=(note, number),
        replication=changed,
        version=changed,
    )
    statement = helpful_index(table, dialect).replace("[", '"').replace("]", '"')
    owner = "sales." if dialect.name == "oracle" else ""
    assert statement == f'CREATE INDEX {owner}ix_orders_updated_at ON sales.orders (updated_at, "order no");'
