"""The benchmark of follow mode in small: the same measure, with a kill, a burst and notifications."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from following_pair import PATIENCE_SECONDS, with_grace

from benchmarks import freshness
from benchmarks.freshness import Plan, measure
from scripts.servers import postgresql_server

NEVER = 24 * 3600


@pytest.mark.parametrize("notify", [False, True])
def test_changes_are_in_the_crm_and_none_is_lost_by_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, notify: bool
) -> None:
    """Where the tap is told of changes it polls once a day: what arrives, arrives by that."""
    plan = Plan(
        seconds=3,
        changes_per_second=20,
        burst=300,
        bursts=1,
        kills=0 if notify else 1,
        notify=notify,
        idle_seconds=0.1,
        poll_interval_seconds=NEVER if notify else 0.5,
        max_age_seconds=0.2,
        call_seconds=0.1,
        catch_up_seconds=PATIENCE_SECONDS,
        statistics_seconds=0,
        start_seconds=0,
    )

    def ours(program: str) -> str:
        script = tmp_path / f"{program}.sh"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(with_grace(program))} "$@"\n')
        script.chmod(0o755)
        return str(script)

    monkeypatch.setattr(freshness, "ours", ours)
    figures = measure(plan, tmp_path, postgresql_server())  # fails where an order is lost, doubled or not its newest
    assert figures["changes"] > 100
