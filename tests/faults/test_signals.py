"""Signals to tap, target or both in the middle of a run: nothing is lost, and a request to end is met in seconds."""

from __future__ import annotations

import signal
import time

import pytest
from fault_cases import ENGINES, Case, choices, on

SECONDS_TO_END = 10
CODES = {
    signal.SIGKILL: -signal.SIGKILL,
    signal.SIGTERM: 128 + signal.SIGTERM,
    signal.SIGINT: 128 + signal.SIGINT,
}
WAYS = {"tap": "upsert", "target": "bulk_write", "both": "upsert"}


@on(*ENGINES)
@pytest.mark.parametrize("who", ["tap", "target", "both"])
@pytest.mark.parametrize("number", choices(CODES, [signal.SIGTERM]))
def test_a_run_that_a_signal_met_loses_nothing(case: Case, who: str, number: signal.Signals) -> None:
    """The signal falls while some orders are settled, some at Zoho, some in the pipe and some not read yet."""
    case.is_about(
        f"{number.name} to {who}, {WAYS[who]}",
        "the run ends, at SIGTERM and SIGINT by 128 + n within 10 s; the next run completes it",
    )
    admin = case.shop.emulator.admin
    case.shop.tap_config = {"page_size": 300}
    case.shop.target_config = {"channel": WAYS[who], "bulk_rows": 300, "max_connections": 2}
    case.orders(1_200, length=2_000)
    if WAYS[who] == "upsert":
        hold = admin.add_fault("upsert", kind="hold_after", after=2)
    else:
        admin.settings(job_seconds=[1, 1])
        hold = admin.add_fault("bulk_poll", kind="hold_before", after=1)
    pair = case.start()
    admin.wait_held(hold)
    pair.signal(who, number)
    if who == "tap":  # the target is well, and goes on with what it was given
        time.sleep(0.2)
        admin.release(hold)
    code = CODES[number]
    taps = (code,) if who != "target" else (0, 1)  # it may have sent all by then
    targets = (code,) if who != "tap" else (0, 1)
    case.ends(pair, tap=taps, target=targets, within=SECONDS_TO_END)
    before = case.acks()
    case.seen(f"{before.get('synced', 0)} synced, {before.get('submitted', 0)} in jobs at the end")
    admin.release(hold)
    case.law()
