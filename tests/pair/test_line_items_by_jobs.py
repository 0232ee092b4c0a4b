"""New orders with their line items by bulk write jobs, in one zip: all there once, in every way a job can go."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from careful_shop import FIRST, CarefulShop, found
from click.testing import CliRunner
from shop_with_line_items import ShopWithLineItems

from orders_sync.cli import main

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

CLIENT = "target_zoho_crm.api.client.ZohoClient"
STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"


@dataclass
class CarefulShopWithLineItems(CarefulShop, ShopWithLineItems):
    """The same with a first contact."""


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopWithLineItems]:
    made = ShopWithLineItems(sqlite_url, zoho_emulator, tmp_path)
    made.by_jobs()
    yield made
    made.engine.dispose()


@pytest.fixture
def careful(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[CarefulShopWithLineItems]:
    made = CarefulShopWithLineItems(sqlite_url, zoho_emulator, tmp_path)
    made.by_jobs(bulk_rows=40)
    made.insert_whole(keys(70), most_lines=3)
    yield made
    made.engine.dispose()


def keys(count: int) -> list[str]:
    return [f"SO-{number}" for number in range(count)]


def run_whole(shop: ShopWithLineItems, runs: int = 1) -> None:
    """So many runs, after which all is there."""
    for _ in range(runs):
        ended = shop.run()
        assert ended.code == 0, ended.err
    shop.assert_whole()


def test_they_go_in_one_zip_for_the_price_that_was_said(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(40), most_lines=8)
    ended = shop.run()
    assert "40 in 1 bulk write job(s) at 500 credits, lines in the jobs of new orders; 500 credits in all" in ended.err
    stats = shop.emulator.admin.stats()
    assert stats["jobs"] == {"COMPLETED": 1}
    assert (stats["credits"]["by_kind"]["bulk_write"], stats["credits"]["by_kind"].get("write", 0)) == (500, 0)
    shop.assert_whole()


def test_a_job_has_no_more_lines_than_one_takes(shop: ShopWithLineItems) -> None:
    shop.target_config["bulk_rows"] = 60
    shop.emulator.admin.switch(max_rows=60)
    shop.insert_whole(keys(40), most_lines=8)
    ended = shop.run()
    shop.assert_whole()
    jobs = sum(shop.emulator.admin.stats()["jobs"].values())
    assert jobs > 1
    assert f"40 in {jobs} bulk write job(s) at 500 credits" in ended.err


def test_known_orders_go_by_calls_and_new_ones_by_a_job(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(10), most_lines=5)
    run_whole(shop)
    shop.change_lines(keys(4))
    shop.insert_whole([f"new-{number}" for number in range(10)], most_lines=5)
    ended = shop.run()
    assert "4 orders go by calls, since jobs take only new ones with lines" in ended.err
    shop.assert_whole()
    assert shop.emulator.admin.stats()["jobs"] == {"COMPLETED": 2}


@pytest.mark.parametrize("rows_of_skipped", ["refuse", "add"])
def test_orders_that_are_there_though_the_ledger_knows_of_none_get_no_line_twice(
    shop: ShopWithLineItems, rows_of_skipped: str
) -> None:
    shop.emulator.admin.switch(rows_of_skipped=rows_of_skipped)
    shop.insert_whole(keys(10), most_lines=5)
    run_whole(shop)
    forgotten = CliRunner().invoke(main, ["forget", "--ack-url", shop.ack_url, "--yes"])
    assert forgotten.exit_code == 0, forgotten.output
    run_whole(shop, runs=2)


@pytest.mark.parametrize(
    ("where", "rows_of_skipped"),
    [
        (f"after:{CLIENT}.upload", "refuse"),
        (f"after:{CLIENT}.create_job", "refuse"),
        (f"after:{CLIENT}.create_job", "add"),
        (f"after:{CLIENT}.download", "add"),
        (f"before:{STREAM_LEDGER}.confirm", "refuse"),
    ],
)
def test_a_killed_run_is_completed_by_the_next_ones(shop: ShopWithLineItems, where: str, rows_of_skipped: str) -> None:
    shop.emulator.admin.switch(rows_of_skipped=rows_of_skipped)
    shop.insert_whole(keys(20), most_lines=4)
    killed = shop.run(kill_at=where)
    assert killed.code == -signal.SIGKILL, killed.err
    run_whole(shop, runs=2)
    shop.change_lines(keys(5))
    run_whole(shop)


@pytest.mark.parametrize("kind", ["lost_before", "lost_after"])
@pytest.mark.parametrize("rows_of_skipped", ["refuse", "add"])
def test_a_job_that_is_made_twice_doubles_nothing(shop: ShopWithLineItems, kind: str, rows_of_skipped: str) -> None:
    shop.emulator.admin.switch(rows_of_skipped=rows_of_skipped)
    shop.insert_whole(keys(20), most_lines=4)
    fault = shop.emulator.admin.add_fault("bulk_create", kind=kind, times=1)
    run_whole(shop, runs=2)
    assert shop.emulator.admin.fired(fault) == 1


def test_a_result_that_says_nothing_of_lines_makes_their_orders_due_again(shop: ShopWithLineItems) -> None:
    shop.emulator.admin.switch(child_results="none")
    shop.insert_whole(keys(12), most_lines=4)
    ended = shop.run()
    assert (ended.code, ended.summary["synced"]) == (0, 0), ended.err
    assert {ack.error_code for ack in shop.acks().values()} == {"LINES_NOT_WRITTEN"}
    run_whole(shop)


def test_lines_that_were_not_tried_make_their_orders_due_again(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(12), most_lines=4)
    shop.emulator.admin.add_fault(kind="unprocessed", module="Ordered_Items", rows=5, times=1)
    assert shop.run().summary["synced"] < 12
    run_whole(shop)


def test_a_line_that_zoho_refuses_refuses_its_order_and_is_named(shop: ShopWithLineItems) -> None:
    shop.target_config["validate"] = False
    shop.insert_whole(keys(3), most_lines=3)
    with shop.engine.begin() as connection:
        line = connection.exec_driver_sql("SELECT min(id) FROM order_items WHERE order_id = 'SO-1'").scalar_one()
        connection.exec_driver_sql(f"UPDATE order_items SET note = '{'x' * 33_000}' WHERE id = {line}")
    ended = shop.run()
    ack = shop.acks()["SO-1"]
    assert (ended.summary["synced"], ack.status, ack.zoho_id) == (2, "rejected", shop.crm()["SO-1"]["id"]), ended.err
    assert (ack.error_code, ack.error_field) == ("INVALID_DATA", "Description")
    assert f"line '{line}'" in ack.error_message
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE order_items SET note = NULL WHERE id = {line}")
    shop.change(["SO-1"])
    run_whole(shop)


@pytest.mark.parametrize("on_mismatch", ["warn", "reject"])
def test_a_total_that_differs_is_named(shop: ShopWithLineItems, on_mismatch: str) -> None:
    shop.target_config["lines"] |= {"total_field": "Legacy_Total", "on_total_mismatch": on_mismatch}
    shop.insert_whole(keys(3), most_lines=2)
    shop.change(["SO-1"], total_amount=Decimal("1234567.89"))
    ended = shop.run()
    said = f"Grand_Total is {shop.crm()['SO-1']['Grand_Total']}, and Legacy_Total 1234567.89"
    ack = shop.acks()["SO-1"]
    assert (ack.status, said in (ended.err if on_mismatch == "warn" else ack.error_message)) == (
        ("synced" if on_mismatch == "warn" else "rejected"),
        True,
    ), ended.err


def test_an_unknown_product_refuses_its_order_alone(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(3), most_lines=2)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE order_items SET sku = 'NOPE' WHERE order_id = 'SO-1'")
    ended = shop.run()
    assert (ended.summary["synced"], shop.acks()["SO-1"].error_code) == (2, "MISSING_PARENT"), ended.err


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"profile": None, "child_rows_per": "file"}, "unless `child_rows_per` is parent"),
        ({"profile": None}, "Line_Tax of its lines holds taxes"),
        ({"operation": "update"}, "with `operation` update"),
    ],
)
def test_what_keeps_them_from_jobs_is_said(shop: ShopWithLineItems, config: dict[str, str | None], why: str) -> None:
    shop.insert_whole(keys(2), most_lines=2)
    shop.target_config |= {"child_rows_per": "parent", **config}
    ended = shop.run()
    assert (ended.code, shop.crm()) == (2, {})
    assert why in ended.err


@pytest.mark.parametrize(
    ("module", "made", "shown"),
    [
        ("Sales_Orders", {"field": "Description", "does": "cut", "value": 3}, ("Description", "cut")),
        ("Sales_Orders", {"field": "Ordered_Items", "does": "reverse"}, ("Ordered_Items", "line order")),
        ("Ordered_Items", {"field": "Quantity", "does": "round", "value": 0}, ("Ordered_Items.Quantity", "rounded")),
    ],
)
def test_what_only_jobs_do_is_shown_before_the_second_of_a_load(
    careful: CarefulShopWithLineItems, module: str, made: dict[str, str | int], shown: tuple[str, str]
) -> None:
    careful.emulator.admin.set_alterations(module, {**made, "by": "jobs"})
    ended = careful.run()
    assert (ended.code, found(ended)) == (4, {shown}), ended.err
    assert careful.emulator.admin.stats()["jobs"] == {"COMPLETED": 1}
    assert FIRST < len(careful.crm()) < FIRST + 40
    assert shown[0] in careful.accept().out
    assert careful.accept("--field", shown[0]).code == 0
    ended = careful.run()
    assert (ended.code, len(careful.crm())) == (0, 70), ended.err


def test_a_load_whose_first_job_holds_what_was_sent_goes_on(careful: CarefulShopWithLineItems) -> None:
    ended = careful.run()
    assert ended.code == 0, ended.err
    careful.assert_whole()
    assert sum(careful.emulator.admin.stats()["jobs"].values()) > 2
