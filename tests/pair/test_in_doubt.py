"""What may have landed or may land late is in doubt until it cannot land any more; then it is compared, and mended."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from emulator_client import Client
from following_pair import FOLLOW, following, until
from named_accounts import by, put_accounts
from pair_of_plugins import ORDERS, Shop, differences
from writes_in_doubt import in_doubt, time_passes

from orders_sync.cli import main

JOB = [f"SO-{number}" for number in range(12)]
TEN_YEARS_SECONDS = 11 * 365 * 86_400
"""After which the emulator ends a job that never ends."""
BY_JOBS = {"channel": "bulk_write", "job_wait_seconds": 20}
PERSON = "4876876000000000302"
NOTHING: dict[str, int] = {"rejected": 0, "parked": 0, "superseded": 0, "left unsynced": 0}


def assert_newest(shop: Shop) -> None:
    orders, crm = shop.orders(), shop.crm()
    assert {key: found for key, order in orders.items() if (found := differences(order, crm[key]))} == {}


def spent(shop: Shop) -> Counter[str]:
    """Credits by kind, without those that each run spends on metadata."""
    kinds = shop.emulator.admin.stats()["credits"]["by_kind"]
    return Counter({kind: credits_ for kind, credits_ in kinds.items() if kind != "metadata"})


def edit(shop: Shop, key: str, name: str, user: str | None = PERSON) -> None:
    """Change an order in the CRM, as a person does; without `user` as an automation that our write set off."""
    shop.emulator.admin.put_records("Orders", [{"parent_id": key, "Customer_Name": name}], user=user)


def remove(shop: Shop, key: str) -> None:
    """Delete an order's record in the CRM, as a person does."""
    client = Client(shop.emulator)
    assert client.delete(f"/crm/v8/Orders?ids={shop.crm()[key]['id']}").json()["data"][0]["code"] == "SUCCESS"


def status(shop: Shop, *arguments: str) -> Any:
    result = CliRunner().invoke(
        main, ["status", "--ack-url", shop.ack_url, *(arguments or ["--json", "--ledger-only"])]
    )
    assert result.exit_code == 0, result.output
    return result.output if arguments else json.loads(result.stdout)


def job_that_may_exist(shop: Shop) -> None:
    """One run whose job is created twice, since the answer to the first creation is lost; the first one is slow."""
    shop.target_config = dict(BY_JOBS)
    shop.insert(JOB)
    shop.emulator.admin.add_fault(kind="never_ends", times=1)
    shop.emulator.admin.add_fault("bulk_create", kind="lost_after", times=1)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == len(JOB)
    assert len(shop.emulator.admin.jobs()) == 2
    shop.target_config["channel"] = "upsert"


def first_job_lands(shop: Shop) -> None:
    shop.emulator.admin.advance_clock(TEN_YEARS_SECONDS)
    shop.emulator.admin.wait_jobs()


def test_an_old_version_that_a_slow_job_writes_late_does_not_stay(any_shop: Shop) -> None:
    shop = any_shop
    job_that_may_exist(shop)
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().code == 0
    assert_newest(shop)
    first_job_lands(shop)
    time_passes(shop, hours=25)
    for _ in range(2):
        ended = shop.run()
        assert ended.code == 0, ended.err
    assert_newest(shop)
    shop.assert_all_synced()
    assert in_doubt(shop) == []


def test_nor_does_that_of_a_job_whose_run_was_killed_before_it_learned_of_it(shop: Shop) -> None:
    shop.target_config = dict(BY_JOBS)
    shop.insert(JOB)
    shop.emulator.admin.add_fault(kind="never_ends", times=1)
    killed = shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.create_job")
    assert killed.code == -signal.SIGKILL
    assert shop.run().code == 0
    assert len(shop.emulator.admin.jobs()) == 2
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().code == 0
    first_job_lands(shop)
    time_passes(shop, hours=25)
    assert shop.run().code == 0
    assert_newest(shop)
    shop.assert_all_synced()


