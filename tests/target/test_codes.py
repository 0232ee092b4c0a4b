"""Every code that can stand in an outcome has a meaning and a remedy, and a line on the error page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import orders_sync
import sync_ledger
import target_zoho_crm
from target_zoho_crm.api.codes import CODES

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
PACKAGES = (sync_ledger, target_zoho_crm, orders_sync)
FORM = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
BEGINNING = re.compile(r"[A-Z]+_")
VARIABLE = re.compile(r"(LEDGER|LEGACY|TAP|TARGET|ZOHO)_[A-Z0-9_]+")
"""An environment variable of ours has the form of a code too."""
NO_CODES = {
    "ACTIVATE_VERSION",  # a Singer message
    "CLOCK_BOOTTIME",
    "ERROR_MESSAGE",  # a gateway's key of an answer
    "RECORD_ID",  # a column of a job's result
}
GIVERS = {"ConfigurationError", "TransientError", "QuotaError", "AnswerError", "LostAnswer", "NotSent", "Stopped"}
GIVERS |= {"configuration_error", "request_error", "Refusal", "RecordError", "Fault"}


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for package in PACKAGES:
        for path in Path(package.__path__[0]).rglob("*.py"):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def codes_in(tree: ast.AST) -> set[str]:
    """What has the form of a code, what is given as one, and what f-strings make into one."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and FORM.fullmatch(node.value):
            found.add(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in GIVERS:
            given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "code")]
            found.update(each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str))
        if isinstance(node, ast.JoinedStr):
            first = node.values[0] if node.values else None
            if isinstance(first, ast.Constant) and BEGINNING.fullmatch(str(first.value)):
                found.add(f"{first.value}<status>")
    return {each for each in found - NO_CODES if not VARIABLE.fullmatch(each)}


def rows() -> dict[str, list[str]]:
    """The cells of the error page's lines behind the code."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "` | " in line]
    return {cells[0].strip("`"): cells[1:] for cells in lines}


def test_every_code_that_we_give_or_know_has_a_meaning_a_remedy_and_a_line_on_the_page() -> None:
    found = set().union(*(codes_in(tree) for _, tree in trees()))
    assert {"JOB_WITHOUT_RESULT", "BAD_ANSWER", "NO_SETTINGS"} <= found
    assert sorted(found - CODES.keys()) == []
    for code in CODES:
        who, *texts = rows()[code]
        assert who in {"Zoho", "target"}
        assert [text for text in texts if len(text) >= 10 and text.endswith(".")] == texts, code
