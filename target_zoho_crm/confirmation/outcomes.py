"""What became of each record of a call: one `Outcome` for one (key, version), the same for both APIs.

Pure. The promise: as many outcomes as keys, in their order, and SYNCED only where Zoho said so beyond doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from target_zoho_crm.api.answers import JSON_PATH, fields_of, flat_error
from target_zoho_crm.api.codes import SUCCESS, Family, OwnCode, ZohoCode, family_of
from target_zoho_crm.api.errors import AnswerError, request_error
from target_zoho_crm.api.plain_text import (
    CODE_CHARACTERS,
    FIELD_CHARACTERS,
    code_of,
    digits_of,
    message_of,
    name_of,
    one_line,
)
from target_zoho_crm.batch import Batch
from target_zoho_crm.mapping.field_values import Refusal


class Status(StrEnum):
    """What became of a record."""

    SYNCED = "synced"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    DELETED = "deleted"  # deleted at the source, and deleted or marked in the CRM
    REJECTED = "rejected"  # with family TRANSIENT: due again
    PARKED = "parked"
    HELD = "held"  # undone, and not written until a person releases it
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
    `conflict_id` is the record that was written for an order with code KEY_CONFLICT, and is not its own. `holder_id` is
    the record that holds the key of an order which was refused for that. `group` names those with code CALL_FAILED that
    are known to fail together.
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
    holder_id: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was written: the outcomes as the ledger took them, and how many are due again by themselves."""

    in_the_crm: Sequence[Outcome]
    refused: Sequence[Outcome]
    due_again: int


CREATED = "insert"
"""The action of an order that was not in the CRM before: it has no lines and no links there yet."""

_MESSAGE_CHARACTERS = 300
_ACTIONS = ("insert", "update")
ID_DIGITS = 32
"""Zoho's ids have about 19; the ledger holds so many."""


def refused(key: str, version: str, errors: Sequence[RecordError]) -> Outcome:
    """The outcome of a record with one or more errors: one code when they agree, else Zoho's code for several.

    It is transient only when every error is; a lasting one would only come back.
    """
    codes = dict.fromkeys(error.code for error in errors)
    code = next(iter(codes)) if len(codes) == 1 else ZohoCode.MULTIPLE_OR_MULTI_ERRORS
    family = Family.deciding(map(family_of, codes))
    fields = dict.fromkeys(error.field for error in errors if error.field)
    texts = [error.message for error in errors if error.message]
    return Outcome(
        key=key,
        version=version,
        status=Status.REJECTED if family.blames_order else Status.UNSYNCED,
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


def own_refusals(batch: Batch, refusals: Mapping[str, Refusal]) -> list[Outcome]:
    """The outcomes of orders of a batch that we refuse, by key."""
    return [refused_by_us(key, batch.entries[key].version, refusal) for key, refusal in refusals.items()]


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
    if first is not None and first.code and all(each.status is Status.UNSYNCED for each in outcomes):
        raise request_error(
            first.code, where="upsert", said=first.message or "", http_status=http_status, field=first.field
        )
    return outcomes


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
        OwnCode.BAD_ANSWER,
        f"upsert: the answer (HTTP {http_status}) has {got} results for {count} records; none is believed.",
        http_status=http_status,
    )


def _item_outcome(position: int, key: str, version: str, item: object, key_field: str | None) -> Outcome:
    if not isinstance(item, dict):
        return _unclear(key, version)
    code, status, details = item.get("code"), item.get("status"), item.get("details")
    if code == SUCCESS and status == "success":
        zoho_id = digits_of(details.get("id"), ID_DIGITS) if isinstance(details, dict) else None
        if zoho_id is None:
            return _unclear(key, version)
        action = item.get("action")
        # Of a new record some answers name the key field, others none.
        other = name_of(item.get("duplicate_field")) if key_field is not None and action != CREATED else None
        if other and key_field is not None and other.casefold() != key_field.casefold():
            return _of_another(key, version, zoho_id, other)
        return Outcome(key, version, Status.SYNCED, zoho_id, action if action in _ACTIONS else None)
    if not code_of(code) or code == SUCCESS or status == "success":
        return _unclear(key, version)
    refusal = refused(key, version, _errors(position, item))
    holder = _holder_of(item, key_field) if key_field is not None else None
    return refusal if holder is None else msgspec.structs.replace(refusal, holder_id=holder)


def _holder_of(item: Mapping[str, Any], key_field: str) -> str | None:
    """The record that holds the key already, where a refusal says so."""
    details = item.get("details")
    details = details if isinstance(details, dict) else {}
    inner = details.get("errors", item.get("errors"))
    for each in inner if isinstance(inner, list) else ():
        found = _holder_of({"code": item.get("code"), **each}, key_field) if isinstance(each, dict) else None
        if found is not None:
            return found
    if item.get("code") != ZohoCode.DUPLICATE_DATA or (fields_of(details) or "").casefold() != key_field.casefold():
        return None
    record = details.get("duplicate_record")
    ids = (details.get("id"), record.get("id") if isinstance(record, dict) else None)
    return next((found for each in ids if (found := digits_of(each, ID_DIGITS)) is not None), None)


def matched_by(zoho_id: str, field: str) -> str:
    """The message of an order for which Zoho overwrote a record that it found by another field than the key."""
    return f"Zoho found record {zoho_id} by {field}, and overwrote it"


def _of_another(key: str, version: str, zoho_id: str, field: str) -> Outcome:
    refusal = refused(key, version, [RecordError(OwnCode.KEY_CONFLICT, field, matched_by(zoho_id, field))])
    return msgspec.structs.replace(refusal, conflict_id=zoho_id)


def _unclear(key: str, version: str) -> Outcome:
    return refused(key, version, [RecordError(OwnCode.UNCLEAR_ANSWER, None, "neither a clear success nor an error")])


def _errors(position: int, item: Mapping[str, Any]) -> list[RecordError]:
    details = item.get("details")
    details = details if isinstance(details, dict) else {}
    inner = details.get("errors", item.get("errors"))
    nested = [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []
    if nested:
        return [error for each in nested for error in _errors(position, {"code": item["code"], **each})]
    _check_position(position, details)
    field = fields_of(details)
    text = message_of(item.get("message"))
    hints = [
        f"{name} {one_line(str(details[name]), CODE_CHARACTERS)}"
        for name in ("expected_data_type", "maximum_length")
        if isinstance(details.get(name), (str, int))
    ]
    text = f"{text} ({', '.join(hints)})" if hints else text
    return [RecordError(code_of(item["code"]) or OwnCode.UNREADABLE, field, text or None)]


def _check_position(position: int, details: Mapping[str, Any]) -> None:
    """The answer says itself which record it speaks of: if that is another one, the order is lost."""
    path = details.get("json_path")
    match = JSON_PATH.match(path) if isinstance(path, str) else None
    if match is not None and match[1] != str(position):
        raise AnswerError(
            OwnCode.BAD_ANSWER,
            f"upsert: result {position} speaks of record {match[1][:9]}; none of the answer is believed.",
        )
