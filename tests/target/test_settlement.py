"""Settlement: STATE goes out only when every record read before it has an outcome, and the sum adds up."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from target_zoho_crm.batch import PendingRecords
from target_zoho_crm.confirmation.in_flight import InFlight
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.mapping.key_folding import KeyFolding

STREAM = "orders"


class Emitted(list[Mapping[str, Any]]):
    def __call__(self, state: Mapping[str, Any]) -> None:
        self.append(state)


def synced(number: int) -> list[Outcome]:
    return [Outcome(f"K{index}", "v", Status.SYNCED) for index in range(number)]


def test_state_waits_for_the_records_before_it_and_not_for_those_after() -> None:
    emitted = Emitted()
    state_gate, first, second = StateGate(emitted), PendingRecords(STREAM), PendingRecords(STREAM)
    state_gate.received(first, 2)
    state_gate.hold({"page": 1})
    state_gate.received(second, 3)
    state_gate.hold({"page": 2})
    state_gate.confirmed(second, synced(3), 0)
    assert emitted == []  # the later job was faster
    state_gate.confirmed(first, synced(2), 0)
    assert emitted == [{"page": 2}]


def test_state_goes_out_at_once_where_nothing_is_unsettled() -> None:
    emitted = Emitted()
    StateGate(emitted).hold({"page": 0})
    assert emitted == [{"page": 0}]


def test_what_is_to_be_done_then_is_done_once_all_that_was_read_before_is_settled() -> None:
    done: list[str] = []
    emitted = Emitted()
    state_gate, first, second = StateGate(emitted), PendingRecords(STREAM), PendingRecords(STREAM)
    state_gate.received(first, 2)
    state_gate.when_settled(lambda: done.append("first"))
    state_gate.hold({"n": 1})
    state_gate.received(second, 1)
    state_gate.when_settled(lambda: done.append("second"))
    state_gate.confirmed(second, synced(1), 0)
    state_gate.confirmed(first, synced(1), 0)
    assert (done, emitted) == ([], [])
    state_gate.confirmed(first, synced(1), 0)
    assert (done, emitted) == (["first", "second"], [{"n": 1}])


def test_state_never_passes_a_record_that_was_left_unsynced() -> None:
    emitted = Emitted()
    state_gate, group = StateGate(emitted), PendingRecords(STREAM)
    state_gate.received(group, 3)
    state_gate.hold({"page": 1})
    state_gate.confirmed(group, synced(2), 0)
    later = PendingRecords(STREAM)
    state_gate.received(later, 1)
    state_gate.hold({"page": 2})
    state_gate.confirmed(later, synced(1), 0)
    assert emitted == []
    assert state_gate.counts(STREAM)["unsynced"] == 1


def test_state_follows_records_that_were_moved_to_another_group() -> None:
    emitted = Emitted()
    state_gate, first, second = StateGate(emitted), PendingRecords(STREAM), PendingRecords(STREAM)
    state_gate.received(first, 2)
    state_gate.hold({"page": 1})
    state_gate.move(1, first, second)
    state_gate.confirmed(first, synced(1), 0)
    assert emitted == []
    state_gate.confirmed(second, synced(1), 0)
    assert emitted == [{"page": 1}]


def test_what_is_counted_so_far_does_not_wait_for_whoever_takes_state() -> None:
    given, taken = threading.Event(), threading.Event()

    def emit(_: Mapping[str, Any]) -> None:
        given.set()
        taken.wait(20)  # seconds, so that a heartbeat that waits fails the test

    state_gate, group = StateGate(emit), PendingRecords(STREAM)
    state_gate.received(group, 1)
    state_gate.hold({"page": 1})
    settling = threading.Thread(target=state_gate.confirmed, args=(group, synced(1), 0))
    settling.start()
    given.wait()
    assert state_gate.counts_so_far(STREAM) == {}, "a heartbeat asks for them, and must not stop"
    taken.set()
    settling.join()
    assert state_gate.counts_so_far(STREAM)["synced"] == 1


def test_superseded_records_are_settled_by_being_replaced() -> None:
    emitted = Emitted()
    state_gate, group = StateGate(emitted), PendingRecords(STREAM)
    state_gate.received(group, 3)
    state_gate.superseded(group, 2)
    state_gate.hold({"page": 1})
    state_gate.confirmed(group, synced(1), 0)
    assert emitted == [{"page": 1}]
    counts = state_gate.counts(STREAM)
    assert (counts["read"], counts["superseded"], counts["synced"]) == (3, 2, 1)


def test_keys_in_flight_are_known_until_their_write_is_over() -> None:
    in_flight = InFlight(KeyFolding(folds_case=True))
    in_flight.begin(["A"])
    second = in_flight.begin(["B"])
    assert in_flight.among(["B", "C"]) == {"B"}
    assert in_flight.among(["b ", " c"]) == {"b "}  # as Zoho compares keys
    in_flight.end(second)
    assert in_flight.among(["A", "B"]) == {"A"}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_law_of_state(data: st.DataObject) -> None:
    """Whatever the order of events: an emitted state has no unsettled record before it, and none is held back."""
    emitted = Emitted()
    state_gate = StateGate(emitted)
    groups: list[PendingRecords] = []
    unsettled: list[tuple[int, PendingRecords]] = []  # (how many states had come before the record, its group)
    states = 0
    for _ in range(data.draw(st.integers(1, 25))):
        event = data.draw(st.sampled_from(["record", "state", "settle", "move"]))
        if event == "record":
            group = (
                data.draw(st.sampled_from(groups)) if groups and data.draw(st.booleans()) else PendingRecords(STREAM)
            )
            groups.append(group)
            state_gate.received(group, 1)
            unsettled.append((states, group))
        elif event == "state":
            state_gate.hold({"n": states})
            states += 1
        elif event == "settle" and unsettled:
            _, group = unsettled.pop(data.draw(st.integers(0, len(unsettled) - 1)))
            state_gate.confirmed(group, synced(1), 0)
        elif event == "move" and unsettled:
            index = data.draw(st.integers(0, len(unsettled) - 1))
            before, source = unsettled[index]
            target = PendingRecords(STREAM)
            groups.append(target)
            state_gate.move(1, source, target)
            unsettled[index] = (before, target)
        passed = emitted[-1]["n"] if emitted else -1
        assert all(before > passed for before, _ in unsettled)
        if not unsettled and states:
            assert passed == states - 1
    counts = state_gate.counts(STREAM)
    assert counts["unsynced"] == len(unsettled)
    assert counts["read"] == counts["synced"] + counts["unsynced"]