def test_the_orders_of_a_job_that_nobody_can_find_go_on(shop: Shop) -> None:
    shop.target_config = dict(BY_JOBS)
    shop.insert(JOB)
    shop.emulator.admin.add_fault(kind="never_ends", times=2)
    shop.emulator.admin.add_fault("bulk_create", kind="lost_after", times=2)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert len(shop.emulator.admin.jobs()) == 2
    assert {(ack.status, ack.error_code) for ack in shop.acks().values()} == {("rejected", "JOB_WITHOUT_RESULT")}
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().summary["synced"] == len(JOB)
    assert_newest(shop)
    first_job_lands(shop)
    time_passes(shop, hours=25)
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_an_order_waits_while_one_whose_key_zoho_takes_for_its_own_may_land(shop: Shop) -> None:
    shop.target_config = dict(BY_JOBS)
    shop.insert(["SO-1"])
    shop.emulator.admin.add_fault(kind="never_ends", times=2)
    shop.emulator.admin.add_fault("bulk_create", kind="lost_after", times=2)
    assert shop.run().code == 0
    shop.target_config["channel"] = "upsert"
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(ORDERS))
    shop.insert(["so-1"])
    assert shop.run().code == 0
    assert shop.acks()["so-1"].error_code == "ALIKE_IN_DOUBT"
    first_job_lands(shop)
    time_passes(shop, hours=25)
    assert shop.run().code == 0
    assert shop.acks()["so-1"].status == "synced"
    assert set(shop.crm()) == {"so-1"}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_a_look_finds_equal_is_read_once_and_not_written(shop: Shop, tmp_path: Path, elsewhere: bool) -> None:  # noqa: FBT001
    if elsewhere:
        shop.ack_url = f"sqlite:///{tmp_path}/elsewhere.sqlite"
    job_that_may_exist(shop)
    shop.change(JOB[:3], status="Paid")
    assert shop.run().code == 0
    before, looks = spent(shop), []
    for hours in (0.2, 0.9, 24):
        time_passes(shop, hours=hours)
        looks.append(shop.run())
    assert [ended.summary for ended in looks] == [{"read": 3, "synced": 0, "unchanged": 3, **NOTHING}] * 3
    assert "in doubt: 3 compared" in looks[0].err
    assert f"still in doubt: {len(JOB)} orders of 1 writes" in looks[0].err
    assert spent(shop) - before == {"read": 3}
    assert in_doubt(shop) == []
    assert "in doubt" not in shop.run().err
    shop.assert_all_synced()


def test_a_run_with_nothing_in_doubt_pays_nothing_for_it(shop: Shop) -> None:
    shop.insert(JOB)
    assert shop.run().code == 0
    before = spent(shop)
    assert "in doubt" not in shop.run().err
    assert spent(shop) == before


@pytest.mark.nightly
def test_an_order_that_people_change_is_written_at_the_first_and_the_last_look_and_named(shop: Shop) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:2], status="Paid")
    assert shop.run().code == 0
    edit(shop, JOB[0], "Ada")
    time_passes(shop, hours=0.2)
    ended = shop.run()
    assert ended.summary["synced"] == 1
    named = f"'SO-0' (last changed by user {PERSON})"
    assert f"people had changed 1 of the orders that were in doubt; they were written once: {named}" in ended.err
    assert_newest(shop)
    for hours, written in ((0.9, 0), (24, 1), (25, 0)):
        edit(shop, JOB[0], f"Ada {hours}")
        time_passes(shop, hours=hours)
        ended = shop.run()
        assert (ended.summary["synced"], named in ended.err) == (written, bool(written))
    assert shop.crm()[JOB[0]]["Customer_Name"] == "Ada 25"
    assert shop.acks()[JOB[0]].status == "synced"


def test_what_an_automation_overwrites_each_time_is_drift_between_the_first_and_the_last_look(
    shop: Shop,
) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:2], status="Paid")
    assert shop.run().code == 0
    written = []
    for hours in (0.2, 0.9, 24, 24):
        edit(shop, JOB[0], "ADA", user=None)
        time_passes(shop, hours=hours)
        ended = shop.run()
        written.append(ended.summary["synced"])
        assert ("left as drift" in ended.err) == (hours == 0.9)
    assert written == [1, 0, 1, 0]
    first_job_lands(shop)


@pytest.mark.nightly
def test_a_job_that_lands_after_an_automation_was_seen_is_mended_all_the_same(shop: Shop) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:2], status="Paid", customer_name="New")
    assert shop.run().code == 0
    edit(shop, JOB[0], "ADA", user=None)
    time_passes(shop, hours=0.2)
    assert shop.run().summary["synced"] == 1
    first_job_lands(shop)
    time_passes(shop, hours=24)
    assert shop.run().summary["synced"] == 2
    assert_newest(shop)


@pytest.mark.nightly
@pytest.mark.parametrize("a_person_follows", [False, True])
def test_an_old_version_that_lands_again_after_it_was_mended_does_not_stay(shop: Shop, a_person_follows: bool) -> None:  # noqa: FBT001
    job_that_may_exist(shop)
    old = [{name: record[name] for name in ("parent_id", "Status", "Customer_Name")} for record in shop.crm().values()]
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().code == 0
    shop.emulator.admin.put_records("Orders", old)
    time_passes(shop, hours=0.2)
    assert shop.run().summary["synced"] == 3
    assert_newest(shop)
    first_job_lands(shop)
    if a_person_follows:
        edit(shop, JOB[0], "Ada")
    for hours in (1, 24):
        time_passes(shop, hours=hours)
        assert shop.run().code == 0
    assert_newest(shop)
    shop.assert_all_synced()
    assert in_doubt(shop) == []


