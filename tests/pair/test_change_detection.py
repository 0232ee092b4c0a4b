"""A table without a column that says when an order changed: contents are compared, and every change arrives."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from engine_fixtures import fresh_database
from pair_of_plugins import COMPARED, ORDERS, Shop

from orders_sync.cli import main
from sync_ledger.ledger import Ledger
from sync_processes.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoho_crm_emulator.control import EmulatorProcess


def without_times(shop: Shop) -> Shop:
    """Take the column of the last change away."""
    shop.tap_config["page_size"] = 4
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_orders_updated_at" + (" ON orders" * (shop.engine.name == "mysql")))
        connection.exec_driver_sql("ALTER TABLE orders DROP COLUMN updated_at")
    return shop


def insert(shop: Shop, *keys: str, **values: object) -> None:
    rows = [{"order_id": key, "customer_name": f"of {key}", "status": "New", **values} for key in keys]
    names = [sa.column(name) for name in rows[0]]
    with shop.engine.begin() as connection:
        connection.execute(sa.insert(sa.table("orders", *names)), rows)


def change(shop: Shop, key: str, **values: object) -> None:
    table = sa.table("orders", sa.column("order_id"), *map(sa.column, values))
    with shop.engine.begin() as connection:
        connection.execute(sa.update(table).where(table.c.order_id == key).values(values))


@pytest.fixture(params=["beside", "elsewhere"])
def undated(
    request: pytest.FixtureRequest, engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> Iterator[Shop]:
    """A shop without a column of changes; its ledger beside the orders, or in a file of its own."""
    with fresh_database("sqlite", tmp_path) as elsewhere:
        shop = Shop(engine_url, zoho_emulator, tmp_path, elsewhere if request.param == "elsewhere" else "")
        yield without_times(shop)
        shop.engine.dispose()


def test_every_change_arrives_and_what_did_not_change_costs_nothing(undated: Shop) -> None:
    keys = [f"SO-{number:02}" for number in range(11)]
    insert(undated, *keys)
    ended = undated.run()
    assert ended.summary["synced"] == 11
    assert "Comparing all 11 orders of orders by content" in ended.err
    spent = undated.written_credits()
    assert undated.run().summary["read"] == 0
    assert undated.written_credits() == spent
    change(undated, "SO-03", status="Paid")
    change(undated, "SO-10", customer_name="Zoë")
    insert(undated, "SO-04b", "A-1")  # behind, and before, where the last run came to
    assert undated.run().summary["synced"] == 4
    crm = undated.crm()
    assert (crm["SO-03"]["Status"], crm["SO-10"]["Customer_Name"], len(crm)) == ("Paid", "Zoë", 13)
    change(undated, "SO-03", status="New")  # as it was at first
    assert undated.run().summary["synced"] == 1
    assert undated.crm()["SO-03"]["Status"] == "New"
    assert undated.run().summary["read"] == 0


def test_deletions_are_found_without_dates_too(shop: Shop) -> None:
    without_times(shop)
    shop.tap_config["find_deleted"] = True
    shop.target_config |= {"on_delete": "delete", "max_delete_percent": 100}
    insert(shop, "SO-1", "SO-2", "SO-3")
    shop.run()
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders WHERE order_id = 'SO-2'")
    assert shop.run().code == ExitCode.OK
    assert sorted(shop.crm()) == ["SO-1", "SO-3"]


def test_contents_can_be_compared_although_there_is_a_column_of_changes(shop: Shop) -> None:
    shop.tap_config["change_detection"] = "content"
    shop.insert(["SO-1", "SO-2"])
    assert shop.run().summary["synced"] == 2
    with shop.engine.begin() as connection:  # by a program that leaves the column alone
        connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == "SO-1").values(notes="changed"))
    assert shop.run().summary["synced"] == 1
    assert shop.crm()["SO-1"]["Notes"] == "changed"


def test_a_stream_that_went_by_a_column_goes_on_by_contents_and_loses_nothing(shop: Shop) -> None:
    shop.insert(["SO-1", "SO-2", "SO-3"])
    assert shop.run().summary["synced"] == 3
    without_times(shop)
    shop.run()
    change(shop, "SO-2", notes="changed")
    shop.run()
    assert shop.crm()["SO-2"]["Notes"] == "changed"
    assert shop.run().summary["read"] == 0


@pytest.mark.parametrize("other", [{"columns": [*COMPARED]}, {"timezone": "Europe/Berlin"}], ids=["columns", "zone"])
def test_changes_are_found_after_a_change_of_what_is_read(undated: Shop, other: dict[str, Any]) -> None:
    """Acks know the orders with what is no longer read so: nothing but another content could tell of a change."""
    naive = "TIMESTAMP" if undated.engine.name == "postgresql" else "DATETIME"
    with undated.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN packed_on " + naive)
    insert(undated, "SO-1", "SO-2", "SO-3", packed_on=datetime(2026, 1, 1, 8))  # noqa: DTZ001 - the column is naive
    assert undated.run().summary["synced"] == 3
    undated.tap_config |= other
    change(undated, "SO-1", status="Paid")
    ended = undated.run()
    assert ended.summary["synced"] == 1
    assert "3 orders are sent again: their acks know them with columns that are no longer read" in ended.err
    change(undated, "SO-2", status="Paid")
    assert undated.run().summary["synced"] == 1
    assert undated.run().summary["read"] == 0
    assert [undated.crm()[key]["Status"] for key in ("SO-1", "SO-2", "SO-3")] == ["Paid", "Paid", "New"]


def test_changes_are_found_of_orders_that_were_settled_before_the_window(undated: Shop) -> None:
    """Their acks have no content: where a version decided, none was needed."""
    insert(undated, "SO-1", "SO-2", "SO-3")
    undated.tap_config["version_column"] = "notes"
    assert undated.run().summary["synced"] == 3
    ledger = Ledger.open(undated.ack_url)
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.ack).values(content=None))
    ledger.close()
    change(undated, "SO-1", status="Paid")
    assert undated.run().summary["synced"] == 1
    assert undated.run().summary["read"] == 0


@pytest.mark.parametrize("acks", ["", "acks.sqlite"])
def test_changes_are_found_whatever_storage_classes_the_keys_have(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, acks: str
) -> None:
    shop = Shop(sqlite_url, zoho_emulator, tmp_path, acks and f"sqlite:///{tmp_path / acks}")
    shop.tap_config |= {"orders_table": "odd", "page_size": 2}
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE odd (id INT PRIMARY KEY, status TEXT)")
        connection.exec_driver_sql(
            "INSERT INTO odd VALUES (1, 'New'), (-5, 'New'), (2.5, 'New'), ('a', 'New'), ('b', 'New'), (x'41', 'New')"
        )
    assert shop.run().summary["synced"] == 6
    assert shop.run().summary["read"] == 0
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE odd SET status = 'Paid'")
    assert shop.run().summary["synced"] == 6
    assert shop.run().summary["read"] == 0
    assert {record["Status"] for record in shop.crm().values()} == {"Paid"}
    shop.engine.dispose()


def test_counts_say_that_changes_are_not_among_them_and_take_no_key_for_a_time(shop: Shop) -> None:
    without_times(shop)
    insert(shop, "2026-01-01 08:00:00", "2026-01-02 08:00:00")
    tap, target = shop.configs()
    files = ["--tap-config", str(tap), "--target-config", str(target)]
    ended = CliRunner().invoke(main, ["plan", *files])
    assert "unsynced: 2" in ended.output
    assert "orders that changed are not among them" in ended.output
    assert "the oldest unsynced" not in ended.output
    shop.tap_config["change_detection"] = "content"
    shop.configs()
    doctor = CliRunner().invoke(main, ["doctor", *files])
    assert "Replication key: none: `change_detection` is content" in doctor.output
