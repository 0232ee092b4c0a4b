"""What a run changed is set back, with lines: but for what people and later runs wrote since, the CRM is as before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from audited_shop import CLERK, edit
from pair_of_plugins import Shop
from shop_with_lines import TO_SUBFORM, ShopWithLines
from undone_runs import UNDO, command, contents, killed_undo, last_run, outcomes, rows_of, undo

from sync_ledger.ledger import Ledger
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.writing.values_before import Sealing

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def without_rows(orders: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without rows of subforms, whose ids are others once they were made anew."""
    return {key: {name: value for name, value in each.items() if name != "Lines"} for key, each in orders.items()}


def assert_set_back(shop: Shop) -> None:
    """A run changes and makes orders; undone, the CRM is as it was; released, it is as the table."""
    keys = [f"SO-{number:03}" for number in range(130)]
    shop.insert(keys)
    assert shop.run().code == 0
    edit(shop, keys[:3], Notes="as the clerk has it", Status="Returned", Order_Date=None)
    before = contents(shop)
    shop.change(keys, status="Paid", customer_name="changed", notes="changed", total_amount=5)
    shop.insert(["NEW-1", "NEW-2"])
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert "keep_before" in ended.err
    assert contents(shop) != before
    run = last_run(shop)

    price = json.loads(command(shop, "undo", run, "--dry-run", "--json").stdout)["credits"]
    found = undo(shop, run)
    assert found["counts"] == {"reversed": 132, "kept": 0, "impossible": 0}
    assert found["credits"] <= price + 4  # who the API's user is; and what is read once more
    assert contents(shop) == before
    assert undo(shop, run)["counts"]["reversed"] == 132
    assert contents(shop) == before
    assert shop.run().summary["read"] == 0
    assert command(shop, "release", run).exit_code == 0
    assert shop.run().code == 0
    shop.assert_all_synced()


@pytest.mark.parametrize("kept", ["changed", "all"])
def test_what_a_run_changed_by_calls_is_set_back(any_shop: Shop, kept: str) -> None:
    any_shop.target_config = {"keep_before": kept, "channel": "upsert"}
    assert_set_back(any_shop)


def test_what_a_run_changed_by_jobs_is_set_back(shop: Shop) -> None:
    shop.target_config = {"keep_before": "changed", "channel": "bulk_write"}
    assert_set_back(shop)


def test_of_what_a_run_changed_it_is_kept_what_people_and_later_runs_wrote_since(shop: Shop) -> None:
    shop.target_config = {"keep_before": "changed"}
    shop.insert([f"SO-{number}" for number in range(6)])
    assert shop.run().code == 0
    before = contents(shop)
    shop.change([f"SO-{number}" for number in range(5)], status="Paid", notes="changed")
    assert shop.run().code == 0
    first = last_run(shop)
    edit(shop, ["SO-1"], Status="Returned")  # by a clerk, within the same second
    shop.change(["SO-2"], notes="once more")
    assert shop.run().code == 0
    later, there = last_run(shop), contents(shop)
    found = {each["key"]: each for each in undo(shop, first)["orders"]}
    assert {key for key, each in found.items() if each["outcome"] == "kept"} == {"SO-1", "SO-2"}
    assert CLERK in found["SO-1"]["person"]
    assert found["SO-2"]["later_run"] == later
    assert contents(shop) == before | {key: there[key] for key in ("SO-1", "SO-2")}
    # The newest first: then what the first run wrote can be taken back, too.
    assert outcomes(undo(shop, later)) == {"SO-2": "reversed"}
    assert outcomes(undo(shop, first))["SO-2"] == "reversed"
    assert contents(shop) == before | {"SO-1": there["SO-1"]}


