"""Runs that meet: two at once, a slow tap, a pipe whose reader is gone, a service that restarts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fault_cases import ENGINES, Case, choices, on
from own_servers import free_port
from pair_of_plugins import Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SLOW_TAP = Path(__file__).with_name("slow_tap.py")


@on(*ENGINES)
@pytest.mark.parametrize("how", choices(["stopped", "killed"], ["killed"]))
def test_a_service_that_restarts_while_jobs_run_costs_no_order(
    engine: str,
    how: str,
    database_url: str,
    zoho_emulator_factory: Callable[..., EmulatorProcess],
    tmp_path: Path,
    cases: Callable[[Shop, str], Case],
) -> None:
    emulator = zoho_emulator_factory(data=tmp_path / "crm.sqlite", port=free_port(), job_seconds=2)
    case = cases(Shop(database_url, emulator, tmp_path), engine)
    case.is_about(f"emulator {how} and started while jobs run", "the target finds it again and ends 0")
    case.shop.target_config = {"channel": "bulk_write", "bulk_rows": 300}
    case.orders(600)
    pair = case.start()
    pair.wait_for_log("Bulk write job 4", times=2)  # both were created: an answer that is lost now is paid again
    pair.fault_is_now()
    emulator.kill() if how == "killed" else emulator.stop()
    time.sleep(0.5)
    emulator.start()
    case.ends(pair, tap=[0], target=[0])
    assert sum(emulator.admin.stats()["jobs"].values()) == 2
    case.seen("same jobs, polled on")
    case.law()


@on(*ENGINES, quick=[])
def test_a_tap_that_says_nothing_for_seconds_is_waited_for(case: Case) -> None:
    seconds = 3
    _slow(case, seconds)


@on(*ENGINES, quick=[])
def test_a_tap_that_says_nothing_for_over_a_minute_keeps_its_lock(case: Case) -> None:
    """Longer than a silent run lives: the heartbeat goes on while nothing comes."""
    seconds = 70
    _slow(case, seconds, second_run=True)


def _slow(case: Case, seconds: int, *, second_run: bool = False) -> None:
    case.is_about(
        f"a tap that is silent for {seconds} s in the middle",
        "both end 0" + ("; a second run is refused by 3 meanwhile" if second_run else ""),
    )
    case.shop.tap_config = {"page_size": 100}
    case.shop.target_config = {"channel": "upsert"}
    case.orders(300)
    silent = case.shop.folder / "silent"
    pair = case.start(tap_program=[sys.executable, SLOW_TAP, str(seconds), silent])
    if second_run:
        silent.touch()
        pair.wait_for_log("target-zoho-crm v")
        time.sleep(seconds)
        second = case.run()
        assert second.code == 3, second.err
        silent.unlink()
        case.seen("second run refused")
    case.ends(pair, tap=[0], target=[0])
    case.shop.assert_all_synced()
    case.law()


@on(*ENGINES)
def test_a_target_that_ends_at_its_start_is_told_by_the_tap_in_one_line(case: Case) -> None:
    case.is_about("the target ends before it has read anything", "the target ends 2, the tap 1, each by one line")
    case.orders(1_000, length=2_000)
    case.shop.target_config = {"module": "Nothing_Like_That"}
    pair = case.start()
    ended = case.ends(pair, tap=[1], target=[2])
    assert "the program that reads this tap's output has ended" in ended.tap_log
    case.seen("each by its line")
    case.shop.target_config = {}
    case.law()


@on(*ENGINES, quick=[])
def test_a_reader_of_state_that_is_gone_ends_the_target_by_one_line(case: Case) -> None:
    case.is_about("broken pipe: the reader of STATE is gone", "the target ends 1 by one line")
    case.shop.target_config = {"channel": "upsert"}
    case.orders(150)
    read, write = os.pipe()
    os.close(read)
    pair = case.start(target_out=write)
    os.close(write)
    ended = case.ends(pair, tap=[0, 1], target=[1])
    (line,) = ended.complaints(ended.target_log)
    assert "STATE cannot be written to this target's output: Broken pipe" in line
    case.seen(line.rpartition("| ")[2][:90])
    case.law()
