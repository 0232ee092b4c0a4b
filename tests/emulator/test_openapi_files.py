"""A run of the tests says in one line whether Zoho's OpenAPI files were there to hold answers against."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi import FILES

ROOT = Path(__file__).resolve().parents[2]
SOME_TEST = "tests/emulator/test_field_creation.py::test_the_answers_satisfy_zohos_openapi_file"
LINE = "Zoho's OpenAPI files are not in"


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test of answers, with Zoho's files taken from this folder."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", SOME_TEST, "-p", "no:cacheprovider", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "ZOHO_OPENAPI": str(folder)},
        timeout=250,
    )


def made_up_files(folder: Path, answer: dict[str, Any]) -> Path:
    """Files that describe one endpoint, whose answers have to satisfy this schema."""
    responses = {status: {"content": {"application/json": {"schema": answer}}} for status in ("201", "400")}
    for name in FILES:
        paths = {"/crm/v8/settings/fields": {"post": {"responses": responses}}} if name == "fields" else {}
        (folder / f"{name}.json").write_text(json.dumps({"paths": paths}))
    return folder


@pytest.mark.parametrize(
    "options",
    [pytest.param([], id="one process"), pytest.param(["-n", "2"], id="several processes", marks=pytest.mark.nightly)],
)
def test_without_the_files_the_rest_is_checked_and_one_line_says_so(tmp_path: Path, options: list[str]) -> None:
    ended = run(tmp_path / "nowhere", *options)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count(LINE) == 1
    assert f"{LINE} {tmp_path / 'nowhere'}: 1 of the tests checked only the form of answers" in ended.stdout
    assert "1 passed" in ended.stdout
    assert "SKIPPED" not in ended.stdout


@pytest.mark.nightly
def test_with_the_files_answers_are_held_against_them_and_no_line_is_said(tmp_path: Path) -> None:
    ended = run(made_up_files(tmp_path, {"type": "object", "required": ["fields"]}))
    assert ended.returncode == 0, ended.stdout
    assert LINE not in ended.stdout
    ended = run(made_up_files(tmp_path, {"type": "object", "required": ["no_such_thing"]}))
    assert ended.returncode == 1, ended.stdout
    assert "'no_such_thing' is a required property" in ended.stdout
