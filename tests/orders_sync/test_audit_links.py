"""`orders-sync audit` compares links and line items, and knows what an earlier mapping did not write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from audited_shop import CLERK, audit, credits_spent, edit, kinds
from emulator_client import Client
from pair_of_plugins import Shop
from shop_with_line_items import LINES, ShopWithLineItems
from shop_with_lines import TO_SUBFORM, ShopWithLines

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

KEYS = [f"SO-{number:02d}" for number in range(8)]


@pytest.fixture
def linked(small: Shop) -> Shop:
    """Orders whose notes are the ids of two partners each, but for the last one."""
    admin = small.emulator.admin
    admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
    partners = admin.put_records("Accounts", [{"Account_Name": name} for name in "ABC"])
    small.tap_config["lookback_seconds"] = 0
    small.target_config = {"fields": {"Partners": {"source": "notes"}}}
    small.insert(KEYS[:-1], notes=";".join(partners[:2]))
    small.insert(KEYS[-1:], notes=None)
    small.ticks += 10_000_000
    small.insert(["LAST"], notes=partners[2])
    assert small.run().code == 0
    return small


def change_links(shop: Shop, key: str, *rows: dict[str, object]) -> None:
    data = [{"id": shop.crm()[key]["id"], "Partners": list(rows)}]
    answer = Client(shop.emulator).put("/crm/v8/Orders", json={"data": data})
    assert {each["code"] for each in answer.json()["data"]} == {"SUCCESS"}, answer.json()


def test_links_that_are_missing_or_unknown_are_found_and_a_run_mends_them(linked: Shop) -> None:
    before = credits_spent(linked)
    equal = audit(linked)
    assert (equal["equal"], equal["counts"]["rows"], equal["not_compared"]) == (True, 15, {})
    assert credits_spent(linked) - before == equal["credits_foretold"]
    accounts = {each["Account_Name"]: each["id"] for each in linked.emulator.admin.records("Accounts")}
    (first, *_) = linked.crm()[KEYS[0]]["Partners"]
    change_links(linked, KEYS[0], {"id": first["id"], "_delete": None})
    for key in (KEYS[1], KEYS[-1]):
        change_links(linked, key, {"Partners": {"id": accounts["C"]}})
    found = audit(linked, "--repair", "line_missing", "--repair", "line_unknown")
    assert kinds(found) == {"line_missing": {KEYS[0]}, "line_unknown": {KEYS[1], KEYS[-1]}}
    assert {tuple(each["fields"]) for each in found["findings"]} == {("Partners",)}
    assert kinds(audit(linked, "--fields", "Status")) == {}
    ended = linked.run()
    assert ended.code == 0, ended.err
    assert audit(linked)["equal"]


@pytest.fixture
def items(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopWithLineItems]:
    shop = ShopWithLineItems(sqlite_url, zoho_emulator, tmp_path)
    shop.tap_config["lookback_seconds"] = 0
    yield shop
    shop.engine.dispose()


def test_line_items_of_a_standard_module_are_compared_with_their_products_and_discounts(
    items: ShopWithLineItems,
) -> None:
    items.insert_whole(KEYS, most_lines=5)
    items.ticks += 10_000_000
    items.insert_whole(["LAST"])
    ended = items.run()
    assert ended.code == 0, ended.err
    equal = audit(items)
    assert (equal["findings"], equal["counts"]["equal"]) == ([], 9)
    assert equal["not_compared"] == {"Line_Tax of lines": "no reading gives the taxes of lines as they are written"}
    with items.engine.begin() as connection:
        for key, change in ((KEYS[0], {"sku": "P-0"}), (KEYS[1], {"discount_percent": 50}), (KEYS[2], {"tax": "VAT"})):
            first = connection.scalar(sa.select(sa.func.min(LINES.c.id)).where(LINES.c.order_id == key))
            connection.execute(sa.update(LINES).where(LINES.c.id == first).values(change))
        first = connection.scalar(sa.select(sa.func.min(LINES.c.id)).where(LINES.c.order_id == KEYS[3]))
        connection.execute(sa.insert(LINES), items.line(KEYS[3], id=-5))
    found = audit(items, "--repair", "line_differs", "--repair", "line_missing")
    assert kinds(found) == {"line_differs": set(KEYS[:2]), "line_missing": {KEYS[3]}}
    assert {tuple(each["fields"]) for each in found["findings"]} == {
        ("Product_Name",),
        ("Discount",),
        ("Ordered_Items",),
    }
    ended = items.run()
    assert ended.code == 0, ended.err
    assert audit(items)["findings"] == []


def add_gift(shop: Shop, keys: list[str]) -> None:
    """A column and its field that come later, filled in for these orders without another version."""
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN gift VARCHAR(20)")
        names = ", ".join(f"'{key}'" for key in keys)
        connection.execute(sa.text(f"UPDATE orders SET gift = 'ribbon' WHERE order_id IN ({names})"))
    shop.emulator.admin.add_field("Orders", "Gift", "text")


def test_what_an_earlier_mapping_did_not_write_has_a_kind_of_its_own(small: Shop) -> None:
    small.tap_config["lookback_seconds"] = 0
    small.insert(KEYS)
    small.ticks += 10_000_000
    small.insert(["LAST"])
    assert small.run().code == 0
    add_gift(small, KEYS[:5])
    edit(small, KEYS[:1], None, Notes="as nobody wrote it")
    edit(small, KEYS[1:2], CLERK, Notes="as a person wrote it", Gift="as a person wrote it")
    edit(small, KEYS[2:3], CLERK, Status="Returned")
    for _ in range(2):  # before a run by the new mapping, and after one
        found = audit(small)
        assert kinds(found) == {
            "earlier_mapping": {KEYS[0], *KEYS[2:5]},
            "differs": {KEYS[0]},
            "edited_by_people": set(KEYS[1:3]),
        }
        fields = {(each["kind"], each["key"]): each["fields"] for each in found["findings"]}
        assert fields["earlier_mapping", KEYS[0]] == ["Gift"]
        assert fields["differs", KEYS[0]] == ["Notes"]
        assert sorted(fields["edited_by_people", KEYS[1]]) == ["Gift", "Notes"]
        small.change(["LAST"])
        assert small.run().code == 0
    audit(small, "--repair", "earlier_mapping", "--repair", "edited_by_people")
    assert small.run().code == 0
    assert audit(small)["equal"]


def test_lines_that_were_mapped_later_are_of_an_earlier_mapping(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to=dict(TO_SUBFORM))
    shop.tap_config["lookback_seconds"] = 0
    lines = shop.target_config.pop("lines")
    shop.insert(KEYS)
    shop.add_lines(dict.fromkeys(KEYS[:3], 2))
    shop.ticks += 10_000_000
    shop.insert(["LAST"])
    assert shop.run().code == 0
    shop.target_config["lines"] = lines
    found = audit(shop, "--repair", "earlier_mapping")
    assert kinds(found) == {"earlier_mapping": set(KEYS[:3])}
    assert shop.run().code == 0
    assert audit(shop)["equal"]
    shop.engine.dispose()
