"""Every code that can stand in an outcome is spelt once, where it has a meaning and a remedy, and is on the page."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import orders_sync
import sync_ledger
import target_zoho_crm
from sync_ledger.codes import LedgerCode
from target_zoho_crm.api.code_kinds import Family, Place, Standing
from target_zoho_crm.api.codes import CODES, OwnCode, ZohoCode, advice, advice_by_hand, find, http_code, place_of
from target_zoho_crm.api.errors import ZohoError, request_error

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
PACKAGES = (sync_ledger, target_zoho_crm, orders_sync)
FORM = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
BEGINNING = re.compile(r"[A-Z]+_")
VARIABLE = re.compile(r"(LEDGER|LEGACY|MELTANO|ORDERS_SYNC|TAP|TARGET|ZOHO)_[A-Z0-9_]+")
"""An environment variable of ours, or of Meltano, has the form of a code too."""
NO_CODES = {
    "ACTIVATE_VERSION",  # a Singer message
    "CLOCK_BOOTTIME",
    "ERROR_MESSAGE",  # a gateway's key of an answer
    "RECORD_ID",  # a column of a job's result
}
HOMES = {"sync_ledger/codes.py", "target_zoho_crm/api/codes.py"}
GIVERS = {"ConfigurationError", "TransientError", "QuotaError", "AnswerError", "LostAnswer", "NotSent", "Stopped"}
GIVERS |= {"configuration_error", "request_error", "Refusal", "RecordError", "Fault"}


def sources() -> Iterator[tuple[str, ast.AST]]:
    """Each file by its path within the project."""
    for package in PACKAGES:
        folder = Path(package.__path__[0])
        for path in folder.rglob("*.py"):
            yield path.relative_to(folder.parent).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def spelt_in(tree: ast.AST) -> set[str]:
    """Texts that have the form of a code, or are given or compared as one, or become one in an f-string."""
    found: set[str] = set()
    as_code: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            known = node.value in CODES and "_" in node.value
            found.update([node.value] if known or FORM.fullmatch(node.value) else [])
        if isinstance(node, ast.Call):
            as_code += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            if isinstance(node.func, ast.Name) and node.func.id in GIVERS:
                as_code += node.args[:1]
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "code":
            as_code += node.comparators
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            beginning = str(node.values[0].value)
            found.update([f"{beginning}<status>"] if BEGINNING.fullmatch(beginning) else [])
    found.update(each.value for each in as_code if isinstance(each, ast.Constant) and isinstance(each.value, str))
    return {each for each in found - NO_CODES if not VARIABLE.fullmatch(each)}


def named_in(tree: ast.AST) -> set[str]:
    """The members of the enums of codes that a file names."""
    enums = {"OwnCode", "ZohoCode", "LedgerCode"}
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in enums
    }


def rows() -> dict[str, list[str]]:
    """The cells of the error page's lines behind the code."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "` | " in line]
    return {cells[0].strip("`"): cells[1:] for cells in lines if len(cells) == 4}  # others are of a code's places


def test_nobody_else_spells_a_code() -> None:
    """So each code that can stand in an outcome is a member of an enum, and has its line."""
    spelt = {path: codes for path, tree in sources() if path not in HOMES and (codes := spelt_in(tree))}
    assert spelt == {}


def test_every_code_of_the_ledger_has_a_line() -> None:
    assert {code.value for code in LedgerCode} - {code.value for code in OwnCode} == set()


def test_every_code_of_our_own_is_given_by_somebody() -> None:
    named = set[str]().union(*(named_in(tree) for path, tree in sources() if path not in HOMES))
    assert {code.name for code in OwnCode} - named == {"HTTP"}  # which `http_code` makes


@pytest.mark.parametrize("code", [*OwnCode, *ZohoCode])
def test_every_code_has_a_meaning_and_for_each_status_what_to_do(code: OwnCode | ZohoCode) -> None:
    who, meaning, remedy = rows()[code.value]
    assert (who, meaning, remedy) == (
        "target" if isinstance(code, OwnCode) else "Zoho",
        code.code.meaning,
        code.code.remedy,
    )
    for text in (meaning, *(advice(code, standing, code.code.family) for standing in Standing)):
        assert len(text) >= len("Use https.")
        assert text.endswith(".")


@pytest.mark.parametrize("code", [*OwnCode, *ZohoCode])
def test_what_is_parked_is_never_said_to_be_tried_again_by_itself(code: OwnCode | ZohoCode) -> None:
    for standing in (Standing.PARKED, Standing.DISMISSED):
        text = advice(code, standing, code.code.family)
        assert "Nothing" not in text
        assert f"after `orders-sync retry KEY` (or `--code {code}`)." in text
    assert "used up" in advice(code, Standing.PARKED, Family.TRANSIENT)


@pytest.mark.parametrize("code", [*OwnCode, *ZohoCode])
def test_orders_of_a_file_are_never_said_to_be_sent_by_a_run(code: OwnCode | ZohoCode) -> None:
    for standing in Standing:
        text = advice_by_hand(code, standing, code.code.family)
        assert "push" in text.lower()
        assert "orders-sync retry" not in text
        assert "the change sends" not in text
        assert "tried again" not in text


def test_a_code_is_a_plain_text_wherever_it_goes() -> None:
    code = OwnCode.BAD_ANSWER
    assert (f"{code}", "%s" % code, str(code), json.dumps(code)) == (*["BAD_ANSWER"] * 3, '"BAD_ANSWER"')  # noqa: UP031
    assert type(ZohoError(code, "it does not fit").code) is str  # as a database's driver gets it
    assert {"BAD_ANSWER": 1}[code] == 1


def test_a_code_by_http_status_is_known_by_its_form() -> None:
    known = find(http_code(503))
    assert known is not None
    assert (known.name, known.meaning) == ("HTTP_503", OwnCode.HTTP.code.meaning)
    assert find("NEVER_HEARD_OF") is None


def test_the_first_of_the_families_decides_about_an_order_with_several_errors() -> None:
    assert Family.deciding([Family.TRANSIENT, Family.DATA]) is Family.DATA
    assert Family.deciding([Family.TRANSIENT, Family.DATA, Family.QUOTA]) is Family.QUOTA
    assert Family.deciding(Family) is Family.CONFIGURATION
    assert [each for each in Family if each.blames_order] == [Family.DATA, Family.TRANSIENT]


@pytest.mark.parametrize(
    ("family", "says", "says_not"),
    [(Family.DATA, "lookups name", "job"), (Family.TRANSIENT, "address names", "lookups name")],
)
def test_a_code_is_explained_by_the_place_where_it_was_met(family: Family, says: str, says_not: str) -> None:
    code = ZohoCode.RESOURCE_NOT_FOUND.value
    known = find(code, place_of(code, family))
    assert known is not None
    assert says in known.meaning + advice(code, Standing.REJECTED, family)
    assert says_not not in known.meaning
    job = find(code, Place.JOB)
    assert job is not None
    assert "job" in job.meaning


def test_a_refusal_of_a_call_is_explained_as_one_of_a_call() -> None:
    error = request_error(ZohoCode.NO_PERMISSION, where="POST /crm/v8/Orders/upsert", said="no rights", http_status=403)
    assert 'Zoho says "no rights"' in str(error)
    assert "profile" in str(error)
    assert "retry" not in str(error)
    assert "proxy" in (find(http_code(407)) or OwnCode.HTTP.code).meaning


def test_advice_fits_orders_of_any_tap() -> None:
    assert [
        code.name for code in CODES.values() if "legacy" in f"{code.meaning} {code.remedy} {code.once_parked}"
    ] == []
