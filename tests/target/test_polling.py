from __future__ import annotations

import random

import pytest

from sync_ledger.retry_schedules import JOB_POLLS
from target_zoho_crm.writing.job_polling import Pauses


def looks(pauses: Pauses, job_seconds: float) -> list[float]:
    """When a job that takes so long is looked at, up to the look that finds it ended."""
    moments = [pauses.after(0.0)]
    while moments[-1] < job_seconds:
        moments.append(moments[-1] + pauses.after(moments[-1]))
    return moments


@pytest.mark.parametrize(("job_seconds", "most_calls"), [(0.5, 6), (12, 24), (60, 32), (600, 72)])
def test_the_end_of_a_job_is_noticed_soon_and_by_few_calls(job_seconds: float, most_calls: int) -> None:
    found = looks(Pauses(), job_seconds)
    late = found[-1] - job_seconds
    assert late <= max(JOB_POLLS.shortest, min(JOB_POLLS.longest, job_seconds * 0.2))
    assert len(found) <= most_calls


def test_a_job_is_not_asked_for_long_before_the_fastest_of_the_last_ones_had_ended() -> None:
    pauses = Pauses()
    for seconds in (12.0, 10.0, 11.0):
        pauses.took(seconds)
    found = looks(pauses, 10.5)
    assert found[0] == pytest.approx(7.0)
    assert found[-1] - 10.5 <= 10.5 * JOB_POLLS.share_when_likely
    assert len(found) <= 24


@pytest.mark.parametrize(("fastest", "slowest"), [(0.4, 0.6), (4, 12), (60, 180), (900, 2_700)])
def test_once_it_is_known_how_long_jobs_take_their_ends_are_noticed_at_once(fastest: float, slowest: float) -> None:
    pauses, draw = Pauses(), random.Random(1)  # noqa: S311 - no secret
    late, calls, took = 0.0, 0, 0.0
    for number in range(200):
        seconds = draw.uniform(fastest, slowest)
        found = looks(pauses, seconds)
        pauses.took(found[-1])
        if number:
            late, calls, took = late + found[-1] - seconds, calls + len(found), took + seconds
    assert late / took < 0.025 or late / 199 < JOB_POLLS.shortest
    assert calls / 199 <= 72


def test_a_job_that_takes_far_longer_than_others_is_asked_for_seldom() -> None:
    pauses = Pauses()
    pauses.took(8.0)
    assert len(looks(pauses, 600)) <= 80


def test_jobs_that_become_faster_are_noticed() -> None:
    pauses = Pauses()
    pauses.took(30.0)
    for _ in range(12):
        pauses.took(looks(pauses, 0.5)[-1])
    assert looks(pauses, 0.5)[-1] < 0.7


def test_a_look_that_took_long_is_followed_at_once() -> None:
    pauses = Pauses()
    for _ in range(3):
        pauses.took(8.0)
    pause = pauses.after(8.0)
    assert pause == pytest.approx(8.0 * JOB_POLLS.share_when_likely)
    assert pauses.after(8.0, polled=pause / 2) == pytest.approx(pause / 2)
    assert pauses.after(8.0, polled=1.0) == 0.0
