"""Signals to tap, target or both in the middle of a run: nothing is lost, and a request to end is met in seconds."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from fault_cases import CUT_SHORT, ENGINES, Case, choices, on
from pair_of_plugins import PROCESS_SECONDS

from sync_processes.shutdown import GRACE_SECONDS, LAST_LINE_SECONDS, set_in_handler

SECONDS_TO_END = 10
"""Orchestrators kill what has not ended by then."""
CODES = {
    signal.SIGKILL: -signal.SIGKILL,
    signal.SIGTERM: 128 + signal.SIGTERM,
    signal.SIGINT: 128 + signal.SIGINT,
}
WAYS = {"tap": "upsert", "target": "bulk_write", "both": "upsert"}
UNANSWERED = {
    "upsert": "upsert",
    "upload": "bulk_write",
    "bulk_create": "bulk_write",
    "bulk_poll": "bulk_write",
    "bulk_result": "bulk_write",
    "token": "upsert",
}
"""Calls that Zoho may leave without an answer, and by which channel they come."""


@on(*ENGINES)
@pytest.mark.parametrize("who", ["tap", "target", "both"])
@pytest.mark.parametrize("number", choices(CODES, [signal.SIGTERM]))
def test_a_run_that_a_signal_met_loses_nothing(case: Case, who: str, number: signal.Signals) -> None:
    """The signal falls while some orders are settled, some at Zoho, some in the pipe and some not read yet."""
    case.is_about(
        f"{number.name} to {who}, {WAYS[who]}",
        "killed at once" if number is signal.SIGKILL else f"ends by {CODES[number]}; calls settled, jobs handed over",
    )
    admin = case.shop.emulator.admin
    case.shop.tap_config = {"page_size": 300}
    case.shop.target_config = {"channel": WAYS[who], "bulk_rows": 300, "max_connections": 2}
    case.orders(1_200, length=2_000)
    # Nothing hangs, so that both end by themselves. Who is killed must be no other process's child, which waits for it.
    how = {"grace": True, "forks": number is not signal.SIGKILL}
    if WAYS[who] == "upsert":
        hold = admin.add_fault("upsert", kind="hold_after", after=2)
        pair = case.start(**how)
        admin.wait_held(hold)
        pair.signal(who, number)
        if who == "tap" or number is not signal.SIGKILL:  # Zoho answers whoever still lives
            time.sleep(0.3)
            admin.release(hold)
    else:
        admin.settings(job_seconds=[3, 3])
        pair = case.start(**how)
        pair.wait_for_log("Bulk write job")
        pair.signal(who, number)
    code = CODES[number]
    # The other one may be done already, go on with what it was given, or find its partner gone.
    taps = (code,) if who == "tap" else (code, 0) if who == "both" else (0, 1)
    targets = (code,) if who != "tap" else (0, 1)
    case.ends(pair, tap=taps, target=targets)
    before = case.acks()
    case.seen(f"{before.get('synced', 0)} synced, {before.get('submitted', 0)} in jobs at the end")
    admin.clear_faults()
    case.law()


@on(*ENGINES)
@pytest.mark.parametrize("endpoint", choices(UNANSWERED, ["upsert"]))
def test_a_call_without_an_answer_does_not_keep_a_run_that_is_asked_to_end(case: Case, endpoint: str) -> None:
    case.is_about(f"SIGTERM to both while `{endpoint}` gets no answer", "both end by 143 within 10 s")
    admin = case.shop.emulator.admin
    case.shop.tap_config = {"page_size": 300}
    case.shop.target_config = {"channel": UNANSWERED[endpoint], "bulk_rows": 300, "max_connections": 1}
    case.orders(1_200, length=2_000)
    hold = admin.add_fault(endpoint, kind="hold_after")
    pair = case.start()
    admin.wait_held(hold)
    pair.signal("both", signal.SIGTERM)
    ended = case.ends(pair, tap=(143, 0), target=(143,))
    assert CUT_SHORT.format("SIGTERM") in ended.target_log
    assert GRACE_SECONDS + LAST_LINE_SECONDS < SECONDS_TO_END
    case.seen(f"{case.acks() or 'no acks yet'}")
    admin.clear_faults()
    case.law()


def test_a_handler_waits_for_no_lock_that_the_main_thread_holds() -> None:
    """The signal comes between two steps of a wait: its lock is taken, and not yet given up."""
    event = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: set_in_handler(event))
    try:
        with event._cond:  # type: ignore[attr-defined] # noqa: SLF001 - as its own `wait` does
            signal.raise_signal(signal.SIGUSR1)
        assert event.wait(PROCESS_SECONDS)
    finally:
        signal.signal(signal.SIGUSR1, before)
