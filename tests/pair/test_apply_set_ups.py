"""`apply` under the settings that decide what a run sends: contents, lines, guard, undo, flag, maps, follow mode."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import forked
from audited_shop import orders_in, synced
from click.testing import CliRunner
from flag_shop import FlagShop
from pair_of_plugins import ORDERS, Shop, finish, start
from planned_shop import apply, counts, files_of, plan
from shop_with_lines import LINES, ShopWithLines

from orders_sync.cli import main
from sync_ledger.first_load import first_load_is_over
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def with_equal_version(shop: Shop, keys: list[str], status: str) -> None:
    orders_in(shop, keys, ORDERS.update().values(status=status))


def first_load_over(shop: Shop) -> bool:
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.connect() as connection:
            return first_load_is_over(connection, ledger.tables.run, "orders", WHOLE)
    finally:
        ledger.close()


def test_in_a_shop_that_goes_on_changing_each_order_is_applied_as_planned_or_left_out(shop: Shop) -> None:
    keys = synced(shop, 3_000)
    assert shop.run().code == 0
    shop.change(keys, status="Shipped")
    before, planned, saved = shop.crm(), shop.versions(), plan(shop)
    over, chance = threading.Event(), random.Random(7)  # noqa: S311 - no secret

    def go_on_changing() -> None:
        while not over.is_set():
            shop.change([chance.choice(keys)], status="Returned")

    changing = threading.Thread(target=go_on_changing)
    shop.change(keys[:1], status="Returned")
    changing.start()
    try:
        ended = apply(shop, saved["plan"], "--json")
    finally:
        over.set()
        changing.join()
    assert ended.code == 4, ended.err
    found, after = json.loads(ended.out), shop.crm()
    left_out = set(found["left_out"].pop("moved_on"))
    assert found["left_out"] == {}
    assert counts(ended) == {"applied": 3_000 - len(left_out), "moved_on": len(left_out)}
    assert keys[0] in left_out
    for key in keys:
        assert after[key]["Status"] == (before[key]["Status"] if key in left_out else "Shipped")
    acks = shop.acks()
    assert {key for key in keys if acks[key].version == planned[key]} == set(keys) - left_out
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_where_contents_decide_an_order_with_another_one_is_left_out(shop: Shop) -> None:
    shop.insert(["A", "B", "C"], status="New")
    assert shop.run().code == 0
    with_equal_version(shop, ["A", "B"], "Paid")
    shop.insert(["D", "E"], status="New")
    saved = plan(shop)
    assert saved["planned"] == 4
    with_equal_version(shop, ["B", "E"], "Shipped")
    ended = apply(shop, saved["plan"], "--json")
    assert (ended.code, counts(ended)) == (4, {"applied": 2, "moved_on": 2}), ended.err
    assert json.loads(ended.out)["left_out"] == {"moved_on": ["B", "E"]}
    assert {key: record["Status"] for key, record in shop.crm().items()} == {
        "A": "Paid",
        "B": "New",
        "C": "New",
        "D": "New",
    }
    again = apply(shop, saved["plan"], "--json")
    assert counts(again) == {"done_before": 2, "moved_on": 2}
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_an_order_whose_lines_moved_on_is_left_out(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path)
    shop.insert(["A", "B"])
    shop.add_lines({"A": 2, "B": 2})
    saved = plan(shop)
    with shop.engine.begin() as connection:
        connection.execute(LINES.update().where(LINES.c.order_id == "B").values(quantity=77))
    ended = apply(shop, saved["plan"], "--json")
    assert (ended.code, counts(ended)) == (4, {"applied": 1, "moved_on": 1}), ended.err
    assert shop.crm().keys() == {"A"}
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_the_guard_stops_it_and_nothing_is_written(shop: Shop) -> None:
    keys = synced(shop, 20)
    shop.change(keys[:10], status="Returned")
    saved, before = plan(shop), shop.crm()
    shop.tap_config |= {"max_changes": 9}
    ended = apply(shop, saved["plan"], "--json")
    assert (ended.code, counts(ended), shop.crm()) == (4, {"not_sent": 10}, before)
    assert "max_changes: more than 9" in ended.err
    shop.change(keys[10:], status="Returned")  # in no plan, and so nothing to the guard
    shop.tap_config |= {"max_changes": 10}
    assert (apply(shop, saved["plan"]).code, len(shop.crm())) == (0, 21)


def test_an_order_that_is_held_since_an_undo_stays_held(shop: Shop) -> None:
    shop.insert(["A", "B"])
    assert shop.run().code == 0
    shop.change(["A"])
    shop.insert(["C"])
    saved = plan(shop)
    run = next(iter(shop.acks().values())).run_id
    undone = CliRunner().invoke(main, ["undo", run, "--yes", *files_of(shop)[2:], "--ack-url", shop.ack_url])
    assert undone.exit_code == 0, undone.output
    ended = apply(shop, saved["plan"], "--json")
    assert (ended.code, counts(ended), shop.crm().keys()) == (4, {"applied": 1, "held": 1}, {"C"}), ended.err
    shop.change(["A"])
    assert plan(shop)["planned"] == 0


def test_an_apply_is_no_run_of_all_orders(shop: Shop) -> None:
    shop.insert(["A"])
    saved = plan(shop)
    shop.insert(["B"])
    assert apply(shop, saved["plan"]).code == 0
    assert not first_load_over(shop)
    status = CliRunner().invoke(main, ["status", "--ledger-only", "--max-age", "1h", "--ack-url", shop.ack_url])
    assert status.exit_code == 1
    assert shop.run().code == 0
    assert first_load_over(shop)


def test_a_push_is_no_run_of_all_orders(shop: Shop, tmp_path: Path) -> None:
    shop.insert(["A", "B"])
    file = tmp_path / "orders.csv"
    file.write_text("order_id,status\nA,New\n")
    _, target = shop.configs()
    command = ["push", file, "--key", "order_id", "--stream", "orders", "--target-config", target]
    assert finish(start(forked.command("orders-sync", command))).code == 0
    assert not first_load_over(shop)
    assert shop.run().code == 0
    assert first_load_over(shop)


def test_a_live_run_keeps_it_from_beginning(shop: Shop) -> None:
    shop.insert(["A"])
    saved = plan(shop)
    ledger = Ledger.open(shop.ack_url)
    lease = Lease.acquire(ledger, "orders")
    lease.start_heartbeat()
    ended = apply(shop, saved["plan"], "--json")
    lease.release("failed", {}, 0)
    ledger.close()
    assert (ended.code, counts(ended), shop.crm()) == (3, {"not_sent": 1}, {}), ended.err


def test_an_order_that_came_back_since_is_left_to_the_next_run(shop: Shop) -> None:
    shop.tap_config = {"find_deleted": True}
    shop.target_config |= {"on_delete": "delete", "max_delete_percent": 100}
    shop.insert(["A", "B"])
    assert shop.run().code == 0
    orders_in(shop, ["B"], ORDERS.delete())
    assert shop.run().code == 0
    assert shop.crm().keys() == {"A"}
    shop.insert(["C"])
    saved = plan(shop)
    shop.insert(["B"])
    ended = apply(shop, saved["plan"], "--json")
    assert (ended.code, counts(ended)) == (0, {"applied": 1}), ended.err
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_orders_are_planned_and_applied_where_a_flag_says_what_is_unsynced(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = FlagShop.open(sqlite_url, zoho_emulator, tmp_path)
    shop.insert(["A", "B", "C"])
    saved = plan(shop)
    assert saved["planned"] == 3
    shop.change(["B"])
    ended = apply(shop, saved["plan"], "--json")
    assert (ended.code, counts(ended)) == (4, {"applied": 2, "moved_on": 1}), ended.err
    assert shop.crm().keys() == {"A", "C"}
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_stream_maps_follow_mode_and_deletions_of_the_tap(shop: Shop) -> None:
    shop.insert(["A", "B"])
    assert shop.run().code == 0
    shop.insert(["C", "D"])
    orders_in(shop, ["B"], ORDERS.delete())
    shop.tap_config = {
        "find_deleted": True,
        "stream_maps": {"orders": {"status": "'Shipped'"}},
    }
    saved = plan(shop)
    shop.tap_config |= {"follow": True}
    shop.target_config = {"max_age_seconds": 1}
    ended = apply(shop, saved["plan"], "--json")
    assert (ended.code, counts(ended)) == (0, {"applied": 2}), ended.err
    crm = shop.crm()
    assert crm.keys() == {"A", "B", "C", "D"}
    assert (crm["C"]["Status"], crm["D"]["Status"]) == ("Shipped", "Shipped")


def test_other_columns_than_those_of_the_last_run_are_neither_planned_nor_applied(shop: Shop) -> None:
    shop.insert(["A"])
    saved = plan(shop)
    shop.tap_config = {"exclude": ["notes"]}
    assert shop.run().code == 0
    shop.insert(["B"])
    shop.tap_config = {}
    refused = finish(start(forked.command("orders-sync", ["plan", *files_of(shop), "--save"])))
    assert refused.code == 1
    assert "the last run read other columns than the settings say" in refused.err
    assert apply(shop, saved["plan"]).code == 2


def test_a_plan_that_is_not_there_or_of_another_stream_is_refused(shop: Shop) -> None:
    shop.insert(["A"])
    saved = plan(shop)
    gone = apply(shop, "plan-0")
    assert (gone.code, gone.err) == (1, "Error: there is no plan plan-0; one is kept for 7 days\n")
    shop.tap_config = {"stream_name": "other"}
    other = apply(shop, saved["plan"])
    assert (other.code, "is of stream orders, and the tap's is other" in other.err) == (1, True)


def test_a_plan_in_a_ledger_of_an_earlier_version_is_refused_in_one_line_until_a_run_brought_it_up(shop: Shop) -> None:
    shop.insert(["A"])
    saved = plan(shop)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE zoho_sync_version SET version = 16")
    refused = apply(shop, saved["plan"])
    (line,) = refused.err.splitlines()
    assert (refused.code, refused.out, shop.crm()) == (2, "", {})
    assert "is of an earlier version; the next run" in line
