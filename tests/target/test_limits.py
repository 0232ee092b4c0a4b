from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from sync_ledger.retry_schedules import RETRY_AFTER_MOST_SECONDS
from target_zoho_crm.api.costs import UPSERTS_AT_ONCE
from target_zoho_crm.api.errors import QuotaError, Stopped
from target_zoho_crm.api.limits import ConcurrencyGate, CreditKind, CreditMeter, retry_after, wait_or_stop


def test_a_budget_is_never_passed_not_even_by_threads() -> None:
    meter = CreditMeter(budget=1_000)

    def spend(_: int) -> bool:
        try:
            meter.reserve(3, CreditKind.UPSERT)
        except QuotaError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        granted = sum(pool.map(spend, range(1_000)))
    assert granted == 333
    with pytest.raises(QuotaError) as caught:
        meter.reserve(3)
    assert caught.value.code == "CREDIT_BUDGET"
    assert meter.total == meter.spent(CreditKind.UPSERT) == 999
    assert meter.spent(CreditKind.BULK_WRITE) == 0


def test_credits_of_a_call_that_was_not_carried_out_are_given_back() -> None:
    meter = CreditMeter(budget=500)
    meter.reserve(500, CreditKind.BULK_WRITE)
    meter.give_back(500, CreditKind.BULK_WRITE)
    meter.reserve(500, CreditKind.BULK_WRITE)
    assert meter.total == 500


def test_the_reserve_for_others_is_left_once_zoho_says_what_is_left() -> None:
    meter = CreditMeter(keep=100)
    meter.reserve(10_000)
    meter.note_remaining(150, by=10_000)
    meter.over(10_000)
    meter.reserve(50)
    with pytest.raises(QuotaError, match="credit_reserve"):
        meter.reserve(1)
    assert meter.remaining == 100


def test_calls_under_way_count_as_spent_until_an_answer_comes_that_surely_counts_them() -> None:
    meter = CreditMeter(keep=100)
    meter.reserve(10)
    meter.reserve(40)
    meter.note_remaining(160, by=10)  # perhaps without the 40
    meter.over(10)
    with pytest.raises(QuotaError, match="has 120 credits left"):
        meter.reserve(21)
    meter.reserve(20)
    meter.over(20)
    meter.note_remaining(100, by=40)
    meter.over(40)
    with pytest.raises(QuotaError):
        meter.reserve(1)
    meter.note_remaining(101)
    meter.reserve(1)


def most_at_once(gate: ConcurrencyGate, calls: int, *, upsert: bool, expected: int = 1) -> int:
    """How many calls were under way together; each goes on until `expected` are, and a little longer."""
    inside = most = 0
    lock, together = threading.Lock(), threading.Event()

    def call(_: int) -> None:
        nonlocal inside, most
        with gate.passing(upsert=upsert):
            with lock:
                inside += 1
                most = max(most, inside)
                if most >= expected:
                    together.set()
            assert together.wait(60)
            time.sleep(0.01)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(calls) as pool:
        list(pool.map(call, range(calls)))
    return most


def test_no_more_calls_than_allowed_are_under_way_and_of_them_ten_upserts() -> None:
    assert most_at_once(ConcurrencyGate(3, threading.Event()), 12, upsert=True, expected=3) == 3
    for upsert, expected in ((True, UPSERTS_AT_ONCE), (False, 24)):
        gate = ConcurrencyGate(25, threading.Event())
        assert most_at_once(gate, 24, upsert=upsert, expected=expected) == expected


def test_a_pause_holds_everyone() -> None:
    gate = ConcurrencyGate(5, threading.Event())
    gate.pause(0.3)
    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: most_at_once(gate, 1, upsert=False), range(2)))
    assert time.monotonic() - start >= 0.3


def test_a_stop_ends_every_wait_at_once() -> None:
    stop = threading.Event()
    gate = ConcurrencyGate(1, stop)
    gate.pause(3600)
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Stopped), gate.passing():
        pass
    with pytest.raises(Stopped):
        wait_or_stop(stop, 3600)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("7", 7.0),
        ("-1", 0.0),
        ("1e9", RETRY_AFTER_MOST_SECONDS),
        (formatdate(1_000_030, usegmt=True), 30.0),
        (formatdate(999_000, usegmt=True), 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_and_capped(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, lambda: 1_000_000.0) == seconds


def test_a_report_that_others_have_overtaken_is_not_believed() -> None:
    meter = CreditMeter(keep=100)
    late = meter.reserve(10)
    quick = meter.reserve(10)
    meter.note_remaining(180, by=10, since=quick)
    meter.over(10)
    meter.note_remaining(190, by=10, since=late)
    meter.over(10)
    assert meter.remaining == 180
    meter.note_remaining(1_000, by=10, since=meter.reserve(10))  # the day is over
    assert meter.remaining == 1_000