def test_with_later_runs_undone_what_people_changed_between_stays(shop: Shop) -> None:
    shop.target_config = {"keep_before": "changed"}
    shop.insert(["SO-1", "SO-2", "SO-3"])
    assert shop.run().code == 0
    before = contents(shop)
    shop.change(["SO-1", "SO-2"], status="Paid", notes="first")
    assert shop.run().code == 0
    first = last_run(shop)
    edit(shop, ["SO-2"], Customer_Name="as the clerk has it")
    between = contents(shop)
    shop.change(["SO-1", "SO-2", "SO-3"], notes="second")
    assert shop.run().code == 0
    found = undo(shop, first, "--with-later")
    assert outcomes(found) == {"SO-1": "reversed", "SO-2": "kept"}
    assert {each["key"] for each in found["orders"] if each["held"]} == {"SO-1", "SO-2"}  # SO-2 by the later run
    there = contents(shop)
    assert (there["SO-1"], there["SO-2"]) == (before["SO-1"], between["SO-2"])
    assert there["SO-3"]["Notes"] == "second"


def test_what_is_kept_of_records_cannot_be_read_in_the_ledger(shop: Shop) -> None:
    shop.target_config = {"keep_before": "changed"}
    shop.insert(["SO-1"], notes="a word that is nobody's")
    assert shop.run().code == 0
    shop.change(["SO-1"], notes="another")
    assert shop.run().code == 0
    run = last_run(shop)
    (row,) = rows_of(shop, "before")
    assert b"nobody" not in row.sealed
    credentials = Credentials(shop.emulator.client_id, shop.emulator.client_secret, shop.emulator.refresh_token)
    ledger = Ledger.open(shop.ack_url)
    values = Sealing(credentials, ledger.ledger_id).opened(row.sealed)
    assert values is not None
    assert values.records["SO-1"]["Notes"] == "a word that is nobody's"
    others = Credentials(shop.emulator.client_id, "another", shop.emulator.refresh_token)
    assert Sealing(others, ledger.ledger_id).opened(row.sealed) is None
    ledger.close()
    shop.target_config["keep_before_days"] = 0
    shop.insert(["SO-2"])
    assert shop.run().code == 0
    assert rows_of(shop, "before") == []
    assert outcomes(undo(shop, run)) == {"SO-1": "impossible"}


SET_BACK_POINTS = (
    f"before:{UNDO}.crm_orders.CrmOrders.set_back:1",
    f"after:{UNDO}.crm_orders.CrmOrders.set_back:20",
    f"after:{UNDO}.crm_orders.CrmOrders.set_back:110",
)


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=() if "20" in point else pytest.mark.nightly) for point in SET_BACK_POINTS]
)
def test_setting_back_goes_on_after_a_kill(shop: Shop, point: str) -> None:
    shop.target_config = {"keep_before": "changed"}
    keys = [f"SO-{number:03}" for number in range(120)]
    shop.insert(keys)
    assert shop.run().code == 0
    before = contents(shop)
    shop.change(keys, status="Paid", notes="changed")
    assert shop.run().code == 0
    run = last_run(shop)
    assert killed_undo(shop, run, point).code == -9
    assert shop.run().code in {0, 3}
    assert undo(shop, run)["counts"] == {"reversed": 120, "kept": 0, "impossible": 0}
    assert contents(shop) == before


@pytest.fixture(params=["module", "subform"])
def with_lines(
    request: pytest.FixtureRequest, sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> Iterator[ShopWithLines]:
    write_to = {"write_to": request.param}
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to=write_to)
    yield shop
    shop.engine.dispose()


def test_lines_go_with_the_orders_that_a_run_inserted(with_lines: ShopWithLines) -> None:
    shop = with_lines
    shop.insert_whole(["OLD-1", "OLD-2"])
    assert shop.run().code == 0
    orders, lines = contents(shop), shop.crm_lines()
    shop.insert_whole([f"NEW-{number}" for number in range(30)])
    assert shop.run().code == 0
    run = last_run(shop)
    if shop.write_to != TO_SUBFORM:
        line = next(each for each in shop.emulator.admin.records("Order_Lines") if each["line_id"] not in lines)
        shop.emulator.admin.put_records("Order_Lines", [{"line_id": line["line_id"], "Note": "mine"}], user=CLERK)
    found = undo(shop, run)
    kept = [each["key"] for each in found["orders"] if each["outcome"] == "kept"]
    assert len(kept) == int(shop.write_to != TO_SUBFORM)
    assert {key for key in shop.crm() if key not in orders} == set(kept)
    assert {key: line for key, line in shop.crm_lines().items() if line["order"] not in kept} == lines


