"""A bulk job that nobody gets past: it holds up its own orders alone, and a person has a way out."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from following_pair import FOLLOW, following, until
from pair_of_plugins import Shop
from shop_with_lines import ShopWithLines

from orders_sync.cli import main
from sync_ledger.ledger import Ledger

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

JOB = [f"SO-{number}" for number in range(40)]
OTHERS = [f"SO-{number}" for number in range(100, 110)]
BY_JOBS = {"channel": "bulk_write", "job_wait_seconds": 1}
STUCK: dict[str, dict[str, Any]] = {
    "its result lies with a stranger": {"kind": "result_elsewhere", "times": 1},
    "it never ends": {"kind": "never_ends", "times": 1},
}
REFUSED: dict[str, dict[str, Any]] = {
    "Zoho refuses to speak of it": {"status": 403, "body": {"code": "NO_PERMISSION", "status": "error"}},
    "Zoho says what nobody knows": {"status": 400, "body": {"code": "WHAT_NOW", "status": "error"}},
}


def orders_sync(shop: Shop, *arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--json", "--ack-url", shop.ack_url])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 else result.output


def a_day_passes(shop: Shop) -> None:
    """For the ledger's jobs alone."""
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.begin() as connection:
            job = ledger.tables.job
            then = ledger.now(connection) - timedelta(hours=25)
            connection.execute(sa.update(job).values(updated_at=then))
    finally:
        ledger.close()


def stuck(shop: Shop, where: str) -> None:
    """One run whose only job is stuck."""
    shop.target_config = dict(BY_JOBS)
    shop.insert(JOB)
    if where in STUCK:
        shop.emulator.admin.add_fault(**STUCK[where])
    else:
        shop.emulator.admin.add_fault("bulk_poll", kind="answer", **REFUSED[where])
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert ended.summary["left unsynced"] == len(JOB)
    assert "orders-sync jobs" in ended.err
    assert "'SO-0'" in ended.err
    assert {ack.status for ack in shop.acks().values()} == {"submitted"}


@pytest.mark.parametrize("where", [*STUCK, *REFUSED])
def test_a_stuck_job_holds_up_its_own_orders_alone(any_shop: Shop, where: str) -> None:
    shop = any_shop
    stuck(shop, where)
    shop.insert(OTHERS)
    if where in REFUSED:
        shop.target_config["channel"] = "upsert"
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert {key for key, ack in shop.acks().items() if ack.status == "synced"} == set(OTHERS)
    assert set(shop.crm()) >= set(OTHERS)


@pytest.mark.nightly
def test_an_abandoned_job_that_has_ended_gives_its_orders_back_at_once(any_shop: Shop) -> None:
    shop = any_shop
    stuck(shop, "its result lies with a stranger")
    (job,) = orders_sync(shop, "jobs")["jobs"]
    assert orders_sync(shop, "jobs", "--abandon", job["job_id"][:8])["given_up"] == len(JOB)
    assert shop.run().code == 0
    assert {ack.error_code for ack in shop.acks().values()} == {"JOB_WITHOUT_RESULT"}
    assert shop.run().summary["synced"] == len(JOB)
    shop.assert_all_synced()
    assert orders_sync(shop, "jobs")["jobs"] == []


def test_an_abandoned_job_of_inserts_doubles_nothing(shop: Shop) -> None:
    shop.target_config = {"operation": "insert", **BY_JOBS}
    shop.insert(JOB)
    shop.emulator.admin.add_fault(kind="result_elsewhere", times=1)
    assert shop.run().code == 0
    (job,) = orders_sync(shop, "jobs")["jobs"]
    orders_sync(shop, "jobs", "--abandon", job["job_id"])
    shop.target_config["channel"] = "upsert"
    for _ in range(3):
        assert shop.run().code == 0
    assert set(shop.crm()) == set(JOB)  # none is there twice
    assert {ack.status for ack in shop.acks().values()} == {"synced"}


