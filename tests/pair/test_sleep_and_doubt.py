"""A run that slept had sent an old version: it lands last, and is mended once nothing of it can land any more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

import pytest
from pair_of_plugins import PROCESS_SECONDS, Shop
from sleeping_pair import CALL, KEYS, OWN_SPACE, QUICK, begin, can_unshare, notes_in_crm, run_beside, sleeper
from writes_in_doubt import in_doubt, time_passes


@pytest.mark.parametrize("stops", ["sending", "answer"])
@pytest.mark.parametrize("space", [OWN_SPACE, ()], ids=["other hosts", "one host"])
def test_an_old_version_that_lands_after_a_sleep_does_not_stay(shop: Shop, stops: str, space: Sequence[str]) -> None:
    """On one host the process is seen to end, which is a look of its own; the last one is when its token has ended."""
    if not can_unshare():
        pytest.skip("no process may be put into a space of its own here")
    pair, hold = sleeper(shop, QUICK, stops)
    pair.wait_until_stopped()
    shop.change(list(shop.orders()), notes="new")
    second = run_beside(shop, QUICK, space)
    assert second.code == 0, second.err
    assert "still in doubt: 100 orders of 1 writes" in second.err
    os.kill(pair.target.pid, signal.SIGCONT)
    if hold is not None:
        shop.emulator.admin.release(hold)
    assert pair.finish().code == 1
    late = [key for key, notes in notes_in_crm(shop).items() if notes == "old"]
    if space:
        assert begin(shop, QUICK, space=space).finish().summary["read"] == 0
        time_passes(shop, hours=1.1)
    ended = begin(shop, QUICK, space=space).finish()
    assert ended.code == 0, ended.err
    assert (ended.summary["synced"], ended.summary["unchanged"]) == (len(late), CALL - len(late))
    shop.assert_all_synced()
    if not space:
        assert in_doubt(shop) != []  # what it has sent may wait at the CRM
        time_passes(shop, hours=1.1)
        ended = begin(shop, QUICK, space=space).finish()
        assert (ended.summary["synced"], ended.summary["unchanged"]) == (0, CALL)
    assert in_doubt(shop) == []


def killed_while_the_crm_holds_its_call(shop: Shop) -> int:
    """Run the pair so; what it sent lands when this hold is released."""
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    pair = begin(shop, QUICK)
    shop.emulator.admin.wait_held(hold)
    pair.target.kill()
    assert pair.finish().code == -signal.SIGKILL
    return hold


def lands(shop: Shop, hold: int) -> None:
    """Let the old version land that the CRM holds."""
    assert shop.emulator.admin.release(hold) == 1
    ends = time.monotonic() + PROCESS_SECONDS
    while set(notes_in_crm(shop).values()) != {"old"}:
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.nightly
def test_an_old_version_that_lands_twice_after_a_newer_one_does_not_stay(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert"}
    shop.insert(KEYS[:3])
    assert shop.run().code == 0
    shop.change(KEYS[:3], notes="old")
    first = killed_while_the_crm_holds_its_call(shop)
    time_passes(shop, hours=0.5)
    second = killed_while_the_crm_holds_its_call(shop)
    shop.change(KEYS[:3], notes="new")
    assert shop.run().code == 0
    assert set(notes_in_crm(shop).values()) == {"new"}
    for hold, hours in ((first, 0.7), (second, 0.5)):
        lands(shop, hold)
        time_passes(shop, hours=hours)
        ended = shop.run()
        assert ended.code == 0, ended.err
        assert set(notes_in_crm(shop).values()) == {"new"}
    shop.assert_all_synced()
    assert in_doubt(shop) == []
