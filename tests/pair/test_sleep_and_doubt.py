"""A run that slept had sent an old version: it lands last, and is mended once nothing of it can land any more."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import pytest
from pair_of_plugins import Shop
from sleeping_pair import CALL, OWN_SPACE, QUICK, begin, can_unshare, notes_in_crm, run_beside, sleeper
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
