"""Pairs side by side, each with its partition: together they do what one pair does, and get out of each other's way."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import Finished, Shop

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition

OF = 4


def pair(shop: Shop, index: int, of: int = OF) -> Shop:
    """The pair of one partition, with settings and STATE of its own."""
    folder = shop.folder / f"{index}-of-{of}"
    folder.mkdir(exist_ok=True)
    own = replace(shop, folder=folder, tap_config={**shop.tap_config, "partition": {"index": index, "of": of}})
    own.engine.dispose()
    return own


def at_once(shop: Shop, of: int = OF) -> list[Finished]:
    """One run of each partition, all at the same time."""
    pairs = [pair(shop, index, of) for index in range(1, of + 1)]
    with ThreadPoolExecutor(of) as threads:
        return list(threads.map(Shop.run, pairs))


def read(runs: list[Finished]) -> list[int]:
    assert [run.code for run in runs] == [0] * len(runs), "".join(run.err for run in runs)
    return [run.summary["read"] for run in runs]


def test_four_pairs_at_once_give_the_crm_and_the_ledger_of_one(any_shop: Shop) -> None:
    shop = any_shop
    keys = [f"SO-{number}" for number in range(1000, 1600)]
    shop.insert(keys)
    shop.insert(["SO-bad"], total_amount=None, customer_name="x" * 300)
    counts = read(at_once(shop))
    assert sum(counts) == 601
    assert min(counts) > 0
    shop.assert_all_synced(but=["SO-bad"])
    assert shop.acks()["SO-bad"].status == "rejected"
    assert sum(read(at_once(shop))) == 0
    shop.change(keys[:40])
    assert sum(read(at_once(shop))) == 40
    shop.assert_all_synced(but=["SO-bad"])
    one = shop.run()  # with no STATE: it looks at all of them, and knows all of them
    assert one.summary["read"] == 0


def test_pairs_on_hosts_of_their_own_ask_for_one_access_token(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    any_shop.insert([f"SO-{number}" for number in range(1000, 1040)])
    for index in range(1, OF + 1):
        own = pair(any_shop, index)
        monkeypatch.setenv("XDG_CACHE_HOME", str(own.folder / "cache"))
        ended = own.run()
        assert ended.code == 0, ended.err
    any_shop.assert_all_synced()
    assert any_shop.emulator.admin.stats()["requests"]["token"] == 1


def test_pairs_at_once_make_no_more_calls_than_the_org_may_and_none_is_refused(shop: Shop) -> None:
    admin = shop.emulator.admin
    admin.settings(edition="ultimate")
    shop.target_config["channel"] = "upsert"
    shop.insert([f"SO-{number}" for number in range(10_000, 12_800)])
    hold = admin.add_fault("upsert", kind="hold_before")
    with ThreadPoolExecutor(1) as threads:
        runs = threads.submit(at_once, shop)
        admin.wait_held(hold, 10)  # as many as the org may; 28 are wanted
        until_all_want_some(shop)
        assert [fault["held"] for fault in admin.faults() if fault["id"] == hold] == [10]
        admin.release(hold)
        assert sum(read(runs.result())) == 2_800
    shop.assert_all_synced()
    stats = admin.stats()
    refused = [named for named in stats["statuses"] if named.endswith(" 429")]
    assert refused == [], stats["statuses"]


def until_all_want_some(shop: Shop) -> None:
    """Wait until the ledger knows of each pair that it has something to write."""
    ends = time.monotonic() + 300
    with closing(Ledger.open(shop.ack_url)) as ledger:
        count = sa.select(sa.func.count()).select_from(ledger.tables.worker)
        while True:
            with ledger.connect() as connection:
                if connection.execute(count).scalar_one() == OF:
                    return
            assert time.monotonic() < ends
            time.sleep(0.1)


def test_keys_that_zoho_takes_for_one_are_found_by_pairs_at_once(shop: Shop) -> None:
    numbers = range(100, 140)
    shop.insert([f"SO-{number}" for number in numbers])
    shop.insert([f"so-{number}" for number in numbers])
    read(at_once(shop))
    assert {ack.status for ack in shop.acks().values()} == {"rejected"}
    assert len(shop.acks()) == 2 * len(numbers)
    assert shop.crm() == {}


def test_another_split_takes_over_what_an_earlier_one_left_in_flight(any_shop: Shop) -> None:
    shop = any_shop
    shop.target_config = {"channel": "bulk_write", "job_wait_seconds": 0}
    keys = [f"SO-{number}" for number in range(200)]
    shop.insert(keys)
    admin = shop.emulator.admin
    admin.set_clock("manual")  # no job ends before it was left in flight
    admin.settings(job_seconds=2)
    assert sum(read([pair(shop, index, 2).run() for index in (1, 2)])) == 200
    assert {ack.status for ack in shop.acks().values()} == {"submitted"}
    shop.change(keys[:20])  # while their older version is in flight
    shop.target_config = {"channel": "upsert"}
    admin.set_clock("real")
    counts = read(at_once(shop, 3))
    for _ in range(2):
        counts += read(at_once(shop, 3))
    assert sum(counts) == 20
    shop.assert_all_synced()
    assert len([job for job in shop.jobs() if job.step == "applied"]) == 2


@pytest.mark.parametrize("first", [Partition(1, 4), Partition(1, 1)], ids=["of-four", "whole"])
def test_two_splits_are_never_at_work_together(shop: Shop, first: Partition) -> None:
    shop.insert(f"SO-{number}" for number in range(20))
    ledger = Ledger.open(shop.ack_url)
    ledger.ensure_tables()
    run = ledger.tables.run
    now = ledger.now
    with ledger.begin() as connection:
        moment = now(connection) + timedelta(seconds=5)
        facts: dict[str, Any] = {"host": "elsewhere", "pid": 1, "process_space": "another", "started_at": moment}
        lock = {"lock_name": f"orders {first.name}", "partition_name": first.name, "heartbeat_at": moment}
        connection.execute(sa.insert(run).values(run_id="1", stream="orders", **lock, **facts))
    refused = pair(shop, 2, 2).run()
    assert refused.code == 3
    assert f"(partition {first.name}) is live" in refused.err
    assert shop.crm() == {}
    if not first.is_whole:
        assert pair(shop, 2, 4).run().code == 0
    ledger.close()
