"""Dagster gives eight shares to four workers; one is killed, one sleeps, and every order is synced once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster_instance import Dagster
from example_environments import ROOT, environment
from pair_of_plugins import Shop

from scripts import servers
from zoho_crm_emulator.control import EmulatorProcess

pytestmark = pytest.mark.nightly
ORDERS = int(os.environ.get("DAGSTER_ORDERS", "400000"))
SHARES = [f"{index}-of-8" for index in range(1, 9)]
KILLED_AT_MOST = ORDERS // len(SHARES) * 2
"""Shares differ a little in size; a worker had one of them."""
MOST_TOKENS = 2
"""All workers of one machine share the cache's file."""


@pytest.fixture
def shop(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(postgresql_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


def settings(shop: Shop) -> dict[str, str]:
    """What each worker has in its environment: an eighth would do of calls and jobs, but four work at a time."""
    emulator = shop.emulator
    return {
        "ORDERS_SYNC_BIN": str(Path(sys.executable).parent),
        "ORDERS_SYNC_RUN_PAIR": str(ROOT / "examples" / "shell" / "run-pair"),
        "ORDERS_SYNC_HOME": str(shop.folder),
        "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": shop.url,
        "TAP_LEGACY_ORDERS_ORDERS_TABLE": "orders",
        "TARGET_ZOHO_CRM_ACK_URL": shop.ack_url,
        "TARGET_ZOHO_CRM_CLIENT_ID": emulator.client_id,
        "TARGET_ZOHO_CRM_CLIENT_SECRET": emulator.client_secret,
        "TARGET_ZOHO_CRM_REFRESH_TOKEN": emulator.refresh_token,
        "TARGET_ZOHO_CRM_FIRST_CONTACT": "off",
        "TARGET_ZOHO_CRM_MAX_CONNECTIONS": "2",
        "TARGET_ZOHO_CRM_MAX_JOBS": "2",
        **{f"TARGET_ZOHO_CRM_{of}_URL": emulator.base_url for of in ("ACCOUNTS", "API", "UPLOAD")},
    }


def worker_of(run_pair: int) -> list[int]:
    """The process that Dagster started for a run, and all below it."""
    parent = int(Path(f"/proc/{run_pair}/status").read_text().partition("PPid:")[2].split()[0])
    found = [parent]
    for pid in found:
        children = Path(f"/proc/{pid}/task").glob("*/children")
        found += [int(child) for each in children for child in each.read_text().split()]
    return found


def pairs_at_work(shop: Shop) -> dict[str, int]:
    """Share to its run-pair, where that runs now and works for this shop."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().strip() != "run-pair":
                continue
            variables = dict(each.partition("=")[::2] for each in (path / "environ").read_text().split("\0"))
            parent = (path / "status").read_text().partition("PPid:")[2].split()[0]
            is_first = Path(f"/proc/{parent}/comm").read_text().strip() != "run-pair"
        except OSError:  # it has just ended
            continue
        if is_first and variables.get("TARGET_ZOHO_CRM_ACK_URL") == shop.ack_url:
            found[variables["TAP_LEGACY_ORDERS_PARTITION"]] = int(path.name)
    return found


def synced(dagster: Dagster) -> set[str]:
    return {share for share, status, _ in dagster.runs() if status == "SUCCESS"}


def test_a_killed_worker_and_one_that_sleeps_leave_every_order_synced_once(shop: Shop) -> None:
    programs = environment("dagster")
    shop.insert(f"SO-{number}" for number in range(100_000, 100_000 + ORDERS))
    admin = shop.emulator.admin
    admin.settings(call_seconds={"upsert": 2.0, "bulk_upload": 5.0})
    home = shop.folder / "dagster"
    home.mkdir()
    with servers.postgresql_database() as storage:
        url = storage.replace("postgresql+psycopg:", "postgresql:")
        with Dagster(home, programs, {**settings(shop), "DAGSTER_DATABASE_URL": url}) as dagster:
            dagster.backfill(SHARES)
            dagster.wait_for(lambda: len(pairs_at_work(shop)) >= 2 and shop.emulator.admin.stats()["records"])
            killed, asleep = list(pairs_at_work(shop).values())[:2]
            sleeping = worker_of(asleep)
            for pid in sleeping:
                os.kill(pid, signal.SIGSTOP)
            for pid in worker_of(killed):
                os.kill(pid, signal.SIGKILL)
            dagster.wait_for(lambda: len(synced(dagster)) == len(SHARES) - 1)
            for pid in sleeping:
                os.kill(pid, signal.SIGCONT)
            dagster.wait_for(lambda: synced(dagster) == set(SHARES))
            runs, counts = dagster.runs(), dagster.counts()
    assert [status for _, status, _ in runs].count("FAILURE") == 1, "the run of the killed worker"
    shop.assert_all_synced()
    assert set(counts) == set(SHARES)
    assert all(share["orders read"] == share["orders synced"] for share in counts.values())
    in_runs = sum(share["orders synced"] for share in counts.values())
    assert ORDERS - KILLED_AT_MOST <= in_runs <= ORDERS, "what the killed worker's acks hold is in no run that ended"
    stats = admin.stats()
    assert stats["calls_at_once"]["most"] <= stats["calls_at_once"]["limit"]
    tokens = stats["requests"]["token"]
    print(f"{ORDERS:,} orders; access tokens: {tokens}; credits: {stats['credits']['by_kind']};", end=" ")
    print(f"calls at once: {stats['calls_at_once']}; jobs: {stats['jobs']}; in runs that ended: {in_runs:,}")
    assert tokens <= MOST_TOKENS
