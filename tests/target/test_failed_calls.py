"""After three failed calls in a row the run ends; a call between them that goes through begins the count anew."""

from __future__ import annotations

import pytest

from target_zoho_crm.api.errors import TransientError
from target_zoho_crm.confirmation.failed_calls import FailedCalls

ERROR = TransientError("a call", "HTTP 502")


def test_the_third_failed_call_in_a_row_ends_the_run() -> None:
    calls = FailedCalls()
    for _ in range(2):
        calls.failed(ERROR)
        calls.failed(ERROR)
        calls.succeeded()
    calls.failed(ERROR)
    calls.failed(ERROR)
    with pytest.raises(TransientError, match="502"):
        calls.failed(ERROR)
    assert calls.total == 7


def test_a_continuous_run_does_not_end_for_failed_calls() -> None:
    calls = FailedCalls(continuous=True)
    for _ in range(9):
        calls.failed(ERROR)
    assert calls.total == 9


def test_calls_whose_orders_are_settled_all_the_same_leave_the_run_complete() -> None:
    calls = FailedCalls()
    calls.failed(ERROR, settled=True)
    calls.left(0)
    assert calls.total == 0
    calls.left(5)
    assert calls.total == 1