def test_the_orders_of_an_abandoned_job_that_may_still_land_wait_for_a_day(any_shop: Shop) -> None:
    shop = any_shop
    stuck(shop, "it never ends")
    (job,) = orders_sync(shop, "jobs")["jobs"]
    orders_sync(shop, "jobs", "--abandon", job["zoho_job_id"])
    shop.insert(OTHERS)
    shop.change(JOB[:3])
    assert shop.run().code == 0
    assert {key for key, ack in shop.acks().items() if ack.status == "synced"} == set(OTHERS)
    assert {key for key, ack in shop.acks().items() if ack.status == "submitted"} == set(JOB)
    (job,) = orders_sync(shop, "jobs")["jobs"]
    assert job["step"] == "given_up"
    a_day_passes(shop)
    assert shop.run().code == 0
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_an_abandoned_job_whose_result_can_be_read_after_all_is_settled_by_it(shop: Shop) -> None:
    shop.target_config = dict(BY_JOBS)
    shop.insert(JOB)
    fault = shop.emulator.admin.add_fault("bulk_poll", kind="answer", **REFUSED["Zoho refuses to speak of it"])
    assert shop.run().code == 0
    (job,) = orders_sync(shop, "jobs")["jobs"]
    orders_sync(shop, "jobs", "--abandon", job["job_id"])
    shop.emulator.admin.remove_fault(fault)
    spent = shop.emulator.admin.stats()["credits"]["spent"]
    assert shop.run().code == 0
    assert shop.emulator.admin.stats()["credits"]["spent"] - spent < 50
    shop.assert_all_synced()


@pytest.mark.nightly
def test_a_pair_that_follows_goes_on_beside_a_stuck_job_and_sees_that_it_is_abandoned(shop: Shop) -> None:
    shop.target_config = {"max_age_seconds": 0.2, "max_jobs": 1, **BY_JOBS}
    shop.tap_config |= FOLLOW
    shop.emulator.admin.add_fault(**STUCK["its result lies with a stranger"])
    shop.insert(JOB)
    with following(shop) as pair:
        until(lambda: len(shop.crm()) == len(JOB), pair)
        shop.insert(OTHERS)
        until(lambda: {key for key, ack in shop.acks().items() if ack.status == "synced"} == set(OTHERS), pair)
        (job,) = orders_sync(shop, "jobs")["jobs"]
        orders_sync(shop, "jobs", "--abandon", job["job_id"][:8])
        until(lambda: all(ack.status == "synced" for ack in shop.acks().values()), pair)
        assert pair.stop().code == 0
    shop.assert_all_synced()


def test_only_a_job_that_is_waited_for_can_be_abandoned(shop: Shop) -> None:
    stuck(shop, "it never ends")
    assert "no open job has this id" in orders_sync(shop, "jobs", "--abandon", "nosuch", code=1)
    (job,) = orders_sync(shop, "jobs")["jobs"]
    orders_sync(shop, "jobs", "--abandon", job["job_id"])
    orders_sync(shop, "jobs", "--abandon", job["job_id"])  # twice is once
    assert len(orders_sync(shop, "jobs")["jobs"]) == 1


@pytest.mark.parametrize("kind", ["result_elsewhere", "never_ends"])
@pytest.mark.parametrize("write_to", ["module", "subform"])
def test_a_stuck_job_of_lines_holds_up_its_own_orders_alone_and_can_be_abandoned(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, write_to: str, kind: str
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": write_to})
    shop.target_config |= BY_JOBS
    shop.insert(JOB)
    shop.add_lines(dict.fromkeys(JOB, 2))
    shop.emulator.admin.add_fault(kind=kind, module="Lines" if write_to == "subform" else "Order_Lines", times=1)
    assert shop.run().code == 0
    shop.insert(OTHERS)
    assert shop.run().code == 0
    assert {key for key, ack in shop.acks().items() if ack.status == "synced"} == set(OTHERS)
    parent = next(job for job in orders_sync(shop, "jobs")["jobs"] if job["rows"] == len(JOB))
    orders_sync(shop, "jobs", "--abandon", parent["job_id"])
    if kind == "never_ends":
        assert shop.run().code == 0
        assert {key for key, ack in shop.acks().items() if ack.status == "submitted"} == set(JOB)
        a_day_passes(shop)
    for _ in range(2):
        assert shop.run().code == 0
    shop.assert_whole()
    assert orders_sync(shop, "jobs")["jobs"] == []
    shop.engine.dispose()
