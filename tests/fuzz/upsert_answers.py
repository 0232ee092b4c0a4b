"""Answers to upsert, insert, update and delete calls."""

from __future__ import annotations

import json
import re
from typing import Any

from fuzz.choices import NUMBERS, Choices, Number, awkward_json
from fuzz.zoho_answers import answer, assert_one_line, client_with

from target_zoho_crm.api.errors import ZohoError
from target_zoho_crm.confirmation.outcomes import Outcome, Status, upsert_outcomes

HTTP = (200, 200, 207, 201, 202, 204, 301, 400, 400, 401, 403, 404, 413, 429, 500, 502)
CODES = ("SUCCESS", "INVALID_DATA", "DUPLICATE_DATA", "RECORD_LOCKED", "INVALID_MODULE", "STORAGE_SPACE_EXCEEDED", "X")
IDS = ("5725767000000524157", "1", "", "²", "١٢", "-5", " 1", "1" * 33, "1" * 5000, "id")
PATHS = (
    "$.data[0].A",
    "$.data[1].B",
    "$.data[9]",
    f"$.data[{'9' * 5000}].A",
    "$.data[١].A",
    "$.data",
    "x",
    "$.data[0]",
)
BEYOND = (b"NaN", b"Infinity", b"1e999", b"1E999", b"9" * 400, b"\\ud800")
"""What Python's json module takes for JSON, and stricter readers do not."""

HEADERS = ("X-API-CREDITS-REMAINING", "Retry-After")
HEADER_VALUES = ("0", "5", "9" * 5000, "١", "-1", "nan", "1e999", "Wed, 21 Oct 2015 07:28:00 GMT", "x", "")


def run_one(data: bytes) -> None:
    choices = Choices(data)
    keys = [f"K{n}" for n in range(1 + choices.number(3))]
    status = choices.pick(HTTP)
    headers = {choices.pick(HEADERS): choices.pick(HEADER_VALUES)} if choices.one_in(3) else {}
    body = choices.rest() if choices.one_in(10) else awkward_json(choices, _body(choices, len(keys)))
    client = client_with([answer(status, body, headers)])
    try:
        given = client.upsert("Orders", b"{}", records=len(keys))
        outcomes = upsert_outcomes(keys, ["v"] * len(keys), given.status, given.body)
    except ZohoError as error:
        assert_one_line(str(error))
        assert_one_line(error.code)
        _was_right_to_refuse(status, body, len(keys))
        return
    _are_right(outcomes, keys, body)


def _body(choices: Choices, count: int) -> Any:
    if choices.one_in(10):
        return choices.json()
    count = choices.pick((count, count, count, count, count, 0, 1, count + 1))
    items = [_item(choices) for _ in range(count)]
    return choices.pick(
        (
            {"data": items}, {"data": items}, {"data": items}, {"data": items, "code": "SUCCESS"},
            items[0] if items else {}, items, {"data": items[0] if items else None}, {"info": choices.text(6)},
        )
    )  # fmt: skip


def _item(choices: Choices) -> Any:
    if choices.one_in(12):
        return choices.json(2)
    success = choices.one_in(2)
    details: dict[str, Any] = {"id": choices.pick(IDS) if choices.one_in(2) else "5725767000000524157"}
    if choices.one_in(6):
        details = {"id": Number(choices.pick(NUMBERS))}
    if choices.one_in(4):
        details |= {"json_path": choices.pick(PATHS)}
    if choices.one_in(6):
        details |= {"api_name": choices.text(6), "maximum_length": choices.json(1)}
    if choices.one_in(10):
        details |= {"errors": [_item(choices)]}
    item: dict[str, Any] = {
        "code": "SUCCESS" if success else choices.pick(CODES),
        "status": "success" if success else choices.pick(("error", "success", "")),
        "message": choices.text(6),
        "details": details,
        "action": choices.pick(("insert", "update", "upsert" * 10, "ins\0ert")),
    }
    if choices.one_in(10):
        item["code"] = choices.text(5)
    if choices.one_in(12):
        item[choices.pick(tuple(item))] = choices.json(2)
    if choices.one_in(12):
        del item[choices.pick(tuple(item))]
    return item


def _read(body: bytes) -> Any:
    """An independent reading; None where the body is no JSON."""
    try:
        return json.loads(body.decode(), parse_int=Number, parse_float=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        return None


def _is_success(item: Any) -> str | None:
    """The id of a record that is surely in the CRM."""
    if not isinstance(item, dict) or (item.get("code"), item.get("status")) != ("SUCCESS", "success"):
        return None
    details = item.get("details")
    found = details.get("id") if isinstance(details, dict) else None
    return found if isinstance(found, str) and re.fullmatch("[0-9]{1,32}", found) else None


def _are_right(outcomes: list[Outcome], keys: list[str], body: bytes) -> None:
    assert [(each.key, each.version) for each in outcomes] == [(key, "v") for key in keys]
    items = _read(body)["data"]
    assert [each.zoho_id for each in outcomes] == [_is_success(item) for item in items]
    for each, item in zip(outcomes, items, strict=True):
        assert (each.status is Status.SYNCED) == (_is_success(item) is not None), f"{each} of {item}"
        assert (each.family is None) == (each.status is Status.SYNCED)
        assert each.action in {None, "insert", "update"}
        assert_one_line(f"{each.code} {each.field}")
        assert "\0" not in f"{each.message}"


def _was_right_to_refuse(status: int, body: bytes, count: int) -> None:
    """A whole answer with a success in it is refused only where one of its items speaks of another record."""
    read = _read(body)
    items = read.get("data") if isinstance(read, dict) else None
    if status not in {200, 201, 202, 207, 400} or not isinstance(items, list) or len(items) != count:
        return
    strange = b"json_path" in body or any(each in body for each in BEYOND)
    assert strange or not any(map(_is_success, items)), "an answer with a success was refused"
