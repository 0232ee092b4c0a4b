"""The search for the orders that make a call fail: all others go, each once, and it costs no more than it says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from target_zoho_crm.writing.split_search import find_failing, parts_of

CALL = 100
MOST_CALLS = 8


def search(keys: Sequence[str], failing: set[str]) -> tuple[list[str], list[str], int]:
    """The orders found to fail calls, those that went through, and the calls it took."""
    passed: list[str] = []
    calls = 0

    def passes(part: Sequence[str]) -> bool:
        nonlocal calls
        calls += 1
        assert part
        if failing.intersection(part):
            return False
        passed.extend(part)
        return True

    return list(find_failing(keys, passes)), passed, calls


@given(st.integers(1, CALL).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1)))))
def test_the_failing_are_found_and_all_others_go_once(case: tuple[int, set[int]]) -> None:
    count, numbers = case
    keys = [f"K-{number}" for number in range(count)]
    failing = {keys[number] for number in numbers}
    found, passed, calls = search(keys, failing)
    assert sorted(found) == sorted(failing)
    assert sorted(passed) == sorted(set(keys) - failing)
    assert calls <= max(MOST_CALLS * len(failing), 3)


def test_the_bound_holds_for_every_place_of_one_and_of_two_failing_orders() -> None:
    keys = [f"K-{number}" for number in range(CALL)]
    assert max(search(keys, {key})[2] for key in keys) == MOST_CALLS
    pairs = list(combinations(keys, 2))[::7]
    assert max(search(keys, set(pair))[2] for pair in pairs) <= 2 * MOST_CALLS


def test_a_failure_that_has_passed_is_blamed_on_nobody_and_costs_three_calls() -> None:
    keys = [f"K-{number}" for number in range(CALL)]
    assert search(keys, set()) == ([], keys, 3)


def test_parts_are_powers_of_two_that_grow_smaller() -> None:
    assert [parts_of(count) for count in (1, 2, 3, 7, 50, 100)] == [
        [1],
        [1, 1],
        [2, 1],
        [4, 2, 1],
        [32, 16, 2],
        [64, 32, 4],
    ]
    assert all(sum(parts_of(count)) == count for count in range(1, CALL + 1))
