"""When a stream that never ends sends what it has gathered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_zoho_crm.batch import PendingRecords
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.delivery.flush_timer import INPUT_PENDING_FACTOR, FlushTimer, Waiting


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_records_wait_for_their_age_and_longer_while_input_pours() -> None:
    clock = Clock()
    flush_timer = FlushTimer(0.5, clock)
    assert not flush_timer.is_time(input_pending=False)
    assert flush_timer.pause() is None
    flush_timer.arrived()
    clock.now += 0.3
    flush_timer.arrived()  # a later record makes the first one no younger
    assert not flush_timer.is_time(input_pending=False)
    assert 0.19 < (flush_timer.pause() or 0) < 0.21
    clock.now += 0.3
    assert flush_timer.is_time(input_pending=False)
    assert not flush_timer.is_time(input_pending=True)
    clock.now += 0.5 * INPUT_PENDING_FACTOR
    assert flush_timer.is_time(input_pending=True)
    flush_timer.emptied()
    assert not flush_timer.is_time(input_pending=True)


@given(ready=st.integers(0, 6_000), free_calls=st.integers(0, 25), free_jobs=st.integers(0, 3), by_jobs=st.booleans())
def test_no_call_has_fewer_than_ten_records_while_more_wait(
    *, ready: int, free_calls: int, free_jobs: int, by_jobs: bool
) -> None:
    portion = FlushTimer.portion(Waiting(ready, free_calls, free_jobs, by_jobs))
    assert 0 <= portion <= ready
    if by_jobs:
        assert portion == (ready if free_jobs else 0)
        return
    assert portion <= free_calls * 100  # so that sending never waits for a hand
    calls = [min(100, portion - start) for start in range(0, portion, 100)]
    assert all(size >= 10 for size in calls) or portion == ready < 10
    if free_calls and ready:
        assert portion > 0


def test_states_that_wait_for_the_same_records_are_held_once() -> None:
    sent: list[object] = []
    state_gate, group = StateGate(sent.append), PendingRecords("orders")
    state_gate.received(group, 1)
    for number in range(1_000):
        state_gate.hold({"at": number})
    assert len(state_gate._queue) == 1  # noqa: SLF001 - what it keeps is the promise
    state_gate.superseded(group, 1)
    assert sent == [{"at": 999}]


def test_orders_that_the_ledger_holds_as_due_let_state_pass_and_add_up() -> None:
    sent: list[object] = []
    state_gate, group = StateGate(sent.append), PendingRecords("orders")
    state_gate.received(group, 3)
    state_gate.hold({"at": 1})
    state_gate.due_again(group, 3)
    assert sent == [{"at": 1}]
    counts = state_gate.counts("orders")
    assert (counts["read"], counts["rejected"], counts["due_again"]) == (3, 3, 3)
