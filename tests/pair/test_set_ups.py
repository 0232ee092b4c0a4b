"""Set-ups that the ledger does not speak of: nothing is written under them, and each refusal names the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from another_set_up import KEYS, assert_refused, loaded, operate
from pair_of_plugins import OPENED, ORDERS, Finished, Shop, differences

from sync_ledger.ledger import Ledger

# Another destination on the same ledger


def test_a_run_to_another_module_key_field_or_org_writes_nothing(shop: Shop) -> None:
    loaded(shop)
    admin = shop.emulator.admin
    admin.add_module("Invoices", [{"api_name": "parent_id", "data_type": "text", "length": 255, "unique": True}])
    admin.add_field("Orders", "Order_Number", "text", length=255, unique=True)
    shop.change(KEYS[:2])
    for config, expected in (
        ({"module": "Invoices"}, "are in module Orders, and `module` is Invoices; if the module was renamed"),
        ({"key_field": "Order_Number"}, "keys in parent_id, and `key_field` is Order_Number; if that is meant"),
    ):
        shop.target_config = {"channel": "upsert", **config}
        assert_refused(shop, expected)
    shop.target_config = {"channel": "upsert"}
    admin.switch(zgid="60099999999")
    assert_refused(shop, "are in org 60012345678, and the token is of 60099999999")
    admin.switch(zgid="60012345678")
    assert shop.run().summary["synced"] == 2
    shop.assert_all_synced()


def test_an_org_that_cannot_be_read_is_not_compared_and_stops_nothing(shop: Shop) -> None:
    shop.emulator.admin.add_fault("org", kind="answer", canned="scope_mismatch")
    shop.target_config = {"channel": "upsert"}
    shop.insert(KEYS)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert sum("The org cannot be read, and is not compared" in line for line in ended.err.splitlines()) == 1
    shop.assert_all_synced()


# Two ledgers, and a ledger restored from a backup


def test_a_run_whose_tap_goes_by_another_ledger_writes_nothing(shop: Shop, tmp_path: Path) -> None:
    loaded(shop)
    shop.change(KEYS)
    shop.target_config["ack_url"] = f"sqlite:///{tmp_path / 'other.sqlite'}"
    assert_refused(shop, "the tap read these orders by another ledger")
    del shop.target_config["ack_url"]
    assert shop.run().summary["synced"] == len(KEYS)
    shop.assert_all_synced()


def test_orders_written_since_the_backup_of_a_restored_ledger_are_looked_at_again(any_shop: Shop) -> None:
    shop = loaded(any_shop)
    backup = saved_ledger(shop)
    shop.change(KEYS[:2])
    shop.insert(["SO-7"])
    assert shop.run().summary["synced"] == 3
    restore_ledger(shop, backup)
    ended = shop.run()
    assert "bookmark is not used: this ledger lacks what it speaks of" in ended.err
    assert ended.summary["synced"] == 3
    shop.assert_all_synced()
    again = shop.run()
    assert "is not used" not in again.err
    assert again.summary["read"] == 0


def test_a_state_of_another_ledger_is_not_believed(shop: Shop, tmp_path: Path) -> None:
    loaded(shop)
    shop.ack_url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    ended = shop.run()
    assert "bookmark is not used: it is of another ledger" in ended.err
    assert ended.summary["synced"] == len(KEYS)
    shop.assert_all_synced()


def saved_ledger(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    ledger = Ledger.open(shop.ack_url)
    with ledger.connect() as connection:
        tables = ledger.tables.metadata.sorted_tables
        rows = {table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in tables}
    ledger.close()
    return rows


def restore_ledger(shop: Shop, rows: dict[str, list[dict[str, Any]]]) -> None:
    ledger = Ledger.open(shop.ack_url)
    with ledger.begin() as connection:
        for table in ledger.tables.metadata.sorted_tables:
            connection.execute(sa.delete(table))
            if rows[table.name]:
                connection.execute(sa.insert(table), rows[table.name])
    ledger.close()


# Filters


def test_a_wider_filter_finds_the_orders_that_it_lets_through(any_shop: Shop) -> None:
    shop = any_shop
    shop.tap_config = {"filter": "status <> 'Paid'"}
    shop.insert(KEYS)
    assert shop.run().summary["synced"] == 4
    shop.tap_config = {}
    ended = shop.run()
    assert "`filter` is another one since; every order is compared once" in ended.err
    assert "4 orders were written before" in ended.err
    assert ended.summary["synced"] == 2
    shop.assert_all_synced()
    assert "is not used" not in shop.run().err


@pytest.mark.nightly
@pytest.mark.parametrize("asks", ["another table", "the clock"])
def test_a_filter_that_asks_more_than_the_orders_columns_compares_all_orders_once_a_day(shop: Shop, asks: str) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE released (order_id VARCHAR(40), at TEXT)")
        connection.exec_driver_sql(
            "INSERT INTO released VALUES ('SO-0', '2000-01-01'), ('SO-1', '2999-01-01'), ('LAST', '2000-01-01')"
        )
    at = {"another table": "1 = 1", "the clock": "at <= date('now')"}[asks]
    condition = f"order_id IN (SELECT order_id FROM released WHERE {at})"
    shop.tap_config = {"filter": condition, "lookback_seconds": 0}
    shop.insert(KEYS)
    shop.insert(["LAST"], updated_at=OPENED + timedelta(hours=1))  # so that the others lie before the bookmark
    first = shop.run().summary["synced"]
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE released SET at = '2000-01-01'")
        connection.exec_driver_sql("INSERT INTO released VALUES ('SO-2', '2000-01-01')")
    assert shop.run().summary["read"] == 0  # not before the day is over
    a_day_passes(shop)
    ended = shop.run()
    assert "`filter` asks more than the order's own columns, so all orders are compared once a day" in ended.err
    assert first + ended.summary["synced"] == 4
    shop.assert_all_synced(but=KEYS[3:])
    assert "is not used" not in shop.run().err


def a_day_passes(shop: Shop) -> None:
    state = json.loads(shop.state.read_text())
    bookmark = state["bookmarks"]["orders"]
    compared = datetime.fromisoformat(bookmark["compared_at"]) - timedelta(hours=25)
    bookmark["compared_at"] = compared.isoformat(" ")
    shop.state.write_text(json.dumps(state))


# Other names


def test_a_second_stream_name_on_the_module_writes_nothing_unless_both_share_it(shop: Shop) -> None:
    loaded(shop)
    orders_state = shop.state
    shop.tap_config = {"stream_name": "more"}
    shop.state = shop.folder / "more.json"
    assert_refused(shop, "module Orders has the orders of stream 'orders'; if these are the same")
    shop.target_config["shares_module"] = True
    # the first stream has not said so
    assert_refused(shop, "module Orders has the orders of stream 'orders'")
    shop.tap_config, shop.state = {}, orders_state
    shop.insert(["SO-7"])
    assert shop.run().summary["synced"] == 1

    shop.tap_config, shop.state = {"stream_name": "more"}, shop.folder / "more.json"
    shop.insert(["NEW-1", "NEW-2"])
    ended = shop.run()
    assert ended.summary["rejected"] == len(KEYS) + 1
    assert ended.summary["synced"] == 2
    crm, acks = shop.crm(), shop.acks_of("more")
    assert len(crm) == len(KEYS) + 3
    assert {key for key, ack in acks.items() if ack.error_code == "KEY_CONFLICT"} == {*KEYS, "SO-7"}
    assert "stream 'orders' has order 'SO-0' in this module" in acks["SO-0"].error_message
    assert all(differences(order, crm[key]) == {} for key, order in shop.orders().items())


def test_an_alias_of_a_stream_map_changes_nothing_about_the_acks(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert", "stream_maps": {"orders": {"__alias__": "sales"}}}
    shop.insert(KEYS)
    fault = shop.emulator.admin.add_fault("upsert", kind="record_error", keys=["SO-1"], code="RECORD_LOCKED")
    assert shop.run().summary["synced"] == len(KEYS) - 1
    shop.emulator.admin.remove_fault(fault)
    again = shop.run()  # the second attempt is due at once
    assert (again.summary["read"], again.summary["synced"]) == (1, 1)
    shop.assert_all_synced()
    assert {ack.stream for ack in shop.acks().values()} == {"orders"}


def test_an_alias_in_the_tap_changes_nothing_about_the_acks(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert"}
    shop.tap_config = {"stream_maps": {"orders": {"__alias__": "sales"}}}
    shop.insert(KEYS)
    assert shop.run().summary["synced"] == len(KEYS)
    assert shop.run().summary["read"] == 0
    assert {ack.stream for ack in shop.acks().values()} == {"orders"}


# Mappers


def mapped(shop: Shop, change: Callable[[dict[str, Any]], None]) -> Finished:
    """Run the pair with a mapper between that changes SCHEMA messages."""
    messages = [json.loads(line) for line in shop.tap().out.splitlines()]
    for message in messages:
        if message["type"] == "SCHEMA":
            change(message["schema"])
    return shop.take("".join(json.dumps(message) + "\n" for message in messages))


def drop_keywords(schema: dict[str, Any]) -> None:
    for name in [name for name in schema if name.startswith("x-sync-")]:
        del schema[name]


@pytest.mark.parametrize("by_flag", [False, True])
def test_records_are_not_taken_through_a_mapper_that_drops_what_the_tap_said(shop: Shop, *, by_flag: bool) -> None:
    if by_flag:
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE orders ADD is_synced INTEGER")
        shop.tap_config = {"unsynced_by": "sync_flag", "sync_flag_column": "is_synced"}
    shop.insert(KEYS)
    text = "the SCHEMA lacks x-sync-ledger, x-sync-stream, x-sync-read-after: a mapper"
    assert_refused(shop, text, run=lambda: mapped(shop, drop_keywords))
    assert shop.crm() == {}


@pytest.mark.parametrize("keyword", ["x-sync-ledger", "x-sync-stream", "x-sync-read-after"])
def test_one_keyword_that_is_missing_is_enough(shop: Shop, keyword: str) -> None:
    shop.insert(KEYS)
    text = f"the SCHEMA lacks {keyword}: a mapper between tap and target"
    assert_refused(shop, text, run=lambda: mapped(shop, lambda schema: schema.pop(keyword)))


def test_records_without_their_version_are_not_taken_from_our_tap(shop: Shop) -> None:
    shop.insert(KEYS)
    text = "come from tap-legacy-orders and lack _sync_version: a mapper"
    assert_refused(shop, text, run=lambda: mapped(shop, lambda schema: schema["properties"].pop("_sync_version")))


def test_messages_that_are_kept_and_loaded_are_taken_as_long_as_no_other_run_was_at_work(shop: Shop) -> None:
    shop.insert(KEYS)
    messages = shop.tap().out
    assert shop.take(messages).code == 0
    shop.assert_all_synced()
    late = shop.take(messages)
    assert (late.code, len(late.errors)) == (3, 1)
    assert "another run was at work after that" in late.errors[0]


def test_messages_that_were_kept_for_another_ledger_are_not_taken(shop: Shop, tmp_path: Path) -> None:
    shop.insert(KEYS)
    shop.run()
    shop.change(KEYS)
    messages = shop.tap().out
    shop.ack_url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    assert_refused(shop, "the tap read these orders by another ledger", run=lambda: shop.take(messages))


# Ways out


def test_a_renamed_table_goes_on_with_its_acks_and_the_open_job_of_a_dead_run(any_shop: Shop) -> None:
    shop = any_shop
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(KEYS)
    assert shop.run().code == 0
    shop.change(KEYS[:3])
    assert shop.run(kill_at="after:target_zoho_crm.writing.job_steps.JobSteps.create").code != 0
    rename_table(shop)
    shop.tap_config = {"orders_table": "orders_2"}
    assert_refused(shop, "`orders-sync rebind --from orders`")
    moved = operate(shop, "rebind", "--from", "orders", "--yes")
    assert moved.code == 0, moved.err
    assert "6 acks" in moved.out
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert "Adopting a bulk write job of 3 orders" in ended.err
    assert {(ack.stream, ack.status) for ack in shop.acks().values()} == {("orders_2", "synced")}
    assert shop.run().summary["read"] == 0


def test_a_table_renamed_under_one_stream_name_is_asked_about(shop: Shop) -> None:
    shop.tap_config = {"stream_name": "sales"}
    loaded(shop)
    rename_table(shop)
    shop.tap_config = {"stream_name": "sales", "orders_table": "orders_2"}
    assert_refused(shop, "are from table orders, and these are from orders_2; if it was renamed")
    assert operate(shop, "rebind", "--yes").code == 0
    assert shop.run().code == 0


@pytest.mark.nightly
def test_a_renamed_module_goes_on_when_its_records_hold_their_keys(shop: Shop) -> None:
    loaded(shop)
    admin = shop.emulator.admin
    admin.add_module("Sales_Orders", [{"api_name": "parent_id", "data_type": "text", "length": 255, "unique": True}])
    shop.target_config["module"] = "Sales_Orders"
    assert_refused(shop, "if the module was renamed, `orders-sync rebind`")
    not_there = operate(shop, "rebind", "--yes")
    assert not_there.code == 1
    assert "module Sales_Orders does not hold" in not_there.err
    admin.rename_module("Sales_Orders", "Something_Else")
    admin.rename_module("Orders", "Sales_Orders")
    assert operate(shop, "rebind", "--yes").code == 0
    shop.change(KEYS[:1])
    assert shop.run().summary["synced"] == 1
    assert len(list(admin.records("Sales_Orders"))) == len(KEYS)


def test_a_column_or_a_field_more_stops_nothing(shop: Shop) -> None:
    loaded(shop)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD colour VARCHAR(20)")
    shop.change(KEYS[:1])
    ended = shop.run()
    assert ended.code == 0
    assert "the columns that are read are not those of the last run; 6 orders were written before" in ended.err
    assert "not those of the last run" not in shop.run().err


def test_a_forgotten_stream_needs_no_full_refresh(shop: Shop) -> None:
    loaded(shop)
    shop.emulator.admin.add_field("Orders", "Order_Number", "text", length=255, unique=True)
    assert operate(shop, "forget", "--yes").code == 0
    shop.target_config["key_field"] = "Order_Number"
    assert shop.run().summary["read"] == len(KEYS)


def test_plan_doctor_and_status_say_it_before_a_run(shop: Shop) -> None:
    loaded(shop)
    status = operate(shop, "status", "--ledger-only")
    assert "from table orders to module Orders of org 60012345678, by parent_id; read up to 2026-01-01" in status.out
    shop.emulator.admin.add_module(
        "Sales_Orders", [{"api_name": "parent_id", "data_type": "text", "length": 255, "unique": True}]
    )
    shop.target_config["module"] = "Sales_Orders"
    text = "Stream 'orders': the ledger's orders are in module Orders, and `module` is Sales_Orders"
    assert f"a run that began now would be refused: {text}" in operate(shop, "plan").out
    doctor = operate(shop, "doctor")
    assert doctor.code == 1
    assert f"The ledger's set-up: {text}" in doctor.out


def rename_table(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {ORDERS.name} RENAME TO orders_2"))
