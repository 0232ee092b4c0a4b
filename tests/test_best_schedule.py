"""The bound that the first load is measured against: no schedule is faster, and one is as fast."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.best_schedule import Taken, best_seconds


def taken(ready: float, job: float, *, upload: float = 0, create: float = 0, download: float = 0) -> Taken:
    return Taken(ready, upload, create, job, download)


def test_one_place_holds_one_job_after_the_other() -> None:
    jobs = [taken(1, 8, upload=0.5, create=0.25, download=0.125), taken(2, 4, create=0.25, download=0.5)]
    assert best_seconds(jobs, at_once=1, rest=2) == 1 + 0.5 + 0.25 + 8 + 0.25 + 4 + 0.5 + 2


def test_places_beside_each_other_wait_for_nothing_but_files() -> None:
    jobs = [taken(at, 8) for at in (1, 2, 3)]
    assert best_seconds(jobs, at_once=3, rest=0) == 11
    assert best_seconds(jobs, at_once=2, rest=0) == 17


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=5), st.integers(1, 3))
def test_no_other_schedule_of_the_jobs_in_their_order_is_faster(pairs: list[tuple[int, int]], at_once: int) -> None:
    jobs = [taken(ready, job) for ready, job in pairs]
    found = []
    for places in product(range(at_once), repeat=len(jobs)):
        free, begun = [0.0] * at_once, 0.0
        for place, each in zip(places, jobs, strict=True):
            begun = max(begun, each.ready, free[place])  # in their order
            free[place] = begun + each.job
        found.append(max(free))
    assert best_seconds(jobs, at_once=at_once, rest=0) <= min(found)


@pytest.mark.parametrize("order", list(permutations([3.0, 5.0, 8.0])))
def test_it_is_no_less_than_the_jobs_share_of_the_places(order: tuple[float, ...]) -> None:
    assert best_seconds([taken(0, job) for job in order], at_once=2, rest=0) >= 8
