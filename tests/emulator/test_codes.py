"""Every code that the emulator can give is known to it by name, and has a line in docs/errors.md."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from emulator_client import Client
from every_call import call_everything
from openapi import Recorder

import zoho_crm_emulator
from zoho_crm_emulator.refusals import TOKEN_ERRORS, every_code

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SOURCE = Path(zoho_crm_emulator.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
GIVERS = {"Refused": 0, "problem": 0, "NotThere": 1}  # which argument is the code


def codes_in_source() -> set[str]:
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in GIVERS:
                given = node.args[GIVERS[node.func.id]] if node.args else None
                if isinstance(given, ast.Constant):
                    found.add(given.value)
            if isinstance(node, ast.Dict):
                keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
                for name in ("code", "error"):
                    value = node.values[keys.index(name)] if name in keys else None
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        found.add(value.value)
    return found


def codes_in(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(codes_in, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {value["code"]} if value.get("status") == "error" and isinstance(value.get("code"), str) else set()
    return own.union(*map(codes_in, value.values()))


def test_every_code_of_the_source_is_registered() -> None:
    found = codes_in_source() - {"SUCCESS", "FILE_UPLOAD_SUCCESS", "ADDED_SUCCESSFULLY", "Access Denied"}
    assert len(found) >= 30
    assert found - every_code() == set()


def test_every_code_of_every_answer_is_registered(zoho_emulator: EmulatorProcess) -> None:
    with Recorder(zoho_emulator.base_url) as recorder:
        call_everything(Client(zoho_emulator, base=recorder.base_url))
    answered = [json.loads(answer.body) for answer in recorder.answers if answer.body[:1] == b"{"]
    found = codes_in(answered)
    assert len(found) >= 15
    assert found - every_code() == set()


@pytest.mark.parametrize("code", sorted(every_code()))
def test_each_has_a_line_on_the_error_page(code: str) -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{code}` |")]
    assert lines
    for number, line in enumerate(lines):  # others are of places where the code means something else
        _, who_or_where, *_, meaning, remedy = line.strip("| ").split(" | ")
        assert number or who_or_where == "Zoho"
        assert len(meaning) > 10
        assert len(remedy) > 10


@pytest.mark.parametrize("error", TOKEN_ERRORS)
def test_token_errors_are_those_of_the_source(error: str) -> None:
    texts = "".join((SOURCE / name).read_text(encoding="utf-8") for name in ("oauth.py", "grant_codes.py"))
    assert f'"{error}"' in texts
