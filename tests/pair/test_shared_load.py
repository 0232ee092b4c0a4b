"""Workers of a split stream pay what one worker would pay for all orders: what each has left goes in common jobs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from ledger_runs import run_row
from pair_of_plugins import Finished, Shop
from planned_shop import apply, counts
from planned_shop import plan as planned
from shop_with_lines import ShopWithLines

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from target_zoho_crm.batch import Channel
from target_zoho_crm.writing.routing import Routing, plan

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"
CLIENT = "target_zoho_crm.api.client.ZohoClient"
POOL = "sync_ledger.pooled_orders.PooledOrders"
ORDERS = 6_000
"""One job for 500 credits; four shares of them alone cost 600 by calls."""


def share(shop: Shop, index: int, of: int) -> Shop:
    """The pair of one partition, with settings and STATE of its own."""
    folder = shop.folder / f"{index}-of-{of}"
    folder.mkdir(exist_ok=True)
    own = replace(shop, folder=folder, tap_config={**shop.tap_config, "partition": {"index": index, "of": of}})
    own.engine.dispose()
    return own


def at_once(shop: Shop, of: int, workers: int | None = None) -> list[Finished]:
    """One run of each partition, so many at a time."""
    with ThreadPoolExecutor(workers or of) as threads:
        runs = list(threads.map(Shop.run, [share(shop, index, of) for index in range(1, of + 1)]))
    assert [run.code for run in runs] == [0] * of, "".join(run.err for run in runs)
    return runs


def of_one_pair(orders: int) -> int:
    """What one pair pays for writing so many orders."""
    return plan(orders, Routing(Channel.AUTO, 25_000)).credits


def orders(shop: Shop, count: int) -> list[str]:
    """That many orders of a load that all workers know by its name."""
    keys = [f"SO-{number}" for number in range(10_000, 10_000 + count)]
    shop.insert(keys)
    shop.target_config["run_group"] = "tonight"
    return keys


def read(runs: list[Finished]) -> int:
    return sum(run.summary["read"] for run in runs)


@pytest.mark.parametrize(("of", "workers"), [(4, 4), (8, 2)])
def test_pairs_of_a_split_stream_pay_what_one_pair_pays(any_shop: Shop, of: int, workers: int) -> None:
    shop = any_shop
    orders(shop, ORDERS)
    runs = at_once(shop, of, workers)
    assert shop.written_credits() <= 1.02 * of_one_pair(ORDERS), "".join(run.err for run in runs)
    shop.assert_all_synced()
    assert (read(runs), sum(run.summary["synced"] for run in runs)) == (ORDERS, ORDERS)
    assert [job.step for job in shop.jobs()] == ["applied"]
    assert shop.rows("pool") == []
    assert read(at_once(shop, of, workers)) == 0


def test_without_a_group_the_last_of_those_that_live_sends_what_is_left(shop: Shop) -> None:
    orders(shop, 5_400)
    shop.target_config["run_group"] = None
    first = share(shop, 1, 2)
    with another_at_work(shop, "2/2"):
        left = first.run()
        assert (left.code, left.summary["read"], shop.crm()) == (0, 0, {}), left.err
    second = share(shop, 2, 2).run()
    assert second.summary["synced"] == 5_400, second.err
    assert shop.written_credits() == of_one_pair(5_400)
    shop.assert_all_synced()
    assert read([first.run(), share(shop, 2, 2).run()]) == 0


@contextmanager
def another_at_work(shop: Shop, partition: str) -> Iterator[None]:
    """A run of a partition on another machine, until the block ends."""
    with closing(Ledger.open(shop.ack_url)) as ledger:
        ledger.ensure_tables()
        with ledger.begin() as connection:
            ahead = ledger.now(connection) + timedelta(seconds=50)
            row = run_row("elsewhere", ahead, None, partition_name=partition, lock_name=f"orders {partition}")
            connection.execute(sa.insert(ledger.tables.run), row)
        yield
        with ledger.begin() as connection:
            connection.execute(sa.delete(ledger.tables.run).where(ledger.tables.run.c.run_id == "elsewhere"))


def test_few_orders_wait_for_nobody(shop: Shop) -> None:
    orders(shop, 400)
    ended = share(shop, 1, 4).run()
    assert ended.summary["synced"] == ended.summary["read"] > 50


def test_where_no_job_pays_nobody_waits_after_full_batches_either(shop: Shop) -> None:
    orders(shop, 6_000)
    shop.target_config["bulk_rows"] = 1_000
    ended = share(shop, 1, 4).run()
    assert ended.summary["synced"] == ended.summary["read"] > 1_100


def test_what_nobody_came_for_is_read_anew_and_not_left_twice(shop: Shop) -> None:
    keys = orders(shop, 5_400)
    first = share(shop, 1, 2)
    assert (first.run().summary["read"], shop.crm()) == (0, {})
    own = [key for key in keys if Partition(1, 2).holds(key)]
    assert {ack.status for ack in shop.acks().values()} == {"submitted"}
    shop.change(own[:10], notes="changed since")
    again = first.run()
    assert again.summary["synced"] == len(own), again.err
    assert shop.rows("pool") == []
    assert share(shop, 2, 2).run().code == 0
    shop.assert_all_synced()
    assert read([first.run(), share(shop, 2, 2).run()]) == 0


def test_orders_of_a_common_job_that_failed_go_by_calls_of_their_own_workers(shop: Shop) -> None:
    """What a failure asks of them stands in their acks: left once more, they would fail together once more."""
    keys = orders(shop, 8_100)
    shop.emulator.admin.add_fault("upload", kind="answer", status=403, body="<html>Blocked</html>", keys=keys)
    workers = [share(shop, index, 3) for index in (1, 2, 3)]
    assert [each.run().code for each in workers] == [0, 0, 0]
    assert {ack.error_code for ack in shop.acks().values()} == {"UPLOAD_FAILED"}
    shop.target_config["run_group"] = "tomorrow"
    assert sum(each.run().summary["synced"] for each in workers) == len(keys)
    shop.assert_all_synced()


def test_a_plan_of_one_partition_is_applied_at_once_and_nothing_else_with_it(shop: Shop) -> None:
    orders(shop, 5_400)
    first, second = share(shop, 1, 2), share(shop, 2, 2)
    saved = planned(second)
    assert first.run().code == 0
    assert shop.crm() == {}
    ended = apply(second, saved["plan"], "--json")
    assert (ended.code, counts(ended)) == (0, {"applied": saved["planned"]}), ended.err
    assert len(shop.crm()) == saved["planned"]
    assert all(Partition(2, 2).holds(key) for key in shop.crm())


def test_an_order_that_changes_while_it_waits_for_others_is_sent_as_it_is_now(shop: Shop) -> None:
    keys = orders(shop, 5_400)
    first, second = share(shop, 1, 2), share(shop, 2, 2)
    assert first.run().code == 0
    own = [key for key in keys if Partition(1, 2).holds(key)]
    shop.change(own[:20], notes="changed since")
    assert second.run().summary["synced"] == 5_400
    assert first.run().summary["synced"] == 20
    shop.assert_all_synced()


@pytest.mark.parametrize("way", ["module", "subform"])
def test_lines_go_with_orders_that_were_left(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, way: str
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": way})
    shop.add_lines({key: index % 3 for index, key in enumerate(orders(shop, 5_400))})
    assert share(shop, 1, 2).run().code == 0
    assert shop.crm() == {}
    assert share(shop, 2, 2).run().summary["synced"] == 5_400
    shop.assert_whole()
    shop.engine.dispose()


def test_a_worker_with_another_mapping_takes_nothing(shop: Shop) -> None:
    orders(shop, 5_400)
    first, second = share(shop, 1, 2), share(shop, 2, 2)
    assert first.run().code == 0
    second.target_config = {**shop.target_config, "fields": {"Customer_Name": {"source": "notes"}}}
    ended = second.run()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] < 3_000
    assert {job.step for job in shop.jobs()} == {"pooled"}
    assert first.run().summary["synced"] == 5_400 - ended.summary["synced"]


def test_a_worker_with_another_refresh_token_takes_nothing_and_says_why(shop: Shop) -> None:
    orders(shop, 5_400)
    first, second = share(shop, 1, 2), share(shop, 2, 2)
    assert first.run().code == 0
    second.target_config = {**shop.target_config, "refresh_token": shop.emulator.admin.grant()}
    ended = second.run()
    assert ended.code == 0, ended.err
    assert "cannot be opened" in ended.err
    assert {job.step for job in shop.jobs()} == {"pooled"}
    assert first.run().summary["synced"] == 5_400 - ended.summary["synced"] > 2_000
    shop.assert_all_synced()


LEAVING = {
    "before it is left": f"after:{STREAM_LEDGER}.intend",
    "once it is left": f"after:{POOL}.leave",
    "before its end is noted": f"before:{POOL}.come_to_end",
    "once its end is noted": f"after:{POOL}.come_to_end",
}
COLLECTING = {
    "before anything is taken": f"before:{POOL}.take",
    "once it is taken": f"after:{POOL}.take",
    "once its job is noted": f"after:{STREAM_LEDGER}.intend",
    "before Zoho's answer is noted": f"after:{CLIENT}.create_job",
    "before the ack": f"before:{STREAM_LEDGER}.confirm",
    "after the ack": f"after:{STREAM_LEDGER}.confirm",
}


@pytest.mark.parametrize("point", LEAVING)
def test_a_worker_that_dies_as_it_leaves_orders_loses_none(shop: Shop, point: str) -> None:
    orders(shop, 5_400)
    first = share(shop, 1, 2)
    assert first.run(kill_at=LEAVING[point]).code == -signal.SIGKILL
    assert [each.run().code for each in (first, share(shop, 2, 2))] == [0, 0]
    shop.assert_all_synced()
    assert shop.rows("pool") == []
    assert read([first.run(), share(shop, 2, 2).run()]) == 0


@pytest.mark.parametrize("point", COLLECTING)
def test_the_last_worker_may_die_at_any_point(shop: Shop, point: str) -> None:
    orders(shop, 5_400)
    first, last = share(shop, 1, 2), share(shop, 2, 2)
    assert first.run().code == 0
    assert last.run(kill_at=COLLECTING[point]).code == -signal.SIGKILL
    assert [each.run().code for each in (last, first, last)] == [0, 0, 0]
    shop.assert_all_synced()
    assert shop.rows("pool") == []
    assert {job.step for job in shop.jobs()} <= {"applied", "abandoned"}
    assert read([first.run(), last.run()]) == 0


@pytest.mark.nightly
def test_eight_partitions_over_four_workers_one_killed_pay_what_one_pair_has_paid(
    postgresql_url: str,
    zoho_emulator: EmulatorProcess,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """What a kill between Zoho's answer and its note costs is the kill's, not the split's."""
    count = int(os.environ.get("SHARED_ORDERS", "400000"))
    shop = Shop(postgresql_url, zoho_emulator, tmp_path)
    orders(shop, count)
    killed = share(shop, 3, 8)
    point = f"after:{CLIENT}.create_job" if count >= 8 * 25_000 else f"after:{POOL}.leave"
    assert killed.run(kill_at=point).code == -signal.SIGKILL
    unnoted = sum(shop.emulator.admin.stats()["jobs"].values()) - sum(
        job.zoho_job_id is not None for job in shop.jobs()
    )
    runs = at_once(shop, 8, 4)
    paid = shop.written_credits() - 500 * unnoted
    shop.assert_all_synced()
    assert read(at_once(shop, 8, 4)) == 0
    stats = shop.emulator.admin.stats()
    assert paid <= 1.02 * of_one_pair(count), "".join(run.err for run in runs)
    record_property("credits", f"{count:,} orders: {paid:,} credits, of one pair {of_one_pair(count):,}")
    assert stats["requests"]["token"] <= 2
    assert stats["calls_at_once"]["most"] <= stats["calls_at_once"]["limit"]
    shop.engine.dispose()
