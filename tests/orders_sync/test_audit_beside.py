"""An audit beside runs, jobs and people finds what people did, and nothing that a run has in hand."""

from __future__ import annotations

import threading
from collections.abc import Collection

import pytest
from audited_shop import audit, edit, kinds, synced
from following_pair import FOLLOW, following
from pair_of_plugins import Shop

from orders_sync.comparison.crm_records import CrmRecords
from orders_sync.comparison.module_reading import Record
from sync_databases.waiting import Clock


def changing(shop: Shop, ours: list[str], theirs: list[str], over: threading.Event, edited: set[str]) -> None:
    """The legacy shop changes some orders, and a person edits records of others, without end."""
    for turn in range(1_000_000):
        if over.is_set():
            return
        key = ours[turn % len(ours)]
        shop.change([key], notes=f"change {turn}")
        shop.insert([f"NEW-{turn:06d}"])
        if turn % 5 == 0 and len(edited) < len(theirs):
            edited.add(theirs[len(edited)])  # before it is done: an audit may see it at once
            edit(shop, [theirs[len(edited) - 1]], Notes="as a person wrote it")
        over.wait(0.05)


@pytest.mark.nightly
def test_beside_a_pair_that_follows_a_shop_only_people_are_found(shop: Shop) -> None:
    keys = synced(shop, 60)
    ours, theirs, edited, over = keys[:30], keys[30:], set[str](), threading.Event()
    shop.tap_config = {**shop.tap_config, **FOLLOW}
    shop.target_config = {"max_age_seconds": 0.2, "bulk_rows": 200}
    with following(shop) as pair:
        writing = threading.Thread(target=changing, args=(shop, ours, theirs, over, edited))
        writing.start()
        try:
            for _ in range(4):
                found = kinds(audit(shop))
                assert found.keys() <= {"edited_by_people"}, found
                assert found.get("edited_by_people", set()) <= edited
        finally:
            over.set()
            writing.join()
        assert pair.stop().code == 0
    shop.tap_config = {"lookback_seconds": 0}
    assert shop.run().code == 0
    last = audit(shop)
    assert kinds(last) == {"edited_by_people": edited}
    assert last["counts"]["known"] == {}


def test_orders_in_a_job_of_a_dead_run_are_under_way_until_it_is_settled(small: Shop) -> None:
    keys = synced(small, 8)
    small.target_config = {"channel": "bulk_write"}
    small.change(keys[:5])
    small.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.create_job")
    assert {ack.status for key, ack in small.acks().items() if key in keys[:5]} == {"submitted"}
    beside = audit(small)
    assert (beside["equal"], beside["counts"]["known"]) == (True, {"under_way": 5})
    assert small.run().code == 0
    assert audit(small)["counts"]["equal"] == 9


def test_what_a_run_settles_between_two_readings_of_the_ledger_is_looked_at_again(
    small: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = synced(small, 4)
    edit(small, keys[:2], Notes="as a person wrote it")
    read, looks = CrmRecords.of_keys, list[Collection[str]]()

    def read_and_be_overtaken(self: CrmRecords, asked: Collection[str]) -> list[Record]:
        records = read(self, asked)
        looks.append(sorted(asked))
        if len(looks) == 1:
            small.change(keys[:2])
            assert small.run().code == 0
        return records

    monkeypatch.setattr(CrmRecords, "of_keys", read_and_be_overtaken)
    monkeypatch.setattr(Clock, "wait", lambda _self, _seconds: None)
    found = audit(small)
    assert (kinds(found), found["equal"], found["counts"]["equal"]) == ({}, True, 5)
    assert looks == [keys[:2], keys[:2]]


def test_orders_that_the_next_run_sends_wait_and_refused_ones_are_no_finding(small: Shop) -> None:
    keys = synced(small, 6)
    small.change(keys[:2])
    small.insert(["NEW"])
    assert audit(small)["counts"]["known"] == {"waiting": 3}
    small.change(keys[2:3], customer_name="x" * 300)
    assert small.run().code == 0
    refused = audit(small)
    assert (refused["counts"]["known"], refused["equal"], kinds(refused)) == ({"refused": 1}, False, {})


def test_orders_that_the_filter_leaves_out_are_no_finding(small: Shop) -> None:
    keys = synced(small, 6)
    small.change(keys[:2], status="Draft")
    assert small.run().code == 0
    small.tap_config["filter"] = "status <> 'Draft'"
    left_out = audit(small)
    assert (left_out["counts"]["known"], left_out["equal"]) == ({"filtered_out": 2}, True)