def test_a_record_that_is_not_there_any_more_is_made_again(shop: Shop) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:2], status="Paid")
    assert shop.run().code == 0
    remove(shop, JOB[0])
    time_passes(shop, hours=25)
    ended = shop.run()
    assert ended.summary["synced"] == 1
    assert "made again: 1" in ended.err
    shop.assert_all_synced()


@pytest.mark.parametrize(
    "point",
    [
        "before:target_zoho_crm.writing.records_read.RecordsRead.by_id",
        "after:target_zoho_crm.writing.records_read.RecordsRead.by_id",
        "before:target_zoho_crm.confirmation.stream_in_doubt.StreamInDoubt.differ",
        "after:target_zoho_crm.confirmation.stream_in_doubt.StreamInDoubt.differ",
        "before:target_zoho_crm.api.client.ZohoClient.upsert",
        "after:target_zoho_crm.api.client.ZohoClient.upsert",
        "after:target_zoho_crm.confirmation.stream_in_doubt.StreamInDoubt.look",
    ],
)
def test_a_run_killed_while_it_compares_is_made_up_for_by_the_next(shop: Shop, point: str) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().code == 0
    first_job_lands(shop)
    time_passes(shop, hours=25)
    assert shop.run(kill_at=point).code == -signal.SIGKILL
    for _ in range(2):
        assert shop.run().code == 0
    assert_newest(shop)
    shop.assert_all_synced()
    time_passes(shop, hours=2)  # a call that the kill cut off is in doubt itself
    assert shop.run().code == 0
    shop.assert_all_synced()
    assert in_doubt(shop) == []


def test_a_full_refresh_comes_to_what_is_in_doubt_too(shop: Shop) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().code == 0
    first_job_lands(shop)
    time_passes(shop, hours=25)
    shop.state.unlink()
    assert shop.run().summary["synced"] == 3
    assert_newest(shop)


@pytest.mark.nightly
def test_a_look_comes_while_a_pair_follows(shop: Shop) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().code == 0
    first_job_lands(shop)
    shop.target_config = {"max_age_seconds": 0.2}
    shop.tap_config |= FOLLOW
    time_passes(shop, seconds=600 - 4)
    with following(shop) as pair:
        until(lambda: {ack.error_code for ack in shop.acks().values()} == {None}, pair)
        until(lambda: shop.crm()[JOB[0]]["Customer_Name"] == "New", pair)
        until(lambda: all(ack.status == "synced" for ack in shop.acks().values()), pair)
        assert pair.stop().code == 0
    assert_newest(shop)


@pytest.mark.nightly
@pytest.mark.parametrize("operation", ["update", "insert"])
def test_what_the_operation_does_not_allow_is_not_done(shop: Shop, operation: str) -> None:
    job_that_may_exist(shop)
    shop.change(JOB[:2], status="Paid", customer_name="New")
    assert shop.run().code == 0
    edit(shop, JOB[0], "Ada")
    time_passes(shop, hours=25)
    shop.target_config["operation"] = operation
    for _ in range(2):
        assert shop.run().code == 0
    assert shop.crm()[JOB[0]]["Customer_Name"] == ("New" if operation == "update" else "Ada")
    assert {ack.status for ack in shop.acks().values()} == {"synced"}


def test_an_inserted_order_in_doubt_needs_no_parent_that_went_since(shop: Shop) -> None:
    account = put_accounts(shop, "New")["New"]
    job_that_may_exist(shop)
    shop.target_config["fields"] = by("Legacy_Id")
    shop.change(JOB[:2], status="Paid", customer_name="New")
    assert shop.run().code == 0
    answer = Client(shop.emulator).delete(f"/crm/v8/Accounts?ids={account}")
    assert {each["code"] for each in answer.json()["data"]} == {"SUCCESS"}
    time_passes(shop, hours=25)
    shop.target_config["operation"] = "insert"
    for _ in range(2):
        assert shop.run().code == 0
    assert {ack.status for ack in shop.acks().values()} == {"synced"}


def test_status_does_not_call_what_is_in_doubt_simply_synced(shop: Shop) -> None:
    job_that_may_exist(shop)
    (before,) = status(shop)["streams"]
    until = before["in_doubt"].pop("until")
    assert before["in_doubt"] == {"writes": 1, "orders": len(JOB), "due": 0}
    displayed = status(shop, "--ledger-only")
    assert (
        f"in doubt: {len(JOB)} orders of 1 writes that may land late until {until[:16].replace('T', ' ')}" in displayed
    )
    shop.change(JOB[:3], status="Paid")
    assert shop.run().code == 0
    time_passes(shop, hours=25)
    assert shop.tap().code == 0
    (due,) = status(shop)["streams"]
    assert due["in_doubt"] == {"writes": 0, "orders": 0, "due": 3, "until": None}
    assert due["acks"]["synced"] == len(JOB) - 3
    assert shop.run().code == 0
    (after,) = status(shop)["streams"]
    assert after["in_doubt"] == {"writes": 0, "orders": 0, "due": 0, "until": None}
