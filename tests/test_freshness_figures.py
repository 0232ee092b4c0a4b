"""The figures of the freshness benchmark say what was measured."""

from __future__ import annotations

from benchmarks.call_notes import NotedCall
from benchmarks.freshness_figures import figures_of
from benchmarks.live_shop import Change


def change(number: int, key: str, committed: float) -> Change:
    return Change(number, key, committed, in_burst=False)


def test_a_change_is_visible_with_the_first_call_that_holds_it_or_a_later_one_of_its_order() -> None:
    changes = [change(0, "a", 10.0), change(1, "a", 10.5), change(2, "b", 11.0)]
    calls = [NotedCall(11.0, 11.4, {"a": 1}), NotedCall(11.1, 13.0, {"b": 2})]
    figures = figures_of(changes, calls, [])
    waits = figures["quantiles"]
    assert (waits[0], waits[100], waits[-1], len(waits)) == (0.9, 1.4, 2.0, 201)
    assert set(waits) == {0.9, 1.4, 2.0}
    assert figures["small_calls"] == 2


def test_a_small_call_that_leaves_a_waiting_change_behind_is_counted() -> None:
    changes = [change(0, "a", 10.0), change(1, "b", 10.1)]
    behind = [NotedCall(11.0, 11.3, {"b": 1}), NotedCall(12.0, 12.3, {"a": 0})]
    assert figures_of(changes, behind, [])["small_calls_while_more_wait"] == 1
    together = [NotedCall(11.0, 11.3, {"b": 1}), NotedCall(11.01, 12.3, {"a": 0})]
    assert figures_of(changes, together, [])["small_calls_while_more_wait"] == 0
    in_flight = [NotedCall(10.05, 10.6, {"a": -1}), *behind]
    assert figures_of(changes, in_flight, [])["small_calls_while_more_wait"] == 0
