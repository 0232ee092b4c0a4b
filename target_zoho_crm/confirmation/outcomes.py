"""What became of each record of a call: one `Outcome` for one (key, version), the same for both APIs.

Pure. The promise: as many outcomes as keys, in their order, and SYNCED only where Zoho said so beyond doubt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

import msgspec

from sync_ledger.conflicts import KEY_CONFLICT
from target_zoho_crm.api.errors import CODES, AnswerError, Family, family_of, request_error
from target_zoho_crm.api.plain_text import (
    CODE_CHARACTERS,
    FIELD_CHARACTERS,
    code_of,
    digits_of,
    name_of,
    one_line,
    said,
)
from target_zoho_crm.mapping.field_values import MULTIPLE, Refusal


class Status(str, Enum):
    """What became of a record."""

    SYNCED = "synced"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    DELETED = "deleted"  # gone from the source, and deleted or marked in the CRM
    REJECTED = "rejected"  # with family TRANSIENT: due again
    PARKED = "parked"
    UNSYNCED = "unsynced"  # left alone: the fault is not the record's (families CONFIGURATION and QUOTA)

    __hash__ = str.__hash__
    """Outcomes are counted by the thousand, and an Enum's own hash is a Python function."""


@dataclass(frozen=True, slots=True)
class RecordError:
    """One reason for which a record was refused."""

    code: str
    field: str | None
    message: str | None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one version of one record.

    A refusal that passes by itself is REJECTED with family TRANSIENT; the ledger decides when it is due again.
    `field` names one field, or several joined by a comma. `causes` are there where we refused the record ourselves, so
    that equal ones can be counted; their texts hold nothing of the record but unknown values of picklists.
    `conflict_id` is the record that was written for an order with code KEY_CONFLICT, and is not its own.
    """

    key: str
    version: str
    status: Status
    zoho_id: str | None = None
    action: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    family: Family | None = None
    causes: tuple[RecordError, ...] = ()
    conflict_id: str | None = None


CREATED = "insert"
"""The action of an order that was not in the CRM before: it has no lines and no links there yet."""

INTERNAL_ERROR = "INTERNAL_ERROR"
"""Zoho's own code for a failure inside, which may be due to one record."""

_OF_THE_CALLER = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
)
_MESSAGE_CHARACTERS = 300
_WRAPPINGS_MOST = 8
_ERROR_WORDS = ("error", "failure", None)  # a job's own status (FAILED ...) is an answer, not an error of the call
_JSON_PATH = re.compile(r"\$\.data\[0*([0-9]+)\](?:\.(.+))?")
_ACTIONS = ("insert", "update")
ID_DIGITS = 32
"""Zoho's ids have about 19; the ledger holds so many."""


def refused(key: str, version: str, errors: Sequence[RecordError]) -> Outcome:
    """The outcome of a record with one or more errors: one code when they agree, else Zoho's code for several.

    It is transient only when every error is; a lasting one would only come back.
    """
    codes = dict.fromkeys(error.code for error in errors)
    families = {family_of(code) for code in codes}
    code = next(iter(codes)) if len(codes) == 1 else MULTIPLE
    family = next(each for each in _WORST_FIRST if each in families)
    fields = dict.fromkeys(error.field for error in errors if error.field)
    texts = [error.message for error in errors if error.message]
    return Outcome(
        key=key,
        version=version,
        status=Status.UNSYNCED if family in _STOPPING else Status.REJECTED,
        code=code,
        field=one_line(",".join(fields), FIELD_CHARACTERS) or None,
        message="; ".join(texts)[:_MESSAGE_CHARACTERS] or None,
        family=family,
    )


