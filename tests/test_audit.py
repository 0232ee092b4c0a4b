"""The dependency audit never passes without having looked, and says how thoroughly it did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scripts import audit


@pytest.fixture
def _unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "asked", lambda: (audit.UNREACHABLE, "no connection"))


@pytest.mark.usefixtures("_unreachable")
def test_without_its_database_it_says_how_little_it_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(audit.REVIEWED) == 0
    said = capsys.readouterr().out
    assert "could not ask its database (no connection)" in said
    assert "ONLY" in said
    assert "requests" in said


@pytest.mark.usefixtures("_unreachable")
def test_an_old_table_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(audit.REVIEWED + timedelta(days=audit.DAYS_MOST + 1)) == 1
    assert "days old" in capsys.readouterr().err


@pytest.mark.usefixtures("_unreachable")
def test_a_version_with_a_known_vulnerability_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "installed", lambda: {"requests": "2.31.0", "urllib3": "2.8.0"})
    assert audit.main(audit.REVIEWED) == 1
    assert capsys.readouterr().err == "requests 2.31.0 is older than 2.32.4, which mends CVE-2024-47081\n"


@pytest.mark.usefixtures("_unreachable")
def test_an_environment_in_which_nothing_can_be_checked_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "installed", dict)
    assert audit.main(audit.REVIEWED) == 1


@pytest.mark.parametrize("code", [0, 1])
def test_with_its_database_pip_audits_word_counts(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(audit, "asked", lambda: (code, "pip-audit's own words"))
    assert audit.main() == code
