"""`kill -9` of the target anywhere: the next run ends with every order in the CRM once, and no job paid twice."""

from __future__ import annotations

import signal

import pytest
from pair_of_plugins import Shop

STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"
CLIENT = "target_zoho_crm.api.client.ZohoClient"

POINTS = {
    "before anything is journalled": f"before:{STREAM_LEDGER}.intend",
    "after the intent, before the upload": f"after:{STREAM_LEDGER}.intend",
    "after the upload, before it is journalled": f"after:{CLIENT}.upload",
    "after the upload is journalled, before the job is created": f"before:{CLIENT}.create_job",
    "between Zoho's answer and the journal": f"after:{CLIENT}.create_job",
    "while polling": f"before:{CLIENT}.job:3",
    "before the result is fetched": f"before:{CLIENT}.download",
    "after the result is fetched": f"after:{CLIENT}.download",
    "before the ack": f"before:{STREAM_LEDGER}.confirm",
    "after the ack, before STATE": f"after:{STREAM_LEDGER}.confirm",
    "before an upsert call": f"before:{CLIENT}.upsert:2",
    "after an upsert call, before its ack": f"after:{CLIENT}.upsert:2",
}
"""Where the kill falls in the thread that comes there first; the others are wherever they are at that moment."""


@pytest.mark.parametrize("point", POINTS)
def test_the_next_run_completes_what_a_killed_run_began(shop: Shop, point: str) -> None:
    shop.emulator.admin.settings(job_seconds=0.6)
    shop.target_config = {"bulk_rows": 1_000, "bulk_threshold": 500}
    shop.insert(f"SO-{number}" for number in range(2_250))

    killed = shop.run(kill_at=POINTS[point])
    assert killed.code == -signal.SIGKILL, killed.err
    assert not killed.out or len(shop.acks()) >= 1_000  # no STATE before the acks that it speaks of
    unnoted = jobs_at_zoho(shop) - sum(job.zoho_job_id is not None for job in shop.jobs())
    if point == "between Zoho's answer and the journal":
        assert unnoted

    after = shop.run()
    assert after.code == 0, after.err
    shop.assert_all_synced()
    assert jobs_at_zoho(shop) <= 2 + unnoted  # only a job whose answer nobody could note is paid again
    assert {job.step for job in shop.jobs()} <= {"applied", "abandoned"}
    assert shop.run().summary["read"] == 0


def jobs_at_zoho(shop: Shop) -> int:
    return sum(shop.emulator.admin.stats()["jobs"].values())


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_killed_first_load_ends_complete_on_every_engine(any_shop: Shop, channel: str) -> None:
    shop = any_shop
    shop.target_config = {"bulk_rows": 1_000, "channel": channel}
    shop.insert(f"SO-{number}" for number in range(2_250))
    point = f"after:{CLIENT}.upsert:5" if channel == "upsert" else f"after:{CLIENT}.upload:2"
    assert shop.run(kill_at=point).code == -signal.SIGKILL
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_orders_changed_while_their_job_outlived_its_run_are_sent_again(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write"}
    keys = [f"SO-{number}" for number in range(200)]
    shop.insert(keys)
    assert shop.run(kill_at=f"before:{CLIENT}.job").code == -signal.SIGKILL
    shop.change(keys[:50], notes="the newest")
    adopting = shop.run()
    assert "Adopting a bulk write job of 200 orders" in adopting.err
    assert adopting.summary["read"] == 0  # two writes for one key are never under way together
    assert shop.run().summary["read"] == 50
    shop.assert_all_synced()


@pytest.mark.parametrize("outdated", ["file", "module"])
def test_a_dead_runs_upload_that_can_never_become_a_job_stands_in_nobodys_way(shop: Shop, outdated: str) -> None:
    shop.target_config = {"channel": "bulk_write"}
    keys = [f"SO-{number}" for number in range(20)]
    shop.insert(keys)
    assert shop.run(kill_at=f"before:{CLIENT}.create_job").code == -signal.SIGKILL
    if outdated == "module":
        shop.emulator.admin.remove_field("Orders", "Is_Gift")
    else:
        forgotten = {"status": "error", "code": "INVALID_FILE_ID", "message": "invalid file id", "details": {}}
        shop.emulator.admin.add_fault("bulk_create", kind="answer", status=400, body=forgotten, times=1)
    adopting = shop.run()
    assert adopting.code == 0, adopting.err
    assert {ack.error_code for ack in shop.acks().values()} == {"JOB_WITHOUT_RESULT"}
    assert shop.run().summary["synced"] == len(keys)
    assert shop.crm().keys() == set(keys)


def test_a_second_run_ends_at_once_while_one_is_live(shop: Shop) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    shop.insert([f"SO-{number}" for number in range(20)])
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shop.run)
        shop.emulator.admin.wait_held(hold)
        second = shop.run()
        shop.emulator.admin.release(hold)
        assert first.result().code == 0
    assert second.code == 3
    assert len(second.errors) == 1
    assert "is live: process" in second.errors[0]
    shop.assert_all_synced()
    assert shop.emulator.admin.stats()["requests"]["upsert"] == 1
