"""The benchmark of follow mode in small: the same measure, with a kill, a burst and notifications."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.freshness import Plan, measure
from scripts.servers import postgresql_server


@pytest.mark.parametrize("notify", [False, True])
def test_changes_are_in_the_crm_soon_and_none_is_lost_by_a_kill(tmp_path: Path, *, notify: bool) -> None:
    plan = Plan(
        seconds=5,
        changes_per_second=20,
        burst=300,
        bursts=1,
        kills=0 if notify else 1,
        notify=notify,
        idle_seconds=2,
        poll_interval_seconds=5 if notify else 0.5,
        max_age_seconds=0.2,
        call_seconds=0.1,
    )
    figures = measure(plan, tmp_path, postgresql_server())  # fails where an order is lost, doubled or not its newest
    assert figures["changes"] > 100
    if notify:
        assert figures["outside_bursts"]["p50"] < plan.poll_interval_seconds / 2  # polling alone could not do that
