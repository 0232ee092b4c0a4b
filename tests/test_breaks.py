"""Broken promises and mutants fit the code: each can be made; tests of breaks are those of docs/guarantees.md."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from breaks.break_list import BREAKS
from simulation.mutants import patches
from test_guarantees import NAMED

ROOT = Path(__file__).parent.parent


def test_what_a_break_replaces_stands_exactly_once_in_its_file() -> None:
    texts = {each.file: (ROOT / each.file).read_text(encoding="utf-8") for each in BREAKS}
    assert {each.name: texts[each.file].count(each.old) for each in BREAKS} == {each.name: 1 for each in BREAKS}


def test_every_break_changes_something_and_has_tests_that_the_guarantees_name() -> None:
    named = set(NAMED.findall((ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")))
    assert [each.name for each in BREAKS if each.old == each.new or not each.tests] == []
    assert {test for each in BREAKS for test in each.tests} - named == set()


def test_no_two_breaks_have_one_name() -> None:
    assert BREAKS
    assert [name for name, count in Counter(each.name for each in BREAKS).items() if count > 1] == []


@pytest.mark.parametrize("patch", patches(), ids=lambda patch: patch.stem)
def test_each_mutant_of_the_simulation_can_be_made(patch: Path) -> None:
    applied = subprocess.run(["git", "apply", "--check", patch], cwd=ROOT, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, f"make it anew for the code as it is: {applied.stderr}"
