"""Whole orders: the CRM's lines are the legacy lines exactly, none doubled, in both ways and by both channels.

`make whole-orders` sends 10,000 orders with 0 to 40 lines each in the first test: `WHOLE_ORDERS` sets how many.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pair_of_plugins
import pytest
from shop_with_lines import ShopWithLines

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

MakeShop = Callable[[str], ShopWithLines]
ORDERS = int(os.environ.get("WHOLE_ORDERS", "160"))
STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"
CLIENT = "target_zoho_crm.api.client.ZohoClient"

WAYS = {
    ("module", "upsert"): (f"after:{CLIENT}.upsert:4", f"after:{CLIENT}.delete"),
    ("module", "bulk_write"): (f"before:{CLIENT}.create_job:3", f"after:{CLIENT}.delete"),
    ("subform", "upsert"): (f"after:{CLIENT}.upsert:2", f"after:{CLIENT}.upsert:2"),
    ("subform", "bulk_write"): (f"before:{CLIENT}.download:2", f"after:{CLIENT}.upsert"),
}
"""Where the first load is killed, and the change: with some lines written, and no order acknowledged for it."""

POINTS = {
    "calls, after the orders": ("module", "upsert", f"after:{CLIENT}.upsert:1"),
    "calls, before the acks": ("module", "upsert", f"before:{STREAM_LEDGER}.confirm"),
    "jobs, before those of lines are journalled": ("module", "bulk_write", f"before:{STREAM_LEDGER}.intend_child_jobs"),
    "jobs, after those of lines are journalled": ("module", "bulk_write", f"after:{STREAM_LEDGER}.intend_child_jobs"),
    "jobs, with one of lines created unjournalled": ("module", "bulk_write", f"after:{CLIENT}.create_job:2"),
    "jobs, before the acks": ("module", "bulk_write", f"before:{STREAM_LEDGER}.confirm"),
    "rows by calls, before the acks": ("subform", "upsert", f"before:{STREAM_LEDGER}.confirm"),
    "rows by a job that is created unjournalled": ("subform", "bulk_write", f"after:{CLIENT}.create_job:2"),
    "rows by a job, before the acks": ("subform", "bulk_write", f"before:{STREAM_LEDGER}.confirm"),
}


@pytest.fixture
def shop_by(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[MakeShop]:
    """Make a shop whose lines are written in the named way."""
    made: list[ShopWithLines] = []

    def make(way: str) -> ShopWithLines:
        made.append(ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": way}))
        return made[-1]

    yield make
    for shop in made:
        shop.engine.dispose()


def run_to_the_end(shop: ShopWithLines, most: int = 3) -> None:
    """Run until nothing is left to send."""
    for _ in range(most):
        ended = shop.run()
        assert ended.code == 0, ended.err
        if not ended.summary["read"] and "adopted" not in ended.err:
            return
    raise AssertionError(f"still at work after {most} runs: {ended.err}")


def kill_and_complete(shop: ShopWithLines, where: str) -> None:
    killed = shop.run(kill_at=where)
    assert killed.code == -signal.SIGKILL, killed.err
    run_to_the_end(shop)
    shop.assert_whole()
    assert {job.step for job in shop.jobs()} <= {"applied", "abandoned"}


@pytest.mark.timeout(0 if ORDERS > 1_000 else 900)
@pytest.mark.parametrize(("way", "channel"), WAYS)
def test_load_and_change_each_repeated_after_a_kill(
    shop_by: MakeShop, way: str, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_of_plugins, "PROCESS_SECONDS", 600 + ORDERS // 5)
    shop = shop_by(way)
    rows = max(300, ORDERS * 40 // 50)  # some jobs of lines, whatever the size
    shop.target_config |= {"channel": channel, "max_connections": 1 if ORDERS < 1_000 else 10}
    shop.target_config |= {"bulk_rows": min(25_000, rows)}
    keys = [f"SO-{number}" for number in range(ORDERS)]
    shop.insert_whole(keys, most_lines=40 if ORDERS > 1_000 else 6)
    first, second = WAYS[way, channel]
    kill_and_complete(shop, first)
    loaded, changed = len(shop.legacy_lines()), keys[:: max(2, ORDERS // 500)]
    shop.change_lines(changed)
    kill_and_complete(shop, second)
    print(  # noqa: T201 - the figure to show
        f"{way} by {channel}: {ORDERS:,} orders with {loaded:,} lines, then {len(changed):,} changed; killed at "
        f"{first} and {second}: the CRM has the {len(shop.crm_lines()):,} legacy lines exactly"
    )


@pytest.mark.parametrize("point", POINTS)
def test_killed_during_the_first_load(shop_by: MakeShop, point: str) -> None:
    way, channel, where = POINTS[point]
    shop = shop_by(way)
    shop.target_config |= {"channel": channel, "bulk_rows": 100, "max_connections": 1}
    shop.insert_whole([f"SO-{number}" for number in range(60)], most_lines=6)
    kill_and_complete(shop, where)


@pytest.mark.parametrize("killed_at", [None, f"before:{STREAM_LEDGER}.confirm"])
def test_lines_that_would_not_fill_another_job_go_by_calls(
    shop_by: MakeShop, zoho_emulator: EmulatorProcess, killed_at: str | None
) -> None:
    shop = shop_by("module")
    shop.target_config |= {"bulk_rows": 11_000}
    shop.insert(f"SO-{number}" for number in range(501))
    shop.add_lines({f"SO-{number}": 24 for number in range(500)})  # 458 orders' lines are one job
    if killed_at is None:
        assert shop.run().summary["synced"] == 501
        spent = zoho_emulator.admin.stats()["credits"]["by_kind"]
        assert (spent["bulk_write"], spent["write"]) == (1_000, 101)
        shop.assert_whole()
    else:
        kill_and_complete(shop, killed_at)


@pytest.mark.parametrize("way", ["module", "subform"])
def test_on_every_engine(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, way: str) -> None:
    shop = ShopWithLines(engine_url, zoho_emulator, tmp_path, write_to={"write_to": way})
    keys = [f"SO-{number}" for number in range(60)]
    shop.insert_whole(keys, most_lines=6)
    assert shop.run().summary["synced"] == 60
    shop.change_lines(keys[::3])
    assert shop.run().summary["synced"] == 20
    shop.assert_whole()
    shop.engine.dispose()
