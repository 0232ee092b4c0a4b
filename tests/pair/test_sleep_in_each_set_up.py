"""A run that slept with a call or a job under way: by jobs, with lines, with a flag, followed, and on each engine.

The 200 runs of `make sleeps` in small: a short sleep at the one step that leaves the most behind.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pair_of_plugins import PROCESS_SECONDS
from sleeping_pair import QUICK, can_unshare
from sleeps.one_run import carried_out
from sleeps.plan import drawn
from sleeps.steps import TARGET, Step

SLEEP = {
    "who": "target",
    "program": TARGET,
    "step": Step.AFTER_SENDING,
    "number": 1,
    "later": 0.0,
    "held": True,
    "seconds": PROCESS_SECONDS,
    "until_through": True,
    "minute": QUICK,
    "token_ends": None,
    "own_space": True,
    "orders": 90,  # one call: no other thread is stopped within a transaction, whose locks would hold up the shop
    "changed_again": 1.0,
    "elsewhere": False,
    "by_flag": False,
    "lines": None,
    "follow": False,
    "channel": "upsert",
}
SET_UPS: dict[str, dict[str, Any]] = {
    "jobs": {"engine": "postgresql", "channel": "bulk_write"},
    "jobs, ledger elsewhere": {"engine": "mariadb", "channel": "bulk_write", "elsewhere": True},
    "lines in a module": {"engine": "postgresql", "lines": "module"},
    "lines in a subform": {"engine": "mariadb", "lines": "subform"},
    "jobs with lines": {"engine": "sqlite", "channel": "bulk_write", "lines": "module"},
    "a flag": {"engine": "mariadb", "by_flag": True},
    "followed": {"engine": "postgresql", "follow": True, "who": "tap and target"},
    "followed, by jobs": {"engine": "sqlite", "follow": True, "channel": "bulk_write"},
}


@pytest.mark.nightly
@pytest.mark.parametrize("set_up", SET_UPS)
def test_no_old_version_of_a_sleeper_stays_over_a_newer_one(set_up: str, tmp_path: Path) -> None:
    if not can_unshare():
        pytest.skip("no process may be put into a space of its own here")
    plan = replace(drawn(1), **{**SLEEP, **SET_UPS[set_up]})
    seen = carried_out(plan, tmp_path)
    assert seen.taken_over
    assert 0 < seen.in_doubt <= seen.under_way
    assert seen.verified + seen.sent_again > 0