@pytest.mark.parametrize("channel", ["upsert", pytest.param("bulk_write", marks=pytest.mark.nightly)])
def test_lines_that_a_run_changed_are_set_back(with_lines: ShopWithLines, channel: str) -> None:
    shop = with_lines
    shop.target_config |= {"keep_before": "changed", "channel": channel}
    keys = [f"SO-{number}" for number in range(60)]
    shop.insert_whole(keys, most_lines=6)
    assert shop.run().code == 0
    orders, lines = contents(shop), shop.crm_lines()
    shop.change_lines(keys)
    shop.change(keys[:9], status="Paid")
    shop.insert_whole(["NEW-1", "NEW-2"], most_lines=6)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert shop.crm_lines() != lines
    found = undo(shop, last_run(shop))
    assert found["counts"] == {"reversed": 62, "kept": 0, "impossible": 0}
    assert shop.crm_lines() == lines
    assert without_rows(contents(shop)) == without_rows(orders)
    assert command(shop, "release", last_run(shop)).exit_code == 0
    assert shop.run().code == 0
    shop.assert_whole()


def test_an_order_whose_lines_people_changed_since_is_kept(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path)
    shop.target_config |= {"keep_before": "changed"}
    shop.insert(["SO-1", "SO-2"])
    shop.add_lines({"SO-1": 2, "SO-2": 2})
    assert shop.run().code == 0
    orders, lines = contents(shop), shop.crm_lines()
    shop.change_lines(["SO-1", "SO-2"])
    assert shop.run().code == 0
    changed = shop.crm_lines()
    line = next(key for key, each in changed.items() if each["order"] == "SO-1")
    zoho_emulator.admin.put_records("Order_Lines", [{"line_id": line, "Note": "mine"}], user=CLERK)
    found = {each["key"]: each for each in undo(shop, last_run(shop))["orders"]}
    assert found["SO-1"]["outcome"] == "kept"
    assert CLERK in found["SO-1"]["person"]
    there = shop.crm_lines()
    assert there[line]["note"] == "mine"
    assert {key: each for key, each in there.items() if each["order"] == "SO-2"} == {
        key: each for key, each in lines.items() if each["order"] == "SO-2"
    }
    assert set(contents(shop)) == set(orders)


@pytest.mark.nightly
@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_ten_thousand_orders_with_lines_are_undone(with_lines: ShopWithLines, channel: str) -> None:
    shop = with_lines
    shop.target_config |= {"keep_before": "changed", "channel": channel}
    keys = [f"SO-{number:05}" for number in range(5_000)]
    shop.insert_whole(keys, most_lines=3)
    assert shop.run().code == 0
    orders, lines = contents(shop), shop.crm_lines()
    shop.change_lines(keys)
    shop.insert_whole([f"NEW-{number:05}" for number in range(5_000)], most_lines=3)
    ended = shop.run()
    assert ended.code == 0, ended.err
    run = last_run(shop)
    for at in (3, 500, 2_000):
        assert killed_undo(shop, run, f"after:{UNDO}.crm_orders.CrmOrders.set_back:{at}").code in {-9, 0}
    assert killed_undo(shop, run, f"after:{UNDO}.crm_orders.CrmOrders.delete:7").code in {-9, 0}
    for _ in range(2):
        assert undo(shop, run)["counts"] == {"reversed": 10_000, "kept": 0, "impossible": 0}
        assert shop.crm_lines() == lines
        assert without_rows(contents(shop)) == without_rows(orders)
