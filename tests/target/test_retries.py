"""When an order whose refusal passes by itself is tried again: at once, then after growing pauses, and not for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_ledger.retry_schedules import DUE_ORDERS
from target_zoho_crm.config_schema import CONFIG
from target_zoho_crm.confirmation.retries import next_attempt_at

LONGEST_PAUSE = timedelta(seconds=DUE_ORDERS.longest_pause)

NOW = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - as the ledger keeps moments
MINUTE = timedelta(minutes=1)
DEFAULT_ATTEMPTS = CONFIG["properties"]["max_attempts"]["default"]


def pause_after(attempts: int, max_attempts: int = 100) -> timedelta:
    due = next_attempt_at(attempts, NOW, max_attempts=max_attempts)
    assert due is not None
    return due - NOW


@pytest.mark.parametrize(
    ("attempts", "pause"),
    [
        (1, 0 * MINUTE),
        (2, 1 * MINUTE),
        (3, 2 * MINUTE),
        (10, 256 * MINUTE),
        (11, LONGEST_PAUSE),
        (99, LONGEST_PAUSE),
    ],
)
def test_the_first_retry_is_due_at_once_and_later_ones_after_doubling_pauses(attempts: int, pause: timedelta) -> None:
    assert pause_after(attempts) == pause


def test_the_last_try_parks_and_the_one_before_it_does_not() -> None:
    assert next_attempt_at(3, NOW, max_attempts=4) is not None
    assert next_attempt_at(4, NOW, max_attempts=4) is None
    assert next_attempt_at(5, NOW, max_attempts=4) is None
    assert next_attempt_at(1, NOW, max_attempts=1) is None


def test_by_default_an_order_has_twelve_tries_within_fifteen_hours() -> None:
    pauses = [pause_after(attempts, DEFAULT_ATTEMPTS) for attempts in range(1, DEFAULT_ATTEMPTS)]
    assert len(pauses) == 11
    assert timedelta(hours=14) < sum(pauses, timedelta()) < timedelta(hours=15)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_pauses_never_shrink_and_never_pass_six_hours(attempts: int, further: int) -> None:
    first, later = pause_after(attempts, 30_000), pause_after(attempts + further, 30_000)
    assert timedelta() <= first <= later <= LONGEST_PAUSE
