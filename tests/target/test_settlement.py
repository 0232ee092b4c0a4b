"""Settlement: STATE goes out only when every record read before it has an outcome, and the sum adds up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from target_zoho_crm.settling.outcomes import Outcome, Status
from target_zoho_crm.settling.settlement import Group, Settlement

STREAM = "orders"


class Emitted(list[Mapping[str, Any]]):
    def __call__(self, state: Mapping[str, Any]) -> None:
        self.append(state)


def synced(number: int) -> list[Outcome]:
    return [Outcome(f"K{index}", "v", Status.SYNCED) for index in range(number)]


def test_state_waits_for_the_records_before_it_and_not_for_those_after() -> None:
    emitted = Emitted()
    settlement, first, second = Settlement(emitted), Group(STREAM), Group(STREAM)
    settlement.received(first, 2)
    settlement.hold({"page": 1})
    settlement.received(second, 3)
    settlement.hold({"page": 2})
    settlement.confirmed(second, synced(3), 0)
    assert emitted == []  # the later job was faster
    settlement.confirmed(first, synced(2), 0)
    assert emitted == [{"page": 2}]


def test_state_goes_out_at_once_where_nothing_is_unsettled() -> None:
    emitted = Emitted()
    Settlement(emitted).hold({"page": 0})
    assert emitted == [{"page": 0}]


def test_what_is_to_be_done_then_is_done_once_all_that_was_read_before_is_settled() -> None:
    done: list[str] = []
    emitted = Emitted()
    settlement, first, second = Settlement(emitted), Group(STREAM), Group(STREAM)
    settlement.received(first, 2)
    settlement.then(lambda: done.append("first"))
    settlement.hold({"n": 1})
    settlement.received(second, 1)
    settlement.then(lambda: done.append("second"))
    settlement.confirmed(second, synced(1), 0)
    settlement.confirmed(first, synced(1), 0)
    assert (done, emitted) == ([], [])
    settlement.confirmed(first, synced(1), 0)
    assert (done, emitted) == (["first", "second"], [{"n": 1}])


def test_state_never_passes_a_record_that_was_left_unsynced() -> None:
    emitted = Emitted()
    settlement, group = Settlement(emitted), Group(STREAM)
    settlement.received(group, 3)
    settlement.hold({"page": 1})
    settlement.confirmed(group, synced(2), 0)
    later = Group(STREAM)
    settlement.received(later, 1)
    settlement.hold({"page": 2})
    settlement.confirmed(later, synced(1), 0)
    assert emitted == []
    assert settlement.counts(STREAM)["unsynced"] == 1


def test_state_follows_records_that_were_moved_to_another_group() -> None:
    emitted = Emitted()
    settlement, first, second = Settlement(emitted), Group(STREAM), Group(STREAM)
    settlement.received(first, 2)
    settlement.hold({"page": 1})
    settlement.moved(first, second, 1)
    settlement.confirmed(first, synced(1), 0)
    assert emitted == []
    settlement.confirmed(second, synced(1), 0)
    assert emitted == [{"page": 1}]


def test_superseded_records_are_settled_by_being_replaced() -> None:
    emitted = Emitted()
    settlement, group = Settlement(emitted), Group(STREAM)
    settlement.received(group, 3)
    settlement.superseded(group, 2)
    settlement.hold({"page": 1})
    settlement.confirmed(group, synced(1), 0)
    assert emitted == [{"page": 1}]
    counts = settlement.counts(STREAM)
    assert (counts["read"], counts["superseded"], counts["synced"]) == (3, 2, 1)


def test_keys_in_flight_are_known_until_their_write_is_over() -> None:
    settlement = Settlement(Emitted())
    settlement.sent("Orders", ["A"])
    second = settlement.sent("Orders", ["B"])
    assert settlement.in_flight("Orders", ["B", "C"]) == {"B"}
    assert settlement.in_flight("other", ["B"]) == set()
    settlement.returned("Orders", second)
    assert settlement.in_flight("Orders", ["A", "B"]) == {"A"}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_law_of_state(data: st.DataObject) -> None:
    """Whatever the order of events: an emitted state has no unsettled record before it, and none is held back."""
    emitted = Emitted()
    settlement = Settlement(emitted)
    groups: list[Group] = []
    unsettled: list[tuple[int, Group]] = []  # (how many states had come before the record, its group)
    states = 0
    for _ in range(data.draw(st.integers(1, 25))):
        event = data.draw(st.sampled_from(["record", "state", "settle", "move"]))
        if event == "record":
            group = data.draw(st.sampled_from(groups)) if groups and data.draw(st.booleans()) else Group(STREAM)
            groups.append(group)
            settlement.received(group, 1)
            unsettled.append((states, group))
        elif event == "state":
            settlement.hold({"n": states})
            states += 1
        elif event == "settle" and unsettled:
            _, group = unsettled.pop(data.draw(st.integers(0, len(unsettled) - 1)))
            settlement.confirmed(group, synced(1), 0)
        elif event == "move" and unsettled:
            index = data.draw(st.integers(0, len(unsettled) - 1))
            before, source = unsettled[index]
            target = Group(STREAM)
            groups.append(target)
            settlement.moved(source, target, 1)
            unsettled[index] = (before, target)
        passed = emitted[-1]["n"] if emitted else -1
        assert all(before > passed for before, _ in unsettled)
        if not unsettled and states:
            assert passed == states - 1
    counts = settlement.counts(STREAM)
    assert counts["unsynced"] == len(unsettled)
    assert counts["read"] == counts["synced"] + counts["unsynced"]
