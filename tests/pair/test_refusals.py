"""Refused orders: named with Zoho's code and field, kept out of the way of the others, and sent again when mended."""

from __future__ import annotations

import pytest
from pair_of_plugins import Shop

CHANNELS = ["upsert", "bulk_write"]


@pytest.fixture
def bad_shop(shop: Shop) -> Shop:
    """1,000 orders, 3 % of them bad in three ways; the emulator demands a customer name."""
    shop.emulator.admin.alter_field("Orders", "Customer_Name", system_mandatory=True)
    shop.insert(f"SO-{number}" for number in range(970))
    shop.insert((f"LONG-{number}" for number in range(10)), customer_name="x" * 121)
    shop.insert((f"PICK-{number}" for number in range(10)), status="Shiped")
    shop.insert((f"NAMELESS-{number}" for number in range(10)), customer_name=None)
    return shop


CAUSES = [
    "10 orders: Customer_Name is longer than the field's 120 characters; INVALID_DATA in field Customer_Name",
    '10 orders: Status "Shiped" is not in the picklist (did you mean "Shipped"?); INVALID_DATA in field Status',
    "10 orders: Customer_Name has no value, and the field is mandatory; MANDATORY_NOT_FOUND in field Customer_Name",
]
EXPECTED = {
    "LONG": ("INVALID_DATA", "Customer_Name"),
    "PICK": ("INVALID_DATA", "Status"),
    "NAMELESS": ("MANDATORY_NOT_FOUND", "Customer_Name"),
}


def test_the_price_of_a_call_leaves_out_orders_that_are_refused_before_it(shop: Shop) -> None:
    shop.insert(["PICK-1", "PICK-2"], status="Shiped")
    alone = shop.run()
    assert alone.summary["rejected"] == 2
    assert "upsert call(s)" not in alone.err
    shop.insert(["PICK-3"], status="Shiped")
    shop.insert(["SO-1"])
    both = shop.run()
    assert (both.summary["rejected"], both.summary["synced"]) == (1, 1)
    assert "1 records: 1 in 1 upsert call(s) = 1 credits" in both.err