def ids_of(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The ids of the orders that are in the CRM, by key."""
    return {each.key: each.zoho_id for each in outcomes if each.status is Status.SYNCED and each.zoho_id}


def refused_by_us(key: str, version: str, refusal: Refusal) -> Outcome:
    """The outcome of a record that we refuse before it is sent."""
    causes = tuple(RecordError(part.code, part.field, part.message) for part in refusal.parts)
    return msgspec.structs.replace(refused(key, version, causes), causes=causes)


_WORST_FIRST = (Family.CONFIGURATION, Family.QUOTA, Family.DATA, Family.TRANSIENT)
_STOPPING = (Family.CONFIGURATION, Family.QUOTA)


def upsert_outcomes(
    keys: Sequence[str], versions: Sequence[str], http_status: int, body: object, *, key_field: str | None = None
) -> list[Outcome]:
    """The outcomes of one upsert call, in the order of `keys`.

    A `data` list is read first, then the flat error form, also wrapped in `data`: a 2xx alone proves nothing. With
    `key_field`, a record that Zoho found by another field is no success: it is another one's.

    Raises:
        AnswerError: the answer does not fit the call (count, positions, form).
        ZohoError: the call was refused as a whole; or every record was, for a reason that is no record's.
    """
    if len(keys) != len(versions):
        raise ValueError("as many versions as keys are needed")
    items = _items(len(keys), http_status, body)
    outcomes = [
        _item_outcome(position, key, version, item, key_field)
        for position, (key, version, item) in enumerate(zip(keys, versions, items, strict=True))
    ]
    first = outcomes[0] if outcomes else None
    if first is not None and first.code and all(each.family in _STOPPING for each in outcomes):
        raise request_error(
            first.code, where="upsert", said=first.message or "", http_status=http_status, field=first.field
        )
    return outcomes


def flat_error(body: object) -> tuple[str, str, str | None] | None:
    """Code, Zoho's text and field of a request-level error in any of its forms, or None when there is none.

    The forms: flat; wrapped in `data` (or `fields`, when a field was to be made) as an object or as a list of one;
    and the gateway's older keys.
    """
    body = _unwrapped(body)
    if body is None:
        return None
    code = body.get("code")
    if isinstance(code, str) and code and body.get("status") in _ERROR_WORDS:
        return code_of(code) or "?", said(body.get("message")), _fields_of(body.get("details"))
    for name in ("x-info", "x-error", "info", "ERROR_MESSAGE"):
        text = body.get(name)
        if isinstance(text, str) and text:  # `info` is also where lists say which page they are
            return ("LINK_NOT_VALID" if text.lower() == "link not valid" else "GATEWAY_ERROR"), said(text), None
    return None


def _unwrapped(body: object) -> Mapping[str, Any] | None:
    """What stands in `data`, `fields` or a list of one; None where there is no one object, or too many wrappings."""
    for _ in range(_WRAPPINGS_MOST):
        if isinstance(body, list):
            if len(body) != 1:
                return None
            body = body[0]
        elif isinstance(body, dict):
            inner = body.get("data", body.get("fields"))
            if not isinstance(inner, (dict, list)):
                return body
            body = inner
        else:
            return None
    return None


def names_no_cause(http_status: int, body: object) -> bool:
    """Whether a refusal of a whole write call leaves open what is wrong: one of its records may be.

    So an INTERNAL_ERROR of the API, and a refusal whose code is none of ours, or one about records, without details.
    Not so what gateways say when the API is out of reach (502 to 504), and what is about the caller or the address.
    """
    if http_status in _OF_THE_CALLER or http_status > HTTPStatus.INTERNAL_SERVER_ERROR:
        return False
    found = flat_error(body)
    refused = http_status >= HTTPStatus.BAD_REQUEST
    if found is None:
        return refused and http_status < HTTPStatus.INTERNAL_SERVER_ERROR
    code, _, field = found
    if field or _details_in(body):
        return False
    info = CODES.get(code)
    return code == INTERNAL_ERROR or (refused and (info is None or info.family is Family.DATA))


def _details_in(body: object) -> bool:
    """Whether a request-level error, in any of its forms, has details."""
    while isinstance(body, (list, dict)):
        inner = body[0] if isinstance(body, list) and body else body.get("data") if isinstance(body, dict) else None
        if inner is None:
            return isinstance(body, dict) and bool(body.get("details"))
        body = inner
    return False


def _items(count: int, http_status: int, body: object) -> list[Any]:
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(data, list) and len(data) == count:
        return data
    found = flat_error(body)
    if found is not None:
        code, said, field = found
        raise request_error(code, where="upsert", said=said, http_status=http_status, field=field)
    got = len(data) if isinstance(data, list) else 0
    raise AnswerError(
        "BAD_ANSWER",
        f"upsert: the answer (HTTP {http_status}) has {got} results for {count} records; none is believed.",
        http_status=http_status,
    )


def _item_outcome(position: int, key: str, version: str, item: object, key_field: str | None) -> Outcome:
    if not isinstance(item, dict):
        return _unclear(key, version)
    code, status, details = item.get("code"), item.get("status"), item.get("details")
    if code == "SUCCESS" and status == "success":
        zoho_id = digits_of(details.get("id"), ID_DIGITS) if isinstance(details, dict) else None
        if zoho_id is None:
            return _unclear(key, version)
        action = item.get("action")
        # Of a new record some answers name the key field, others none.
        other = name_of(item.get("duplicate_field")) if key_field is not None and action != CREATED else None
        if other and key_field is not None and other.casefold() != key_field.casefold():
            return _of_another(key, version, zoho_id, other)
        return Outcome(key, version, Status.SYNCED, zoho_id, action if action in _ACTIONS else None)
    if not code_of(code) or code == "SUCCESS" or status == "success":
        return _unclear(key, version)
    return refused(key, version, _errors(position, item))


def matched_by(zoho_id: str, field: str) -> str:
    """The message of an order for which Zoho overwrote a record that it found by another field than the key."""
    return f"Zoho found record {zoho_id} by {field}, and overwrote it"


def _of_another(key: str, version: str, zoho_id: str, field: str) -> Outcome:
    refusal = refused(key, version, [RecordError(KEY_CONFLICT, field, matched_by(zoho_id, field))])
    return msgspec.structs.replace(refusal, conflict_id=zoho_id)


def _unclear(key: str, version: str) -> Outcome:
    return refused(key, version, [RecordError("UNCLEAR_ANSWER", None, "neither a clear success nor an error")])


def _errors(position: int, item: Mapping[str, Any]) -> list[RecordError]:
    details = item.get("details")
    details = details if isinstance(details, dict) else {}
    inner = details.get("errors", item.get("errors"))
    nested = [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []
    if nested:
        return [error for each in nested for error in _errors(position, {"code": item["code"], **each})]
    _check_position(position, details)
    field = _fields_of(details)
    text = said(item.get("message"))
    hints = [
        f"{name} {one_line(str(details[name]), CODE_CHARACTERS)}"
        for name in ("expected_data_type", "maximum_length")
        if isinstance(details.get(name), (str, int))
    ]
    text = f"{text} ({', '.join(hints)})" if hints else text
    return [RecordError(code_of(item["code"]) or "?", field, text or None)]


def _check_position(position: int, details: Mapping[str, Any]) -> None:
    """The answer says itself which record it speaks of: if that is another one, the order is lost."""
    path = details.get("json_path")
    match = _JSON_PATH.match(path) if isinstance(path, str) else None
    if match is not None and match[1] != str(position):
        raise AnswerError(
            "BAD_ANSWER", f"upsert: result {position} speaks of record {match[1][:9]}; none of the answer is believed."
        )


def _fields_of(details: object) -> str | None:
    if not isinstance(details, dict):
        return None
    name = details.get("api_name")
    if not isinstance(name, str) or not name:
        path = details.get("json_path")
        match = _JSON_PATH.match(path) if isinstance(path, str) else None
        name = match[2] if match is not None else None
    return name_of(name) or None
