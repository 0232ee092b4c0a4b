"""Orders into Zoho's Sales_Orders: line items, products by code, taxes, and totals equal to the cent.

`WHOLE_ORDERS` sets how many orders the first test loads; `make whole-orders` loads 10,000.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pair_of_plugins
import pytest
from shop_with_line_items import TAXES, ShopWithLineItems

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ORDERS = int(os.environ.get("WHOLE_ORDERS", "160"))
CLIENT = "target_zoho_crm.api.client.ZohoClient"
SDK_READER = Path(__file__).parents[1] / "emulator" / "sdk_reader.py"
STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopWithLineItems]:
    made = ShopWithLineItems(sqlite_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()


def keys(count: int) -> list[str]:
    return [f"SO-{number}" for number in range(count)]


def kill_and_complete(shop: ShopWithLineItems, where: str) -> None:
    killed = shop.run(kill_at=where)
    assert killed.code == -signal.SIGKILL, killed.err
    for _ in range(2 if "create_job" in where else 1):  # of a job made twice the next run learns that it did
        ended = shop.run()
        assert ended.code == 0, ended.err
    shop.assert_whole()


def assert_the_sdk_reads_the_legacy_orders(shop: ShopWithLineItems) -> None:
    """Zoho's own SDK for Python, in a process of its own, finds each total to the cent, by order and by lines."""
    emulator, ids = shop.emulator, [ack.zoho_id for ack in shop.acks().values()]
    wanted = {"modules": ["Sales_Orders", "Ordered_Items"], "records": {"Sales_Orders": ids}, "jobs": []}
    folder = shop.folder / "sdk"
    folder.mkdir()
    read = subprocess.run(
        [
            *(sys.executable, SDK_READER, emulator.base_url, emulator.client_id, emulator.client_secret),
            *(emulator.refresh_token, folder),
        ],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stderr
    records = {each["Legacy_No"][1]: each for each in json.loads(read.stdout)["records"].values()}
    orders = shop.orders()
    assert records.keys() == orders.keys()
    for key, order in orders.items():
        lines = [line for _, line in records[key]["Ordered_Items"]]
        net = sum(Decimal(str(line["Net_Total"][1])) for line in lines)
        assert (Decimal(str(records[key]["Grand_Total"][1])), net) == (order.total_amount, order.total_amount), key
        assert all(line["Product_Name"][1]["Product_Code"][1].startswith("P-") for line in lines)
        taxes = [tax for line in lines for tax in line["Line_Tax"] if line["Line_Tax"] != ["NoneType", None]]
        assert {tax[1]["name"] for tax in taxes} <= {*TAXES}


@pytest.mark.timeout(0 if ORDERS > 1_000 else 900)
@pytest.mark.parametrize("by", ["calls", "jobs"])
def test_sums_are_the_legacy_orders_to_the_cent_after_kills_and_changes(
    shop: ShopWithLineItems, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(pair_of_plugins, "PROCESS_SECONDS", 600 + ORDERS // 5)
    if by == "jobs":
        shop.by_jobs(**({} if ORDERS > 1_000 else {"bulk_rows": 300}))
    shop.insert_whole(keys(ORDERS), most_lines=40 if ORDERS > 1_000 else 8)
    kill_and_complete(shop, f"after:{CLIENT}.{'insert' if by == 'calls' else 'create_job'}:2")
    loaded = shop.emulator.admin.stats()["modules"]["Ordered_Items"]
    changed = keys(ORDERS)[:: max(2, ORDERS // 500)]
    shop.change_lines(changed)
    kill_and_complete(shop, f"after:{CLIENT}.upsert:1")
    assert_the_sdk_reads_the_legacy_orders(shop)
    print(  # noqa: T201 - the figure to show
        f"{ORDERS:,} sales orders with {loaded:,} lines by {by}, then {len(changed):,} changed, each killed and run "
        "again: totals equal to the cent, as Zoho's SDK reads them; credits "
        f"{shop.emulator.admin.stats()['credits']['by_kind']}"
    )


@pytest.mark.parametrize("where", [f"after:{CLIENT}.insert:1", f"before:{STREAM_LEDGER}.confirm"])
def test_a_new_order_goes_in_one_call_with_its_lines_and_never_twice(shop: ShopWithLineItems, where: str) -> None:
    shop.insert_whole(keys(30), most_lines=4)
    kill_and_complete(shop, where)


def test_a_lost_answer_doubles_no_line(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(5), most_lines=4)
    fault = shop.emulator.admin.add_fault("insert", kind="lost_after", times=1)
    ended = shop.run()
    assert (ended.code, shop.emulator.admin.fired(fault)) == (0, 1), ended.err
    shop.assert_whole()


def test_a_first_load_costs_a_credit_for_ten_orders(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(100), most_lines=4)
    ended = shop.run()
    assert "lines in the calls of new orders; 10 credits in all" in ended.err
    assert shop.emulator.admin.stats()["credits"]["by_kind"]["write"] == 10
    shop.assert_whole()


@pytest.mark.parametrize("on_mismatch", ["warn", "reject"])
def test_a_total_that_the_crm_computes_otherwise_is_named(shop: ShopWithLineItems, on_mismatch: str) -> None:
    shop.target_config["lines"] |= {"total_field": "Legacy_Total", "on_total_mismatch": on_mismatch}
    shop.insert_whole(keys(3), most_lines=2)
    shop.change(["SO-1"], total_amount=Decimal("1234567.89"))
    ended = shop.run()
    (wrong,) = [record for key, record in shop.crm().items() if key == "SO-1"]
    said = f"Grand_Total is {wrong['Grand_Total']}, and Legacy_Total 1234567.89"
    ack = shop.acks()["SO-1"]
    if on_mismatch == "warn":
        assert (ack.status, ended.summary["synced"]) == ("synced", 3), ended.err
        assert f"the totals of 1 orders differ (order 'SO-1': {said})" in ended.err
    else:
        assert (ack.status, ack.error_code, ack.zoho_id) == ("rejected", "TOTAL_DIFFERS", wrong["id"])
        assert said in ack.error_message
        assert ended.summary["synced"] == 2, ended.err


def test_an_unknown_product_refuses_its_order_alone_and_is_named(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(3), most_lines=2)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE order_items SET sku = 'NOPE' WHERE order_id = 'SO-1'")
    ended = shop.run()
    assert (ended.summary["synced"], ended.summary["rejected"]) == (2, 1), ended.err
    ack = shop.acks()["SO-1"]
    assert (ack.status, ack.error_code, ack.error_field) == ("rejected", "MISSING_PARENT", "Product_Name")
    assert "Products 'NOPE' (by Product_Code)" in ack.error_message
    assert "SO-1" not in shop.crm()


def test_an_unknown_tax_refuses_its_order_and_is_named(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(2), most_lines=2)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE order_items SET tax = 'Vat 19' WHERE order_id = 'SO-1'")
    shop.run()
    ack = shop.acks()["SO-1"]
    assert (ack.status, ack.error_field) == ("rejected", "Line_Tax")
    assert "the org has no 'Vat 19'" in ack.error_message


def test_a_known_order_may_come_without_lines_and_a_new_one_not(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(2), most_lines=2)
    shop.run()
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM order_items WHERE order_id = 'SO-1'")
    shop.insert(["SO-2"])
    shop.change(["SO-1"])
    ended = shop.run()
    acks = shop.acks()
    for key in ("SO-1", "SO-2"):
        assert (acks[key].status, acks[key].error_code, acks[key].error_field) == (
            "rejected", "MANDATORY_NOT_FOUND", "Ordered_Items",
        ), (key, ended.err)  # fmt: skip


def test_a_first_load_without_the_lines_setting_ends_before_its_first_write(shop: ShopWithLineItems) -> None:
    shop.insert_whole(keys(1), most_lines=1)
    del shop.target_config["lines"]
    ended = shop.run()
    assert ended.code != 0
    assert 'Set `lines`, as in {"write_to": "subform", "subform": "Ordered_Items"}' in ended.err
    assert shop.crm() == {}
