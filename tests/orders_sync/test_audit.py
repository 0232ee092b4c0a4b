"""`orders-sync audit` finds every difference between table, ledger and CRM, names each, and invents none."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from audited_shop import (
    CLERK,
    FULL_WIDTH,
    ask,
    audit,
    change_acks,
    credits_spent,
    delete_records,
    edit,
    kinds,
    plant,
    synced,
)
from click.testing import CliRunner
from pair_of_plugins import Shop

from orders_sync.cli import main
from orders_sync.comparison import crm_records, module_reading


def test_every_planted_difference_is_found_and_none_is_invented(shop: Shop) -> None:
    keys = synced(shop, 300)
    assert audit(shop)["counts"]["equal"] == 301
    planted = plant(shop, keys, 10)
    found = audit(shop)
    assert kinds(found) == planted
    assert found["counts"]["equal"] == 301 - 80
    by_people = [each for each in found["findings"] if each["kind"] == "edited_by_people"]
    assert {each["who"] for each in by_people} == {f"Emulator Clerk ({CLERK})"}
    assert {tuple(each["fields"]) for each in by_people} == {("Status", "Total_Amount")}


def test_records_of_one_order_are_seen_together_however_many_orders_are_looked_at(small: Shop) -> None:
    keys = synced(small, 900)
    edit(small, [key.translate(FULL_WIDTH) for key in keys[:5]], None, Status="New")
    edit(small, keys[5:], Notes="as a person wrote it")  # so that one look does not take them all
    assert kinds(audit(small)) == {"doubled": set(keys[:5]), "edited_by_people": set(keys[5:])}


REPAIRABLE = (
    "missing_in_crm",
    "older_version",
    "edited_by_people",
    "differs",
    "unknown_to_ledger",
    "ack_without_record",
)
CORRECTED_BY_PEOPLE = ("missing_in_database", "doubled")


def repairs(option: str, kinds_: Sequence[str]) -> list[str]:
    return [part for kind in kinds_ for part in (option, kind)]


def test_after_repairs_and_a_run_all_is_equal(shop: Shop) -> None:
    keys = synced(shop, 100)
    planted = plant(shop, keys, 4)
    tried = audit(shop, *repairs("--repair", REPAIRABLE), "--dry-run")
    assert tried["repaired"]["meant"] == dict.fromkeys(REPAIRABLE, 4)
    assert kinds(audit(shop)) == planted
    mended = audit(shop, *repairs("--repair", REPAIRABLE), *repairs("--accept", CORRECTED_BY_PEOPLE))
    # Half of the acks without a record are bound to theirs, half are of orders that are nowhere.
    assert mended["repaired"]["due"] == 16
    assert (mended["repaired"]["bound"], mended["repaired"]["noted_deleted"], mended["repaired"]["accepted"]) == (
        6,
        2,
        8,
    )
    assert shop.run().code == 0
    last = audit(shop)
    assert (kinds(last), last["equal"], last["counts"]["known"]) == ({}, True, {"accepted": 8})
    assert shop.emulator.admin.stats()["requests"].get("delete", 0) == 1  # the planting's own
    # What was accepted counts again once it is another difference.
    doubled = sorted(planted["doubled"])[:1]
    delete_records(shop, doubled)
    assert kinds(audit(shop)) == {"ack_without_record": set(doubled)}
    edit(shop, sorted(planted["missing_in_database"])[:1], Status="Paid")
    assert audit(shop)["counts"]["known"] == {"accepted": 7}  # of a record without an order nothing is compared


@pytest.mark.nightly
def test_a_thousand_differences_among_60000_orders_are_found_and_mended(shop: Shop) -> None:
    keys = synced(shop, 60_000)
    planted = plant(shop, keys, 125)
    before = shop.emulator.admin.stats()["credits"]["by_kind"]
    found = audit(shop)
    after = shop.emulator.admin.stats()["credits"]["by_kind"]
    assert kinds(found) == planted
    assert sum(after.values()) - sum(before.values()) == found["credits"]
    assert after["bulk_read"] - before.get("bulk_read", 0) == 50
    audit(shop, *repairs("--repair", REPAIRABLE), *repairs("--accept", CORRECTED_BY_PEOPLE))
    assert shop.run().code == 0
    last = audit(shop)
    assert (kinds(last), last["equal"], last["counts"]["known"]) == ({}, True, {"accepted": 250})


@pytest.mark.parametrize("by_jobs", [True, False])
def test_the_price_that_is_foretold_is_spent_and_not_exceeded(
    small: Shop, monkeypatch: pytest.MonkeyPatch, *, by_jobs: bool
) -> None:
    if by_jobs:  # as with more records, or more fields than a query may ask for
        for module in (crm_records, module_reading):
            monkeypatch.setattr(module, "QUERY_FIELDS", 1)
        small.emulator.admin.switch(max_read_rows=40)
    synced(small, 40)
    before = credits_spent(small)
    priced = json.loads(ask(small, "--price", "--json").stdout)["price"]
    assert credits_spent(small) - before == priced["spent"] == 2  # fields, and a count
    before = credits_spent(small)
    found = audit(small)
    # 41 records: a second job for the last one, of which the count did not tell.
    foretold = priced["credits"] + (50 if by_jobs else 0)
    assert (found["equal"], credits_spent(small) - before) == (True, foretold)
    assert found["credits"] == foretold
    assert ("bulk_read_create" in small.emulator.admin.stats()["requests"]) == by_jobs
    before = credits_spent(small)
    refused = ask(small, "--budget", "3")
    assert refused.exit_code == 1
    assert "it takes" in refused.output
    assert credits_spent(small) - before <= 3


def test_what_a_budget_does_not_suffice_for_is_counted_and_not_judged(small: Shop) -> None:
    keys = synced(small, 20)
    edit(small, keys[:10], Status="Returned")
    found = audit(small, "--budget", "6")
    assert (found["equal"], found["findings"], found["counts"]["known"]) == (False, [], {"not_looked_at": 10})
    assert found["credits"] <= 6


def test_a_sample_and_what_changed_since_cost_little_and_find_what_they_see(small: Shop) -> None:
    keys = synced(small, 60)
    edit(small, keys[:6], Status="Returned")
    everything = audit(small, "--sample", "61")
    assert kinds(everything) == {"edited_by_people": set(keys[:6])}
    assert everything["credits"] <= everything["credits_foretold"] + 1  # who the token's user is
    some = audit(small, "--sample", "10")
    assert some["counts"]["orders"] == 10
    assert set().union(*kinds(some).values()) <= set(keys[:6])
    assert kinds(audit(small, "--since", "2000-01-01")) == {"edited_by_people": set(keys[:6])}
    assert audit(small, "--since", "2999-01-01")["counts"]["orders"] == 0
    assert "no more than" in ask(small, "--sample", "10").output


def test_fields_alone_are_compared_and_one_that_is_not_written_is_refused(small: Shop) -> None:
    keys = synced(small, 5)
    edit(small, keys[:2], Status="Returned")
    assert audit(small, "--fields", "Customer_Name,Total_Amount")["equal"]
    assert kinds(audit(small, "--fields", "Status")) == {"edited_by_people": set(keys[:2])}
    refused = ask(small, "--fields", "Statuz")
    assert (refused.exit_code, "nothing is written to 'Statuz'. Did you mean Status?" in refused.output) == (1, True)


def test_no_repair_deletes_anything(small: Shop) -> None:
    synced(small, 1)
    for kind in CORRECTED_BY_PEOPLE:
        refused = ask(small, "--repair", kind)
        assert (refused.exit_code, "nothing is deleted here" in refused.output) == (2, True)


@pytest.mark.parametrize("kind", ["unknown_to_ledger", "ack_without_record"])
def test_no_order_is_bound_of_which_only_some_fields_were_compared(small: Shop, kind: str) -> None:
    (key, *_) = synced(small, 2)
    edit(small, [key], Status="Returned")
    change_acks(small, [key])
    refused = ask(small, "--fields", "Customer_Name", "--repair", kind)
    assert (refused.exit_code, "leave --fields out" in refused.output) == (2, True)
    assert key not in small.acks()


def test_the_last_audit_stands_in_the_status(small: Shop) -> None:
    keys = synced(small, 3)
    status = ["status", "--ack-url", small.ack_url, "--ledger-only"]
    assert "no audit yet" in CliRunner().invoke(main, status).output
    equal = audit(small)
    edit(small, keys[:1], Status="Returned")
    other = audit(small)
    assert other["counts"]["database_hash"] == equal["counts"]["database_hash"]
    assert other["counts"]["crm_hash"] != equal["counts"]["crm_hash"]
    assert "all orders (4): 1 edited_by_people" in CliRunner().invoke(main, status).output


def test_findings_are_rows_of_a_csv_and_hold_no_value_of_an_order(small: Shop, tmp_path: Path) -> None:
    keys = synced(small, 3)
    edit(small, keys[:1], Notes="a secret of the order")
    file = tmp_path / "found.csv"
    ended = ask(small, "--csv", str(file))
    assert (ended.exit_code, "a secret" in ended.output) == (1, False)
    rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["kind", "key", "record_id", "fields", "who", "when", "detail", "lines"]
    assert rows[1][:5] == [
        "edited_by_people",
        keys[0],
        small.crm()[keys[0]]["id"],
        "Notes",
        f"Emulator Clerk ({CLERK})",
    ]
