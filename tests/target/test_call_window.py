"""The number of calls at once is learned: near the limit, seldom above it, and never stuck below."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest

from target_zoho_crm.api.call_window import CallWindow


class Played:
    """Calls of one second each, as many at once as the window says, against a limit that may change with time."""

    def __init__(self, window: CallWindow, limit: Callable[[float], int]) -> None:
        self.window = window
        self.limit = limit
        self.under_way: list[tuple[float, int]] = []
        self.answered: list[float] = []
        self.refused = 0

    def until(self, end: float) -> Played:
        now = 0.0
        while now < end:
            while len(self.under_way) < self.window.size:
                now += 0.001
                if len(self.under_way) >= self.limit(now):
                    self.refused += 1
                    self.window.refused(self.window.era)
                    break
                heapq.heappush(self.under_way, (now + 1, self.window.era))
            else:
                now = heapq.heappop(self.under_way)[0]
                self.window.answered()
                self.answered.append(now)
        return self

    def a_second(self, since: float, until: float) -> float:
        return sum(since <= moment < until for moment in self.answered) / (until - since)


@pytest.mark.parametrize(("most", "limit"), [(10, 5), (25, 10), (25, 20), (10, 3), (20, 1)])
def test_it_comes_near_a_limit_and_few_calls_are_refused(most: int, limit: int) -> None:
    played = Played(CallWindow(most), lambda _: limit).until(600)
    assert played.a_second(60, 600) >= 0.75 * limit
    assert played.refused <= 0.03 * len(played.answered)


def test_without_a_refusal_all_calls_go_and_it_never_grows_beyond() -> None:
    played = Played(CallWindow(10), lambda _: 10).until(60)
    assert (played.refused, played.window.size) == (0, 10)


def test_a_limit_that_is_lifted_is_used_again() -> None:
    played = Played(CallWindow(10), lambda now: 2 if now < 100 else 10).until(600)
    assert played.window.size == 10
    assert played.a_second(500, 600) > 9


def test_calls_sent_before_the_window_shrank_do_not_shrink_it_again() -> None:
    window = CallWindow(10)
    era = window.era
    assert [window.refused(era) for _ in range(5)] == [True, False, False, False, False]
    assert window.size == 7


def test_it_is_never_less_than_one() -> None:
    window = CallWindow(3)
    for _ in range(5):
        window.refused(window.era)
    assert window.size == 1


def test_two_who_share_a_limit_come_to_like_shares() -> None:
    one, other = CallWindow(20), CallWindow(20)
    one.size, sums, rounds = 1, [0, 0], 3_000
    for _ in range(rounds):
        if one.size + other.size > 20:
            bigger = max((one, other), key=lambda window: window.size)
            for window in (one, other) if one.size == other.size else (bigger,):
                window.refused(window.era)
        for index, window in enumerate((one, other)):
            sums[index] += window.size
            for _ in range(window.size):
                window.answered()
    assert min(sums) > 0.6 * max(sums)
