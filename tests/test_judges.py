"""The harness of `make judges`: what an SDK's failing call looks like in the table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from judges import __main__ as judges
from judges.sdks import CALLS, SDKS, NotInstalledError, Sdk, Verdict, verdicts

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

OURS = Sdk("Python", "8.0", "7.0.0")
"""The one that the tests' own environment has."""


def test_every_call_of_the_sdk_works_and_is_told_of(zoho_emulator: EmulatorProcess) -> None:
    told = verdicts(OURS, zoho_emulator, None)
    assert [(verdict.call, verdict.ok, verdict.why) for verdict in told] == [(call, True, "") for call in CALLS]


def test_a_call_that_fails_names_the_line_of_the_sdk(zoho_emulator: EmulatorProcess) -> None:
    zoho_emulator.admin.add_fault("upload", kind="answer", status=200, body={"code": "SUCCESS"})
    told = {verdict.call: verdict for verdict in verdicts(OURS, zoho_emulator, None)}
    assert [call for call, verdict in told.items() if not verdict.ok] == ["upload", "create job", "read job", "result"]
    assert told["upload"].why
    zoho_emulator.admin.clear_faults()
    zoho_emulator.admin.add_fault("org", kind="answer", status=200, body="no JSON")
    log_in = verdicts(OURS, zoho_emulator, None)[0]
    assert not log_in.ok
    assert "/com/zoho/crm/api/" in log_in.where


def test_the_table_counts_what_works_and_says_why_something_does_not() -> None:
    fine, broken = SDKS[0], SDKS[-1]
    wrong = [Verdict("log in", ok=True), Verdict("list", ok=False, why="a | b\nc", where="x.py:1 y()")]
    known = {
        fine.name: {"state": "", "verdicts": [asdict(Verdict("log in", ok=True))]},
        broken.name: {"state": "", "verdicts": [asdict(one) for one in wrong]},
    }
    lines = judges.page(known).splitlines()
    assert f"| {fine.name} | `{fine.package}` {fine.release} | 1 | 1 | nothing |" in lines
    row = f"| {broken.name} | `{broken.package}` {broken.release} | 2 | 1 | list: a / b c (`x.py:1 y()`) |"
    assert row in lines
    assert "2 of 3 calls work, of 2 SDKs." in lines


def test_an_sdk_that_cannot_be_had_is_said_once_and_fails_every_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(_sdk: Sdk, _folder: Path) -> Path:
        raise NotInstalledError("no such release")

    monkeypatch.setattr(judges, "installed", refuse)
    monkeypatch.setattr(judges, "FOLDER", tmp_path)
    told = judges.judged(OURS)
    assert [verdict.ok for verdict in told] == [False] * len(CALLS)
    page = judges.page({OURS.name: {"state": "", "verdicts": [asdict(one) for one in told]}})
    assert "| 14 | 0 | could not be had: no such release |" in page
