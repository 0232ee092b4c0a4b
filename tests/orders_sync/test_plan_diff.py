"""`orders-sync plan --diff` foretells each field that the next run changes, and changes none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from audited_shop import edit, synced
from click.testing import CliRunner, Result
from pair_of_plugins import COMPARED, Shop
from planned_shop import apply, counts

from orders_sync.cli import main

FIELDS = (*COMPARED.values(), "Updated_At")


def ask(shop: Shop, *options: str) -> Result:
    tap, target = shop.configs()
    files = ["--tap-config", str(tap), "--target-config", str(target)]
    return CliRunner().invoke(main, ["plan", *files, "--diff", *options])


def diff(shop: Shop, *options: str) -> Any:
    result = ask(shop, "--json", *options)
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def credits_spent(shop: Shop) -> int:
    return sum(shop.emulator.admin.stats()["credits"]["by_kind"].values())


def changes(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """What became of the fields of records that were there before, by field and kind of change."""
    found: dict[str, Counter[str]] = {}
    for key, record in before.items():
        for name in FIELDS:
            old, new = record[name], after[key][name]
            if old != new:
                kind = "set" if old is None else "cleared" if new is None else "changed"
                found.setdefault(name, Counter())[kind] += 1
    return found


def assert_comes_true(shop: Shop) -> Any:
    """The next run makes just the changes that were foretold."""
    before, foretold = shop.crm(), diff(shop)
    assert shop.crm() == before
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert_foretold(foretold, before, shop.crm())
    assert ended.summary["read"] == foretold["unsynced"] == foretold["compared"]
    assert ended.summary["rejected"] == foretold["not_written"]
    return foretold


def assert_foretold(
    foretold: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> None:
    """All changes were foretold, and no others."""
    assert {name: Counter(counts) for name, counts in foretold["fields"].items()} == {
        name: Counter(dict.fromkeys(("set", "changed", "cleared"), 0)) | counts
        for name, counts in changes(before, after).items()
    }
    assert len(after) - len(before) == foretold["new"]


def make_changes(shop: Shop, keys: list[str]) -> None:
    """Orders that change in some fields, are emptied or filled, new, not to be written, or edited by people."""
    tenth = len(keys) // 10
    part = [keys[start : start + tenth] for start in range(0, 10 * tenth, tenth)]
    shop.change(part[0], status="Returned")
    shop.change(part[1], customer_name="Ada", total_amount=None)
    shop.change(part[2], notes=None)
    shop.change(part[3], notes="a note")
    shop.change(part[4])
    shop.change(part[5], customer_name="x" * 300)
    edit(shop, part[6], Notes="as a person wrote it")
    shop.change(part[6], notes="as a person wrote it")
    shop.insert(f"NEW-{number}" for number in range(tenth))


def test_the_foretold_differences_are_those_that_the_run_makes(shop: Shop) -> None:
    keys = synced(shop, 200)
    make_changes(shop, keys)
    foretold = assert_comes_true(shop)
    assert (foretold["new"], foretold["not_written"], foretold["unchanged"]) == (20, 20, 0)
    assert foretold["fields"]["Status"] == {"set": 0, "changed": 20, "cleared": 0}
    again = diff(shop)
    assert (again["unsynced"], again["fields"]) == (0, {})


@pytest.mark.nightly
def test_the_foretold_differences_of_60000_orders_are_those_that_the_run_makes(shop: Shop) -> None:
    make_changes(shop, synced(shop, 60_000))
    assert assert_comes_true(shop)["unsynced"] == 48_000


def assert_plan_comes_true(shop: Shop, count: int) -> None:
    """A plan's foretold differences are those that applying it makes, of so many orders, whatever changed since."""
    keys = synced(shop, count)
    make_changes(shop, keys)
    before, foretold = shop.crm(), diff(shop, "--save")
    assert foretold["planned"] == foretold["unsynced"] == foretold["compared"] == count * 8 // 10
    shop.change(keys[-count // 10 :], status="Returned")  # in no plan
    ended = apply(shop, foretold["plan"], "--json")
    assert ended.code == 0, ended.err
    assert counts(ended) == {"applied": count * 7 // 10, "refused": count // 10}
    assert_foretold(foretold, before, shop.crm())


def test_the_foretold_differences_of_a_plan_are_those_that_apply_makes(shop: Shop) -> None:
    assert_plan_comes_true(shop, 200)


@pytest.mark.nightly
def test_the_foretold_differences_of_a_plan_of_60000_orders_are_those_that_apply_makes(shop: Shop) -> None:
    assert_plan_comes_true(shop, 60_000)


def test_an_order_that_a_write_would_not_change_is_counted_so(small: Shop) -> None:
    keys = synced(small, 5)
    small.emulator.admin.put_records("Orders", [{"parent_id": keys[0], "Status": "Returned"}])
    with small.engine.begin() as connection:  # the same change on both sides
        connection.exec_driver_sql(f"UPDATE orders SET status = 'Returned' WHERE order_id = '{keys[0]}'")
    assert CliRunner().invoke(main, ["resend", keys[0], "--ack-url", small.ack_url, "--yes"]).exit_code == 0
    found = diff(small)
    assert (found["unsynced"], found["unchanged"], found["fields"]) == (1, 1, {})


def test_the_price_is_said_first_and_a_budget_that_does_not_suffice_ends_the_plan(small: Shop) -> None:
    keys = synced(small, 120)
    small.change(keys)
    before = credits_spent(small)
    found = diff(small)
    assert credits_spent(small) - before == found["credits"] == 1 + 3  # fields, and 50 orders a query
    before = credits_spent(small)
    refused = ask(small, "--budget", "3")
    assert (refused.exit_code, "it takes 4 credits" in refused.output) == (1, True)
    assert credits_spent(small) - before == 1
    some = diff(small, "--sample", "50")
    assert (some["unsynced"], some["compared"], some["credits"]) == (120, 50, 2)
    shown = ask(small)
    assert "120 of 120 orders: 4 credits, 1 of them spent" in shown.output
    assert "Updated_At" in shown.output
