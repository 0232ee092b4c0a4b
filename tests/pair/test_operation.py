"""`operation`: update refuses what is not in the CRM, insert what is; an insert of ours is never called a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from pair_of_plugins import Shop

CHANNELS = ["upsert", "bulk_write"]


def put_in_crm(shop: Shop, keys: list[str], **values: Any) -> None:
    shop.emulator.admin.put_records("Orders", [{"parent_id": key, "Name": key, **values} for key in keys])


def put_long_ago(shop: Shop, keys: list[str]) -> None:
    """Records that are older than any insert of ours; Zoho's moments tick in seconds."""
    put_in_crm(shop, keys, Notes="theirs")
    shop.emulator.admin.advance_clock(3)


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_update_refuses_what_is_not_in_the_crm(any_shop: Shop, channel: str) -> None:
    shop = any_shop
    shop.target_config = {"channel": channel, "operation": "update"}
    there, absent = [f"SO-{number}" for number in range(120)], ["NEW-1", "O'Brien\\1"]
    put_in_crm(shop, there, Notes="theirs")
    shop.insert(there + absent, notes="ours")
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert (ended.summary["synced"], ended.summary["rejected"]) == (120, 2)
    shop.assert_all_synced(but=absent)
    acks = shop.acks()
    assert {(acks[key].error_code, acks[key].family, acks[key].next_attempt_at) for key in absent} == {
        ("NOT_IN_CRM", "data", None)
    }
    assert {acks[key].action for key in there} == {"update"}
    assert "The order is to be updated, and the CRM has no record of its key." in ended.err
    assert shop.run().summary["read"] == 0


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_insert_refuses_what_is_in_the_crm(any_shop: Shop, channel: str) -> None:
    shop = any_shop
    shop.target_config = {"channel": channel, "operation": "insert"}
    theirs, new = ["SO-1", "so-2"], [f"NEW-{number}" for number in range(150)]
    put_in_crm(shop, ["SO-1", "SO-2"], Notes="theirs")
    shop.insert(theirs + new, notes="ours")
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert (ended.summary["synced"], ended.summary["rejected"]) == (150, 2)
    crm, acks = shop.crm(), shop.acks()
    assert (crm["SO-1"]["Notes"], crm["SO-2"]["Notes"]) == ("theirs", "theirs")
    assert len(crm) == 152
    assert {(acks[key].status, acks[key].error_code, acks[key].family) for key in theirs} == {
        ("rejected", "DUPLICATE_DATA", "data")
    }
    assert {(acks[key].status, acks[key].action) for key in new} == {("synced", "insert")}
    assert shop.run().summary["read"] == 0
    shop.change(["NEW-1"], notes="changed")  # an insert does not update what it inserted before
    assert shop.run().summary["rejected"] == 1
    assert shop.crm()["NEW-1"]["Notes"] == "ours"


@pytest.mark.parametrize("fault", ["lost_after", "lost_before", "cut"])
def test_a_lost_answer_to_an_insert_is_no_refusal(shop: Shop, fault: str) -> None:
    shop.target_config = {"channel": "upsert", "operation": "insert"}
    put_long_ago(shop, ["SO-7"])
    shop.insert([f"SO-{number}" for number in range(30)])
    number = shop.emulator.admin.add_fault("insert", kind=fault, times=1)
    ended = shop.run()
    assert shop.emulator.admin.fired(number) == 1
    assert (ended.code, ended.summary["synced"], ended.summary["rejected"]) == (0, 29, 1), ended.err
    assert shop.crm()["SO-7"]["Notes"] == "theirs"
    shop.assert_all_synced_but_theirs(["SO-7"])


@pytest.mark.parametrize(
    "point",
    [
        "before:target_zoho_crm.api.client.ZohoClient.insert",
        "after:target_zoho_crm.api.client.ZohoClient.insert",
        "before:target_zoho_crm.confirmation.stream_ledger.StreamLedger.confirm",
        "after:target_zoho_crm.confirmation.stream_ledger.StreamLedger.confirm",
    ],
)
def test_a_killed_insert_is_no_refusal(shop: Shop, point: str) -> None:
    shop.target_config = {"channel": "upsert", "operation": "insert"}
    put_long_ago(shop, ["SO-7"])
    shop.insert([f"SO-{number}" for number in range(30)])
    shop.run(kill_at=point)
    shop.run()
    assert shop.acks()["SO-7"].error_code == "DUPLICATE_DATA"
    shop.assert_all_synced_but_theirs(["SO-7"])
    assert shop.run().summary["read"] == 0


def test_answers_that_stay_away_leave_the_orders_to_the_next_run(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert", "operation": "insert"}
    shop.insert([f"SO-{number}" for number in range(30)])
    fault = shop.emulator.admin.add_fault("insert", kind="lost_after")
    ended = shop.run()
    # One of them has failed alone, while Zoho could be read.
    assert (ended.code, ended.summary["left unsynced"], ended.summary["rejected"]) == (1, 29, 1), ended.err
    assert {ack.error_code for ack in shop.acks().values()} == {"INSERT_UNCONFIRMED", "BREAKS_CALLS"}
    shop.emulator.admin.remove_fault(fault)
    second = shop.run()
    assert (second.code, second.summary["synced"]) == (0, 30), second.err
    assert "30 orders were inserted by an earlier run" in second.err
    shop.assert_all_synced()


@pytest.mark.parametrize("lost", ["answer", "run", "result"])
def test_a_job_whose_creation_or_end_was_lost_is_no_refusal(shop: Shop, lost: str) -> None:
    shop.target_config = {"channel": "bulk_write", "operation": "insert"}
    put_long_ago(shop, ["SO-7"])
    shop.insert([f"SO-{number}" for number in range(30)])
    if lost == "answer":
        shop.emulator.admin.add_fault("bulk_create", kind="lost_after", times=1)
        shop.run()
    elif lost == "run":
        shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.create_job")
        shop.emulator.admin.wait_jobs()
        shop.run()
    else:
        shop.emulator.admin.add_fault("bulk_result", kind="answer", canned="link_gone", times=1)
        shop.run()
        shop.run()
    assert shop.acks()["SO-7"].error_code == "DUPLICATE_DATA"
    shop.assert_all_synced_but_theirs(["SO-7"])


def test_a_record_that_another_made_meanwhile_is_not_ours(shop: Shop) -> None:
    """In doubt, and yet not ours: the record is older than our attempt."""
    shop.target_config = {"channel": "upsert", "operation": "insert"}
    put_long_ago(shop, ["SO-1"])
    shop.insert(["SO-1"])
    fault = shop.emulator.admin.add_fault("insert", kind="lost_after")
    shop.run()
    assert shop.acks()["SO-1"].error_code == "BREAKS_CALLS"
    shop.emulator.admin.remove_fault(fault)
    shop.run()
    assert shop.acks()["SO-1"].error_code == "DUPLICATE_DATA"


def test_whole_orders_are_not_inserted(shop: Shop) -> None:
    shop.target_config = {"operation": "insert", "lines": {"write_to": "module"}}
    shop.insert(["SO-1"])
    ended = shop.run()
    assert ended.code == 2
    assert "Set `operation` to upsert or update" in ended.errors[0]