@pytest.mark.parametrize("checked_by", ["us", "zoho"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_good_orders_go_and_each_bad_one_is_named(bad_shop: Shop, channel: str, checked_by: str) -> None:
    shop = bad_shop
    shop.target_config = {"channel": channel, "validate": checked_by == "us"}
    first = shop.run()
    assert first.code == 0, first.err
    assert (first.summary["synced"], first.summary["rejected"]) == (970, 30)
    bad = {f"{kind}-{number}" for kind in EXPECTED for number in range(10)}
    shop.assert_all_synced(but=bad)
    acks = shop.acks()
    for key in bad:
        ack = acks[key]
        assert (ack.status, ack.family, ack.next_attempt_at) == ("rejected", "data", None)
        assert (ack.error_code, ack.error_field) == EXPECTED[key.partition("-")[0]]
    warnings = [line for line in first.err.splitlines() if "| WARNING" in line]
    by_zoho = [f"10 orders: {code} in field {where}" for code, where in EXPECTED.values()]
    for cause in CAUSES if checked_by == "us" else by_zoho:
        assert sum(cause in line for line in warnings) == 1
    assert "xxx" not in first.err
    by_fate = shop.emulator.admin.stats()["records"]
    assert sum(count for fate, count in by_fate.items() if fate.endswith(" none")) == (0 if checked_by == "us" else 30)

    assert shop.run().summary["read"] == 0
    shop.change(["PICK-3"], status="Shipped")
    mended = shop.run()
    assert (mended.summary["read"], mended.summary["synced"]) == (1, 1)
    shop.assert_all_synced(but=bad - {"PICK-3"})


@pytest.mark.parametrize("channel", CHANNELS)
def test_on_rejection_fail_ends_the_run_as_failed_after_all_is_done(bad_shop: Shop, channel: str) -> None:
    shop = bad_shop
    shop.target_config = {"channel": channel, "on_rejection": "fail"}
    first = shop.run()
    assert first.code == 1
    assert first.errors[-1].endswith("30 orders were refused, and on_rejection is fail")
    assert (first.summary["synced"], first.summary["rejected"]) == (970, 30)
    assert shop.run().code == 0


def test_fail_fast_stops_at_the_first_refusal_and_loses_nothing(bad_shop: Shop) -> None:
    shop = bad_shop
    shop.target_config = {"channel": "upsert", "on_rejection": "fail_fast"}
    assert shop.run().code == 1
    shop.target_config = {"channel": "upsert"}
    assert shop.run().code == 0
    assert len(shop.crm()) == 970


def test_orders_whose_keys_zoho_takes_for_one_are_refused_by_name(shop: Shop) -> None:
    shop.insert(["SO-1", "so-2 x"])
    assert shop.run().summary["synced"] == 2
    before = shop.crm()["SO-1"]
    shop.insert(["so-1", "so-9", "SO-9", "SO-10"])
    second = shop.run()
    assert (second.summary["synced"], second.summary["rejected"]) == (1, 3)
    acks = shop.acks()
    for key, other in {"so-1": "SO-1", "so-9": "SO-9", "SO-9": "so-9"}.items():
        assert (acks[key].status, acks[key].error_code) == ("rejected", "DUPLICATE_DATA")
        assert repr(other) in acks[key].error_message
    assert shop.crm()["SO-1"] == before
    assert set(shop.crm()) == {"SO-1", "so-2 x", "SO-10"}


def test_rows_that_a_job_never_tried_are_due_again_in_the_next_run(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(f"SO-{number}" for number in range(100))
    shop.emulator.admin.add_fault(kind="unprocessed", rows=7, times=1)
    first = shop.run()
    assert first.code == 0
    assert (first.summary["synced"], first.summary["rejected"]) == (93, 7)
    assert "(7 of them due again by themselves)" in first.err
    second = shop.run()
    assert (second.summary["read"], second.summary["synced"]) == (7, 7)
    shop.assert_all_synced()


def test_a_job_that_fails_as_a_whole_blames_no_order(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(f"SO-{number}" for number in range(100))
    shop.emulator.admin.add_fault(kind="job_failed", code="INTERNAL_ERROR", times=1)
    shop.run()
    assert {ack.family for ack in shop.acks().values()} == {"transient"}
    assert shop.run().summary["synced"] == 100
    shop.assert_all_synced()


def test_an_order_is_not_tried_for_ever(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert", "max_attempts": 2}
    shop.insert(["SO-1", "SO-2"])
    shop.emulator.admin.add_fault(kind="record_error", code="RECORD_LOCKED", keys=["SO-2"])
    assert shop.run().summary["rejected"] == 1
    assert shop.run().summary["parked"] == 1
    assert shop.run().summary["read"] == 0
    ack = shop.acks()["SO-2"]
    assert (ack.status, ack.attempts, ack.error_code) == ("parked", 2, "RECORD_LOCKED")
    shop.emulator.admin.clear_faults()
    shop.change(["SO-2"])
    assert shop.run().summary["synced"] == 1
    shop.assert_all_synced()


def test_an_outage_leaves_orders_unsynced_and_ends_as_failed(shop: Shop) -> None:
    shop.insert(f"SO-{number}" for number in range(10))
    for endpoint in ("upsert", "org"):  # writes, and the read by which an outage is told from a call that fails
        shop.emulator.admin.add_fault(endpoint, kind="lost_before")
    shop.target_config = {"channel": "upsert"}
    out = shop.run()
    assert out.code == 1
    assert out.summary["left unsynced"] == 10
    assert shop.acks() == {}
    assert not out.out.strip() or '"replication_key_value"' not in out.out
    shop.emulator.admin.clear_faults()
    assert shop.run().summary["synced"] == 10
    shop.assert_all_synced()


def test_an_answer_lost_after_its_effect_doubles_nothing(shop: Shop) -> None:
    shop.insert(f"SO-{number}" for number in range(50))
    shop.emulator.admin.add_fault("upsert", kind="lost_after", times=2)
    assert shop.run().summary["synced"] == 50
    shop.target_config = {"channel": "bulk_write"}
    shop.change([f"SO-{number}" for number in range(50)])
    shop.emulator.admin.add_fault("bulk_create", kind="lost_after", times=1)
    assert shop.run().summary["synced"] == 50
    shop.assert_all_synced()


def test_a_full_storage_leaves_the_rows_of_a_job_due_and_not_in_flight_for_ever(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(["SO-1", "SO-2"])
    shop.emulator.admin.add_fault(kind="record_error", code="STORAGE_SPACE_EXCEEDED", keys=["SO-2"])
    full = shop.run()
    assert full.code == 1
    assert "STORAGE_SPACE_EXCEEDED" in full.errors[-1]
    shop.emulator.admin.clear_faults()
    assert shop.run().summary["synced"] == 1
    shop.assert_all_synced()


def test_a_gateway_that_does_not_know_the_job_does_not_end_it(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(["SO-1"])
    shop.emulator.admin.add_fault("bulk_poll", kind="answer", status=404, body="<html>404</html>", times=1)
    left = shop.run()
    assert (left.code, left.summary["left unsynced"]) == (0, 1)
    assert "is left to the next run" in left.err
    assert shop.acks()["SO-1"].status == "submitted"
    assert shop.run().code == 0
    shop.assert_all_synced()
    assert sum(shop.emulator.admin.stats()["jobs"].values()) == 1


def test_a_fault_of_the_set_up_counts_against_no_order(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write", "max_attempts": 1}
    shop.insert(["SO-1"])
    shop.emulator.admin.add_fault(kind="job_failed", code="INVALID_FORMAT", times=1)
    broken = shop.run()
    assert broken.code == 2
    assert "INVALID_FORMAT" in broken.errors[-1]
    assert shop.acks()["SO-1"].attempts == 0
    assert shop.run().summary["synced"] == 1
    shop.assert_all_synced()


def test_a_job_that_may_exist_is_not_given_back(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(["SO-1"])
    shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.create_job")
    shop.emulator.admin.add_fault("bulk_create", kind="answer", canned="storage_full", times=1)
    assert shop.run().code == 1
    assert {job.step for job in shop.jobs()} == {"uploaded"}
    assert shop.acks()["SO-1"].status == "submitted"
    assert shop.run().code == 0
    shop.assert_all_synced()
