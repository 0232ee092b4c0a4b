"""The page of evidence says what was counted, on which commit, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts import evidence
from scripts.evidence_page import STEPS, evidence_page, merged

ROOT = Path(__file__).parents[1]


def record(folder: Path, commit: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["evidence", str(folder), "--commit", commit])
    return evidence.main()


def test_counts_of_logs_reach_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "evidence.json"
    kept.write_text("[]")
    monkeypatch.setattr(evidence, "EVIDENCE", kept)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "sleeps.log").write_text("200 sleeps, 80 taken over, 3000 orders in doubt, 1 broken\n")
    (logs / "mutants.log").write_text("one-bug   1.0 s  seed 3: lost\nother-bug   9.0 s  NOT CAUGHT by 2000 seeds\n")
    (logs / "fuzz.log").write_text("it broke before it counted anything\n")
    assert record(logs, "abc1234", monkeypatch) == 0
    page = evidence_page(kept)
    assert "200 sleeps, 80 taken over, 3,000 orders in doubt, 1 broken | abc1234 |" in page
    assert "2 mutants, 1 caught | abc1234 |" in page
    assert "`make fuzz` | no result is kept" in page


def test_a_log_of_no_target_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "guesses.log").write_text("3 breaks, 3 noticed by all their tests\n")
    assert record(tmp_path, "abc1234", monkeypatch) == 2


def test_the_last_two_results_of_a_target_are_kept_one_a_commit() -> None:
    def result(commit: str, number: int) -> dict[str, object]:
        return {"step": "breaks", "commit": commit, "date": "2026-01-01", "counts": {"breaks": number}}

    kept = merged([result("a", 1), result("b", 2)], [result("b", 3), result("c", 4)])
    assert [(each["commit"], each["counts"]["breaks"]) for each in kept] == [("b", 3), ("c", 4)]


def test_each_step_of_the_night_has_a_row() -> None:
    steps = re.findall(r"^step ([\w-]+) ", (ROOT / "scripts" / "nightly.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(steps) <= set(STEPS)


def test_results_name_commits_of_this_project() -> None:
    for each in json.loads((ROOT / "docs" / "evidence.json").read_text(encoding="utf-8")):
        assert re.fullmatch(r"[0-9a-f]{7,40}", each["commit"]), each
