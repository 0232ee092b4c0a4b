"""A run may sleep at any step: what it had not begun to send never goes, and what it had sent is in doubt, by name."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import pytest
from pair_of_plugins import PROCESS_SECONDS, Shop
from sleeping_pair import (
    CALL,
    KEYS,
    OWN_SPACE,
    QUICK,
    Pair,
    begin,
    can_unshare,
    let_stand,
    notes_in_crm,
    run_beside,
    sleeper,
    writes_in_doubt,
)

from sync_ledger.retry_schedules import LEASE_SILENT_SECONDS

TIMES = pytest.mark.parametrize("minute", [QUICK, pytest.param(LEASE_SILENT_SECONDS, marks=pytest.mark.nightly)])


@TIMES
@pytest.mark.parametrize("stops", ["connecting", "checked", "sending", "answer"])
def test_a_run_that_slept_sends_nothing_more_and_what_it_had_sent_is_in_doubt(
    shop: Shop, stops: str, minute: float
) -> None:
    """The second run is on another host, as far as it can know."""
    if not can_unshare():
        pytest.skip("no process may be put into a space of its own here")
    _sleeps(shop, stops, minute, OWN_SPACE)


@pytest.mark.nightly
@TIMES
def test_so_it_is_where_both_runs_are_on_one_host(shop: Shop, minute: float) -> None:
    _sleeps(shop, "checked", minute, ())


def _sleeps(shop: Shop, stops: str, minute: float, space: Sequence[str]) -> None:
    pair, hold = sleeper(shop, minute, stops)
    pair.wait_until_stopped()
    old = {key: shop.acks()[key].version for key in KEYS}
    under_way = {key: str(order.updated_at) for key, order in shop.orders().items() if notes_in_crm(shop)[key] != "old"}
    assert len(under_way) == len(KEYS) - CALL
    assert writes_in_doubt(shop) == []  # as far as anybody knows, the run lives
    shop.change(KEYS, notes="new")
    second = run_beside(shop, minute, space)
    assert second.code == 0, second.err
    assert set(notes_in_crm(shop).values()) == {"new"}
    doubt = {key for write in writes_in_doubt(shop) for key in write.manifest.texts()}
    assert doubt == (set() if stops == "connecting" else set(under_way))
    assert all(
        old[key] != version for write in writes_in_doubt(shop) for key, version in write.manifest.texts().items()
    )
    calls = shop.emulator.admin.stats()["requests"]["upsert"]
    os.kill(pair.target.pid, signal.SIGCONT)
    if hold is not None:
        shop.emulator.admin.release(hold)
    slept = pair.finish()
    assert slept.code == 1, slept.err
    assert "another run has taken over its work" in slept.err
    assert {key for key, notes in notes_in_crm(shop).items() if notes != "new"} <= doubt
    if stops in {"connecting", "checked"}:
        assert set(notes_in_crm(shop).values()) == {"new"}
        assert shop.emulator.admin.stats()["requests"]["upsert"] == calls


@pytest.mark.nightly
@TIMES
def test_a_schedule_on_new_hosts_sends_after_one_kill_and_nobody_helps(shop: Shop, minute: float) -> None:
    if not can_unshare():
        pytest.skip("no process may be put into a space of its own here")
    shop.target_config = {"channel": "upsert"}
    shop.insert(KEYS)
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    killed = begin(shop, minute, space=OWN_SPACE)
    shop.emulator.admin.wait_held(hold)
    for process in (killed.tap, killed.target):
        process.kill()  # `unshare` takes all of its space along
    killed.finish()
    shop.emulator.admin.clear_faults()
    let_stand(shop, minute * 2)  # the schedule's five minutes, or part of them
    following = begin(shop, minute, space=OWN_SPACE).finish()
    assert following.code == 0, following.err
    # By the tap; the target has not to do it again. One in a space of the killed one's number knows that it has ended.
    assert following.err.count("it is watched for up to") <= 1
    shop.assert_all_synced()


def test_a_run_that_waited_for_a_live_one_sends(shop: Shop) -> None:
    shop.insert(KEYS)
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    first = begin(shop, LEASE_SILENT_SECONDS)
    shop.emulator.admin.wait_held(hold)
    shop.tap_config = {"wait_for_lock_seconds": 0.2}
    ended = begin(shop, QUICK)
    refused = ended.finish()
    assert ended.tap.returncode == 3, refused.err
    shop.tap_config = {"wait_for_lock_seconds": PROCESS_SECONDS}
    second = begin(shop, QUICK)
    waiting = read_until(second, "Waiting for up to")
    shop.change(KEYS[:50], notes="new")
    shop.emulator.admin.release(hold)
    assert first.finish().code == 0
    after = second.finish()
    assert after.code == 0, waiting + after.err
    shop.assert_all_synced()


def read_until(pair: Pair, words: str) -> str:
    """Read the tap's log until these words are in it."""
    assert pair.tap.stderr is not None
    lines = []
    for line in pair.tap.stderr:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))
