"""The Makefile can be read, and what its first lines name are its targets."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
HELPERS = {"help", "install"}
"""Targets that the first lines leave out."""


def test_the_first_lines_name_every_target() -> None:
    comment = MAKEFILE.partition("# Needs")[0]
    assert set(re.findall(r"[a-z][a-z-]*", comment.replace("make ", ""))) == TARGETS - HELPERS


def test_no_target_is_taken_for_a_file() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_make_can_read_a_target(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)
