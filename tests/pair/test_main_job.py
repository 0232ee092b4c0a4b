"""The main job: every order reaches the CRM, by the way that costs least, and is accounted for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import forked
import pytest
from pair_of_plugins import Shop, finish, start

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def test_first_load_then_changes_then_nothing(any_shop: Shop) -> None:
    shop = any_shop
    shop.target_config = {"bulk_rows": 5_000}
    shop.insert(f"SO-{number}" for number in range(10_200))
    first = shop.run()
    assert first.code == 0, first.err
    assert first.summary == {"read": 10_200, "synced": 10_200} | zeros()
    assert shop.written_credits() == 2 * 500 + 20
    shop.assert_all_synced()

    shop.change([f"SO-{number}" for number in range(0, 600, 2)], notes="changed")
    shop.insert(f"NEW-{number}" for number in range(50))
    second = shop.run()
    assert second.summary == {"read": 350, "synced": 350} | zeros()
    assert shop.written_credits() == 1_020 + 35
    shop.assert_all_synced()

    third = shop.run()
    assert third.summary == {"read": 0, "synced": 0} | zeros()
    assert shop.written_credits() == 1_055


def test_orders_in_one_database_and_the_ledger_in_another(
    engine_url: str, sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = Shop(engine_url, zoho_emulator, tmp_path, ack_url=sqlite_url)
    shop.target_config = {"bulk_threshold": 1_000}
    shop.insert(f"SO-{number}" for number in range(2_500))
    assert shop.run().summary["synced"] == 2_500
    shop.change([f"SO-{number}" for number in range(0, 200, 2)])
    assert shop.run().summary["synced"] == 100
    shop.assert_all_synced()
    assert shop.run().summary["read"] == 0


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_an_order_changed_before_it_is_acked_ends_at_its_newest_version(any_shop: Shop, channel: str) -> None:
    shop = any_shop
    shop.target_config = {"channel": channel}
    keys = [f"SO-{number}" for number in range(300)]
    shop.insert(keys)
    endpoint = "upsert" if channel == "upsert" else "bulk_create"
    hold = shop.emulator.admin.add_fault(endpoint, kind="hold_before", times=1)
    changed = keys[::3]

    def change_meanwhile() -> None:
        shop.emulator.admin.wait_held(hold)
        shop.change(changed, notes="the newest")
        shop.emulator.admin.release(hold)

    first = run_with(shop, change_meanwhile)
    assert first.code == 0
    crm = shop.crm()
    assert not any(crm[key]["Notes"] == "the newest" for key in changed)
    second = shop.run()
    assert second.summary == {"read": 100, "synced": 100} | zeros()
    shop.assert_all_synced()


def run_with(shop: Shop, meanwhile: object) -> object:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(meanwhile)  # type: ignore[arg-type]
        ended = shop.run()
        other.result()
    return ended


def zeros() -> dict[str, int]:
    return dict.fromkeys(("unchanged", "superseded", "rejected", "parked", "left unsynced"), 0)


def test_zoho_has_no_more_jobs_at_a_time_than_max_jobs(shop: Shop) -> None:
    admin = shop.emulator.admin
    shop.target_config = {"channel": "bulk_write", "bulk_rows": 50, "max_jobs": 2}
    shop.insert(f"SO-{number}" for number in range(300))
    hold = admin.add_fault("bulk_poll", kind="hold_before")
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(shop.run)
        admin.wait_held(hold, 2)  # as many as may be are under way, and the target does not learn of their end
        under_way = len(admin.jobs())
        admin.set_clock("manual")  # from here on no job ends by itself
        admin.settings(job_seconds=10)
        admin.release(hold)
        at_once: set[int] = set()
        while len(jobs := admin.jobs()) < 6 or not all(job["status"] == "COMPLETED" for job in jobs):
            assert not run.done(), run.result().err
            at_once.add(sum(job["status"] in {"ADDED", "INPROGRESS"} for job in jobs))
            admin.advance_clock(1)
        assert run.result().summary["synced"] == 300
    assert under_way == 2
    assert max(at_once) <= 2


def test_what_another_run_may_have_overtaken_is_not_sent(shop: Shop) -> None:
    shop.insert(["SO-1", "SO-2"])
    kept = shop.folder / "kept.singer"
    kept.write_text(shop.tap().out)
    shop.change(["SO-1"], notes="the newest")
    assert shop.run().code == 0
    _, target = shop.configs()
    ended = finish(start(forked.command("target-zoho-crm", ["--config", target, "--input", kept])))
    assert ended.code == 3
    assert [line for line in ended.errors if "run the pair again" in line] == ended.errors
    assert len(ended.errors) == 1
    shop.assert_all_synced()
    assert shop.crm()["SO-1"]["Notes"] == "the newest"
    assert shop.run().summary["read"] == 0
