"""Retry schedules: how often, after which pauses, and until when."""

from __future__ import annotations

import pytest

from sync_databases.retrying import UNLIMITED, Growth, RetrySchedule


@pytest.mark.parametrize(
    ("growth", "pauses"),
    [
        (Growth.SAME, [2, 2, 2, 2, 2]),
        (Growth.BY_THE_FIRST, [2, 4, 6, 8, 9]),
        (Growth.DOUBLING, [2, 4, 8, 9, 9]),
    ],
)
def test_pauses_grow_up_to_the_longest(growth: Growth, pauses: list[float]) -> None:
    schedule = RetrySchedule(attempts=9, first_pause=2, growth=growth, longest_pause=9)
    assert [schedule.pause_after(failures) for failures in range(1, 6)] == pauses


def test_a_pause_is_drawn_from_its_share() -> None:
    schedule = RetrySchedule(attempts=9, first_pause=8, shortest_share=0.5)
    drawn = [schedule.pause_after(1) for _ in range(200)]
    assert 4 <= min(drawn) < 5
    assert 7 < max(drawn) <= 8


def test_the_last_attempt_is_the_end() -> None:
    schedule = RetrySchedule(attempts=3)
    assert [schedule.is_over(failures) for failures in (1, 2, 3, 4)] == [False, False, True, True]


def test_none_is_begun_when_time_is_up() -> None:
    schedule = RetrySchedule(attempts=3, none_begun_after=60)
    assert [schedule.is_over(1, seconds) for seconds in (0, 59.9, 60)] == [False, False, True]


def test_a_schedule_without_a_limit_goes_on_and_its_pauses_stay_finite() -> None:
    schedule = RetrySchedule(attempts=UNLIMITED, first_pause=1, growth=Growth.DOUBLING, longest_pause=60)
    assert not schedule.is_over(10**9, 10**9)
    assert schedule.pause_after(10**9) == 60
