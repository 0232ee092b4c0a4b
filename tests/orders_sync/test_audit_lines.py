"""`orders-sync audit` finds every line that differs, names it, and invents none; a repair and a run mend it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from audited_lines import KINDS, OF_LINES, change_rows, plant, plant_records, rows_of, whole
from audited_shop import CLERK, ask, audit, change_acks, credits_spent, edit, kinds
from pair_of_plugins import Shop
from shop_with_lines import LINES, TO_MODULE, TO_SUBFORM, ShopWithLines

from sync_databases.waiting import Clock
from tap_legacy_orders.every_order import EveryOrder

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

MakeShop = Callable[[dict[str, Any]], ShopWithLines]
WAYS = pytest.mark.parametrize("way", [TO_MODULE, TO_SUBFORM], ids=["module", "subform"])
REPAIRED = [part for kind in KINDS for part in ("--repair", kind)]


@pytest.fixture
def make(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[MakeShop]:
    """What makes a shop, on each engine in turn."""
    made: list[ShopWithLines] = []

    def of(way: dict[str, Any]) -> ShopWithLines:
        made.append(ShopWithLines(engine_url, zoho_emulator, tmp_path, write_to=dict(way)))
        return made[-1]

    yield of
    for shop in made:
        shop.engine.dispose()


def found_and_mended(shop: ShopWithLines, keys: list[str], each: int) -> None:
    """Plant, find exactly that, repair, run, and find nothing."""
    equal = audit(shop)
    assert (kinds(equal), equal["counts"]["equal"]) == ({}, len(keys) + 1)
    planted = plant(shop, keys, each)
    found = audit(shop)
    assert kinds(found) == planted
    assert found["counts"]["equal"] == len(keys) + 1 - sum(map(len, planted.values()))
    assert found["counts"]["ownerless"] == (0 if shop.in_subform else lines_of(shop, planted["missing_in_crm"]))
    mended = audit(shop, *REPAIRED)
    assert mended["repaired"]["due"] == sum(map(len, planted.values()))
    ended = shop.run()
    assert ended.code == 0, ended.err
    last = audit(shop)
    assert (kinds(last), last["equal"]) == ({}, True)


def lines_of(shop: ShopWithLines, orders: set[str]) -> int:
    return sum(line["order"] in orders for line in shop.legacy_lines().values())


@WAYS
def test_every_planted_line_is_found_and_none_is_invented_and_a_run_mends_them(
    make: MakeShop, way: dict[str, Any]
) -> None:
    shop = make(way)
    found_and_mended(shop, whole(shop, 80), 4)


@pytest.mark.nightly
def test_a_thousand_differences_of_eight_kinds_among_60000_orders_with_lines_are_found_and_mended(
    make: MakeShop,
) -> None:
    shop = make(TO_SUBFORM)
    found_and_mended(shop, whole(shop, 60_000), 125)


@pytest.fixture
def small(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[MakeShop]:
    """What makes a shop on SQLite."""
    made: list[Shop] = []

    def of(way: dict[str, Any]) -> ShopWithLines:
        shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to=dict(way))
        made.append(shop)
        return shop

    yield of
    for shop in made:
        shop.engine.dispose()


@WAYS
def test_the_price_that_is_foretold_is_spent(small: MakeShop, way: dict[str, Any]) -> None:
    shop = small(way)
    whole(shop, 40)
    before = credits_spent(shop)
    priced = json.loads(ask(shop, "--price", "--json").stdout)["price"]
    # Fields of two modules and, for a subform, none more; two counts.
    assert credits_spent(shop) - before == priced["spent"] == 4
    assert priced["rows"][lines_target(shop)]["records"] == len(shop.legacy_lines())
    before = credits_spent(shop)
    found = audit(shop)
    assert found["equal"]
    assert credits_spent(shop) - before == found["credits"] == found["credits_foretold"] == priced["credits"]


def lines_target(shop: ShopWithLines) -> str:
    return "Lines" if shop.in_subform else "Order_Lines"


@WAYS
def test_lines_that_the_next_run_brings_wait_for_it(small: MakeShop, way: dict[str, Any]) -> None:
    shop = small(way)
    keys = whole(shop, 6, lookback_seconds=1_000_000)
    shop.change_lines(keys[:2])
    waits = audit(shop)
    assert (kinds(waits), waits["counts"]["known"]) == ({}, {"waiting": 2})
    # Lines alone change, in a window that reaches back to their order: the content decides.
    with shop.engine.begin() as connection:
        connection.execute(sa.update(LINES).where(LINES.c.order_id == keys[3]).values(note="another"))
    edit(shop, keys[4:5], Notes="as a person wrote it")  # of which no content changed
    waits = audit(shop, "--repair", "edited_by_people")
    assert (kinds(waits), waits["counts"]["known"]) == ({"edited_by_people": {keys[4]}}, {"waiting": 3})
    assert shop.run().code == 0
    assert audit(shop)["counts"]["equal"] == 7


@WAYS
def test_lines_that_changed_where_no_run_looks_are_found_and_brought_over(small: MakeShop, way: dict[str, Any]) -> None:
    shop = small(way)
    keys = whole(shop, 6)
    with shop.engine.begin() as connection:
        connection.execute(sa.update(LINES).where(LINES.c.order_id == keys[3]).values(note="another"))
        connection.execute(sa.delete(LINES).where(LINES.c.order_id == keys[4]))
    found = audit(shop, "--repair", "line_differs", "--repair", "line_unknown")
    assert kinds(found) == {"line_differs": {keys[3]}, "line_unknown": {keys[4]}}
    assert {tuple(each["fields"]) for each in found["findings"] if each["kind"] == "line_differs"} == {("Note",)}
    assert shop.run().code == 0
    assert audit(shop)["equal"]


def test_a_line_that_a_person_gave_to_another_order_is_missing_here_and_unknown_there(small: MakeShop) -> None:
    shop = small(TO_MODULE)
    keys = whole(shop, 4)
    rows = rows_of(shop, keys)
    moved, there = rows[keys[0]][0]["line_id"], rows[keys[1]][0]["Order"]
    shop.emulator.admin.put_records("Order_Lines", [{"line_id": moved, "Order": there}], user=CLERK)
    found = audit(shop, "--since", "2000-01-01")
    assert kinds(found) == {"line_missing": {keys[0]}, "line_unknown": {keys[1]}}
    assert {tuple(each["lines"]) for each in found["findings"]} == {(moved,)}
    assert kinds(audit(shop, "--repair", "line_missing")) == kinds(found)
    assert shop.run().code == 0
    assert audit(shop)["equal"]


def test_who_changed_a_line_is_named_and_its_values_are_not(small: MakeShop, tmp_path: Path) -> None:
    shop = small(TO_MODULE)
    keys = whole(shop, 4)
    plant_records(shop, {"line_missing": [], "line_unknown": [], "line_doubled": [], "line_differs": keys[:1]})
    file = tmp_path / "found.csv"
    ended = ask(shop, "--csv", str(file))
    line = rows_of(shop, keys)[keys[0]][0]
    assert (ended.exit_code, line["Product"] in ended.output) == (1, False)
    (row,) = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    assert row["who"] == f"Emulator Clerk ({CLERK})"
    facts = (row["kind"], row["key"], row["lines"], row["fields"])
    assert facts == ("line_differs", keys[0], line["line_id"], "Quantity")


def test_a_sample_and_fields_alone_see_lines_where_they_are_asked_for(small: MakeShop) -> None:
    shop = small(TO_SUBFORM)
    keys = whole(shop, 60)
    planted = plant(shop, keys, 5)
    sampled = audit(shop, "--sample", "61")
    assert kinds(sampled) == planted
    assert sampled["credits"] <= sampled["credits_foretold"] + 2  # those whose key nothing holds, and who we are
    assert not set(kinds(audit(shop, "--fields", "Status"))) & set(OF_LINES)
    assert set(kinds(audit(shop, "--fields", "Lines"))) == {*OF_LINES, "missing_in_crm"}


def test_an_order_is_accepted_with_all_that_differs_of_it_or_not_at_all(small: MakeShop) -> None:
    shop = small(TO_MODULE)
    keys = whole(shop, 4)
    plant_records(shop, {"line_missing": [], "line_unknown": [], "line_doubled": [], "line_differs": keys[:2]})
    edit(shop, keys[:1], Notes="as a person wrote it")
    both = {"edited_by_people": {keys[0]}, "line_differs": {keys[0], keys[1]}}
    assert kinds(audit(shop, "--accept", "line_differs")) == both
    left = audit(shop)
    assert (kinds(left), left["counts"]["known"]) == (
        {"edited_by_people": {keys[0]}, "line_differs": {keys[0]}},
        {"accepted": 1},
    )
    audit(shop, "--accept", "line_differs", "--accept", "edited_by_people")
    assert audit(shop)["counts"]["known"] == {"accepted": 2}


def test_rows_stay_where_people_see_them_until_a_repair_asks_for_their_order(small: MakeShop) -> None:
    """A line that comes between others is added behind them: to make these anew takes what people wrote into them."""
    shop = small(TO_SUBFORM)
    (key, *_) = whole(shop, 2)
    before = [row["id"] for row in rows_of(shop, [key])[key]]
    with shop.engine.begin() as connection:
        connection.execute(sa.insert(LINES), shop.line(key, 9) | {"id": 0})
    shop.change([key], notes="changed")
    assert shop.run().code == 0
    assert [row["id"] for row in rows_of(shop, [key])[key]][:2] == before
    found = audit(shop, "--repair", "line_order")
    assert kinds(found) == {"line_order": {key}}
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert rows_of(shop, [key])[key][0]["Line_Id"] == "0"
    assert audit(shop)["equal"]
    shop.assert_whole()


def test_a_repair_of_lines_that_is_killed_is_made_by_the_next_run(small: MakeShop) -> None:
    shop = small(TO_SUBFORM)
    keys = whole(shop, 20)
    planted = plant(shop, keys, 2)
    audit(shop, *REPAIRED)
    # The second of the calls: orders are written, and their lines are not.
    assert shop.run(kill_at="before:target_zoho_crm.lines.subform_lines.SubformLines.write").code != 0
    assert len(planted) == len(KINDS)
    ended = shop.run()
    assert ended.code == 0, ended.err
    shop.ticks += 10_000_000
    last = audit(shop)
    assert kinds(last) == {}, last
    shop.assert_whole()


def test_an_order_that_changes_before_its_lines_are_read_is_looked_at_again(
    small: MakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = small(TO_SUBFORM)
    (key, *_) = whole(shop, 2)
    edit(shop, [key], Notes="as a person wrote it")  # so that it is looked at a second time
    read, looks = EveryOrder.lines_of, list[Sequence[str]]()

    def read_once_it_changed(self: EveryOrder, keys: Sequence[str]) -> dict[str, bytes]:
        looks.append(list(keys))
        if len(looks) == 2:
            shop.change_lines([key])
        return read(self, keys)

    monkeypatch.setattr(EveryOrder, "lines_of", read_once_it_changed)
    monkeypatch.setattr(Clock, "wait", lambda _self, _seconds: None)
    found = audit(shop)
    assert looks[1] == [key]
    assert (kinds(found), found["counts"]["known"]) == ({}, {"waiting": 1})


def test_an_order_without_an_ack_is_bound_only_if_its_lines_are_equal_too(small: MakeShop) -> None:
    shop = small(TO_SUBFORM)
    keys = whole(shop, 4)
    change_acks(shop, keys[:2])
    change_rows(shop, {keys[0]: [{"Line_Id": "x", "Product": "added"}]})
    found = audit(shop, "--repair", "unknown_to_ledger")
    assert kinds(found) == {"unknown_to_ledger": set(keys[:2]), "line_unknown": {keys[0]}}
    assert (found["repaired"]["due"], found["repaired"]["bound"]) == (1, 1)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert audit(shop)["equal"]


def test_an_order_with_a_line_that_cannot_be_written_is_bound_no_more_than_a_run_calls_it_synced(
    small: MakeShop,
) -> None:
    shop = small(TO_SUBFORM)
    keys = whole(shop, 4)
    with shop.engine.begin() as connection:
        others = [shop.line(keys[0], number) for number in range(101)]  # more than a subform takes
        connection.execute(sa.insert(LINES), others)
    change_acks(shop, keys[:2])
    found = audit(shop, "--repair", "unknown_to_ledger")
    assert (found["repaired"]["due"], found["repaired"]["bound"]) == (1, 1)
    shop.run()
    assert {key: shop.acks()[key].status for key in keys[:2]} == {keys[0]: "rejected", keys[1]: "synced"}


def test_the_page_names_what_was_found_and_holds_no_value(small: MakeShop, tmp_path: Path) -> None:
    shop = small(TO_MODULE)
    keys = whole(shop, 4)
    plant_records(shop, {"line_missing": [], "line_unknown": keys[1:2], "line_doubled": [], "line_differs": keys[:1]})
    file = tmp_path / "found.html"
    assert ask(shop, "--page", str(file)).exit_code == 1
    text, line = file.read_text(encoding="utf-8"), rows_of(shop, keys)[keys[0]][0]
    for said in ("line_differs", "line_unknown", keys[0], f"x-{keys[1]}", "Quantity", CLERK):
        assert said in text, said
    assert line["Product"] not in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_rows_are_put_in_order_by_a_call_where_all_else_goes_by_jobs(small: MakeShop) -> None:
    shop = small(TO_SUBFORM)
    shop.target_config["channel"] = "bulk_write"
    (key, *_) = whole(shop, 2)
    with shop.engine.begin() as connection:
        connection.execute(sa.insert(LINES), shop.line(key, 9) | {"id": 0})
    shop.change([key], notes="changed")
    assert shop.run().code == 0
    assert kinds(audit(shop, "--repair", "line_order")) == {"line_order": {key}}
    assert shop.run().code == 0
    assert audit(shop)["equal"]
