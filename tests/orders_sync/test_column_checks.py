"""`orders-sync doctor` faults columns that nobody writes, and a change column by which no change is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pair_of_plugins import Shop
from shop_with_lines import ShopWithLines

from orders_sync.cli import main

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopWithLines]:
    made = ShopWithLines(sqlite_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()


def findings(shop: Shop, *, ok: bool) -> list[dict[str, str]]:
    tap, target = shop.configs()
    options = ["--tap-config", str(tap), "--target-config", str(target), "--json"]
    document = json.loads(CliRunner().invoke(main, ["doctor", *options]).output)
    assert document["ok"] is ok, [each for each in document["findings"] if each["result"] == "error"]
    found: list[dict[str, str]] = document["findings"]
    return found


def results(found: list[dict[str, str]], subject: str) -> list[tuple[str, str]]:
    return [(each["result"], each["message"]) for each in found if each["subject"] == subject]


def change(shop: Shop, statement: str) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_columns_of_lines_that_no_field_takes_are_faulted_as_a_run_takes_them(shop: ShopWithLines) -> None:
    change(shop, "ALTER TABLE order_lines ADD COLUMN colour TEXT")
    shop.insert_whole(["A"])
    found = findings(shop, ok=True)
    unwritten = "no field that can be written has a name like it, so it is not sent"
    assert results(found, "Line column colour") == [("warning", unwritten)]
    assert results(found, "Line column quantity")[0][0] == "ok"
    (remedy,) = [each["remedy"] for each in found if each["subject"] == "Line column colour"]
    assert "`lines.fields`" in remedy
    # What names the order, and the line's key, are no data that would be lost.
    assert results(found, "Line column order_id") == results(found, "Line column id") == []
    assert "1 of 6 columns of the lines not written: colour" in shop.run().err
    shop.target_config["on_unmapped"] = "fail"
    assert results(findings(shop, ok=False), "Line column colour") == [("error", unwritten)]
    assert shop.run().code == 2


def test_what_the_options_of_a_field_take_is_not_said_to_be_refused(shop: ShopWithLines) -> None:
    change(shop, "ALTER TABLE order_lines ADD COLUMN title TEXT")
    change(shop, "ALTER TABLE orders ADD COLUMN pieces TEXT")
    shop.insert_whole(["A"])
    shop.target_config["fields"] = {"pieces": "Item_Count"}
    lines = shop.target_config["lines"]
    lines["fields"] = {"title": "Sku"}
    found = findings(shop, ok=True)
    columns = ("Line column title", "Column pieces", "Column status")
    assert [results(found, each)[0][0] for each in columns] == ["warning"] * 3
    shop.target_config["fields"] = {
        "Item_Count": {"source": "pieces", "unreadable": "null"},
        "Status": {"on_unknown_picklist": "default", "default": "New"},
    }
    lines["fields"] = {"Sku": {"source": "title", "on_too_long": "truncate"}}
    found = findings(shop, ok=True)
    assert [results(found, each)[0][0] for each in columns] == ["ok"] * 3
    shop.target_config["fields"] = {"Weight_Kg": {"source": "pieces", "on_too_long": "truncate"}}
    assert results(findings(shop, ok=True), "Column pieces")[0][0] == "warning"  # rounding makes no number of a text


def test_texts_of_a_view_that_are_times_are_not_said_to_be_no_dates(shop: ShopWithLines) -> None:
    date = "strftime('%Y-%m-%d', updated_at) AS order_date"
    change(shop, f"CREATE VIEW shown AS SELECT order_id, {date}, updated_at FROM orders")
    del shop.tap_config["lines"], shop.target_config["lines"]
    shop.tap_config |= {"orders_table": "shown", "key_column": "order_id"}
    ((_, message),) = results(findings(shop, ok=True), "Column order_date")
    assert message.endswith(
        "the column has no type that says so: what cannot be read as a date like 2025-12-31 (`format` in `fields` "
        "names another form) is refused"
    )
    shop.target_config["fields"] = {"Order_Date": {"format": "%d.%m.%Y"}}
    ((_, message),) = results(findings(shop, ok=True), "Column order_date")
    assert message.endswith("what cannot be read as %d.%m.%Y or ISO is refused")


def test_lines_that_the_target_leaves_are_faulted(shop: ShopWithLines) -> None:
    del shop.target_config["lines"]
    ((result, message),) = results(findings(shop, ok=True), "Lines")
    assert (result, "`lines` of the target is not set: they are not written" in message) == ("warning", True)


def test_a_view_whose_change_column_is_empty_in_every_row_is_an_error(shop: ShopWithLines) -> None:
    shop.insert(["A", "B"])
    change(
        shop,
        "CREATE VIEW shown AS SELECT order_id, customer_name, NULLIF(updated_at, updated_at) AS updated_at FROM orders",
    )
    del shop.tap_config["lines"], shop.target_config["lines"]
    shop.tap_config |= {"orders_table": "shown", "key_column": "order_id", "replication_key": "updated_at"}
    ((result, message),) = results(findings(shop, ok=False), "Replication key")
    assert (result, message) == (
        "error", "updated_at is empty in every order: each run reads all of them, and sees no change"
    )  # fmt: skip


def test_a_change_column_that_is_the_same_everywhere_is_doubted(shop: ShopWithLines) -> None:
    shop.insert(["A"])
    assert {each for each, _ in results(findings(shop, ok=True), "Replication key")} == {"ok"}
    shop.insert(["B"])
    assert {each for each, _ in results(findings(shop, ok=True), "Replication key")} == {"ok"}
    change(shop, "UPDATE orders SET updated_at = '2026-01-01 08:00:00.000000'")
    ((result, message),) = results(findings(shop, ok=True), "Replication key")
    assert (result, "is 2026-01-01 08:00:00.000000 in every order" in message) == ("warning", True)
