"""A long run says once a minute how far it has come."""

from __future__ import annotations

import logging
import re

import pytest

from target_zoho_crm import progress
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.batch import PendingRecords
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.progress import Progress


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records if " so far: " in record.getMessage()]
    caplog.clear()
    return lines


@pytest.fixture
def gate(caplog: pytest.LogCaptureFixture) -> StateGate:
    caplog.set_level(logging.INFO)
    gate = StateGate(lambda _: None)
    pending = PendingRecords("orders")
    gate.received(pending, 3_000)
    gate.superseded(pending, 2_000)
    return gate


def test_a_line_says_what_is_read_what_has_its_outcome_and_what_waits(
    gate: StateGate, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = CreditMeter(None, 0)
    shown = Progress(gate, meter, continuous=False)
    shown.in_time(["orders"])
    assert said(caplog) == [], "a minute has not passed"
    monkeypatch.setattr(progress, "PROGRESS_SECONDS", 0)
    shown.in_time(["orders"])
    (line,) = said(caplog)
    start = "Stream 'orders' so far: 3,000 read, 2,000 have their outcome"
    assert re.fullmatch(rf"{start} \([\d,]+ a minute\), 1,000 wait for it; 0 credits", line)
    shown.in_time(["orders"])
    assert "(0 a minute)" in said(caplog)[0]


def test_a_run_that_lasts_for_good_says_nothing(
    gate: StateGate, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PROGRESS_SECONDS", 0)
    Progress(gate, CreditMeter(None, 0), continuous=True).in_time(["orders"])
    assert said(caplog) == []
