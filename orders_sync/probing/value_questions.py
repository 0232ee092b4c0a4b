"""Questions about single values: what a field takes, and what it then holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orders_sync.probing.bench import Bench
from orders_sync.probing.fields import (
    BIGINT,
    DECIMAL,
    KIND,
    KINDS,
    LOOKUP,
    NUMBER,
    PART,
    PARTS,
    PLACES,
    REFUSED_TEXT,
    TEXT,
    TEXT_LENGTH,
    TIME,
)
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.verdicts import NotAsked, Position, Verdict, by_value, seen, undecided, unknown
from orders_sync.probing.wire import Exchange
from target_zoho_crm.api.codes import ZohoCode

_LONG = 123_456_789_012_345_678
_DAYS = ("2026-01-15", "2026-07-15")
"""Two days, on one of which a zone with summer time is not UTC."""


def _held(bench: Bench, found: Exchange, field: str) -> Any:
    return bench.read(str(found.details.get("id"))).get(field)


def _taken_or_refused(
    field: str, value: Callable[[Bench], Any], holds: Callable[[Bench, Any], bool], *, taken: str, refused: str
) -> Callable[[Bench], Verdict]:
    """A question whose value is either held as meant, or refused at its field with INVALID_DATA."""

    def ask(bench: Bench) -> Verdict:
        bench.need(field)
        found = bench.insert(bench.record(**{field: value(bench)}))
        if found.taken:
            held = _held(bench, found, field)
            return seen(taken) if holds(bench, held) else unknown("it is taken, and another value is held")
        place = found.details.get("api_name")
        return (
            seen(refused) if found.item.get("code") == ZohoCode.INVALID_DATA and place == field else _otherwise(found)
        )

    return ask


def _otherwise(found: Exchange) -> Verdict:
    return unknown(f"it is refused with {found.item.get('code') or found.flat.get('code')}")


def instant_of(held: Any) -> datetime | None:
    """A date-time as an answer has it."""
    try:
        instant = datetime.fromisoformat(held)
    except (TypeError, ValueError):
        return None
    return instant if instant.tzinfo is not None else None


def _without_offset(bench: Bench) -> Verdict:
    bench.need(TIME)
    try:
        zone = ZoneInfo(str(bench.org.get("time_zone")))
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    naive = [datetime.fromisoformat(f"{day}T12:00:00") for day in _DAYS]
    distinct = [each for each in naive if each.replace(tzinfo=zone) != each.replace(tzinfo=timezone.utc)]
    asked = (distinct or naive)[0]
    found = bench.insert(bench.record(**{TIME: asked.isoformat()}))
    if not found.taken:
        refused = found.item.get("code") == ZohoCode.INVALID_DATA and found.details.get("api_name") == TIME
        return seen("refuse") if refused else _otherwise(found)
    held = instant_of(_held(bench, found, TIME))
    meant: dict[Position, datetime] = {
        "org_zone": asked.replace(tzinfo=zone),
        "utc": asked.replace(tzinfo=timezone.utc),
    }
    fitting = [name for name, instant in meant.items() if instant == held]
    if len(fitting) == 1:
        return seen(fitting[0])
    return undecided(*fitting, why="the org's own zone is UTC") if fitting else unknown("another instant is held")


def _excess_decimals(bench: Bench) -> Verdict:
    bench.need(DECIMAL)
    found = bench.insert(bench.record(**{DECIMAL: 1.239}))
    if found.taken:
        held = _held(bench, found, DECIMAL)
        exact = Decimal(str(held)) if isinstance(held, (int, float, Decimal)) else held
        return by_value(exact, {Decimal("1.24"): "round", Decimal("1.239"): "keep"}, "what is held")
    refused = found.details.get("maximum_decimal_place") in (PLACES, str(PLACES))
    return seen("refuse") if found.item.get("code") == ZohoCode.INVALID_DATA and refused else _otherwise(found)


def _lookup_by_name(bench: Bench) -> Verdict:
    bench.need(LOOKUP)
    name = bench.key()
    other = bench.seed("named", **{bench.name_field: name})
    found = bench.insert(bench.record(**{LOOKUP: {"name": name}}))
    if found.taken:
        held = _held(bench, found, LOOKUP)
        is_other = isinstance(held, dict) and held.get("id") == other
        return seen("take") if is_other else unknown("it is taken, and another record is held")
    refused = found.item.get("code") == ZohoCode.MANDATORY_NOT_FOUND and found.details.get("api_name") == "id"
    return seen("refuse") if refused else _otherwise(found)


def _limits_as(bench: Bench) -> Verdict:
    bench.need(TEXT)
    found = bench.insert(bench.record(**{TEXT: "x" * (TEXT_LENGTH + 1)}))
    if found.item.get("code") != ZohoCode.INVALID_DATA:
        return _otherwise(found)
    positions = {TEXT_LENGTH: "number", str(TEXT_LENGTH): "text"}
    return by_value(found.details.get("maximum_length"), positions, "`maximum_length`")


def _rule_code(field: str, values: dict[str, Any], codes: tuple[str, ...], missing: str) -> Callable[[Bench], Verdict]:
    """A question about the code of a rule that a person made by hand."""

    def ask(bench: Bench) -> Verdict:
        bench.need(*values)
        found = bench.insert(bench.record(**values))
        if found.taken:
            raise NotAsked(missing)
        if found.details.get("api_name") != field:
            return unknown(f"the refusal is not at {field}")
        return by_value(found.item.get("code"), {each: each for each in codes}, "the code")

    return ask


def _two(switch: str) -> tuple[Calls, ...]:
    return (Calls(f"an insert for {switch}, and its reading back", 2),)


VALUE_QUESTIONS = (
    Question(
        "bigint_numbers",
        "a bigint as a number",
        _two("bigint_numbers"),
        _taken_or_refused(
            BIGINT, lambda _: _LONG, lambda _, held: str(held) == str(_LONG), taken="accept", refused="refuse"
        ),
    ),
    Question(
        "numbers_as_text",
        "a number as text",
        _two("numbers_as_text"),
        _taken_or_refused(NUMBER, lambda _: "12", lambda _, held: held == 12, taken="accept", refused="refuse"),  # noqa: PLR2004
    ),
    Question(
        "datetime_z",
        "a date-time that ends with Z",
        _two("datetime_z"),
        _taken_or_refused(
            TIME,
            lambda _: f"{_DAYS[0]}T12:00:00Z",
            lambda _, held: instant_of(held) == datetime(2026, 1, 15, 12, tzinfo=timezone.utc),
            taken="accept",
            refused="refuse",
        ),
    ),
    Question("datetime_without_offset", "a date-time without offset", _two("datetime_without_offset"), _without_offset),
    Question("excess_decimals", "more decimal places than the field has", _two("excess_decimals"), _excess_decimals),
    Question(
        "lookup_by_name",
        "a lookup by the record's name",
        (Calls("inserts for lookup_by_name, and their reading back", 3),),
        _lookup_by_name,
    ),
    Question(
        "owner_by_email",
        "an owner by e-mail",
        _two("owner_by_email"),
        _taken_or_refused(
            "Owner",
            lambda bench: {"email": bench.user.get("email")},
            lambda bench, held: isinstance(held, dict) and held.get("id") == bench.user.get("id"),
            taken="accept",
            refused="refuse",
        ),
    ),
    Question("limits_as", "a longest length in details", (Calls("an insert for limits_as", 1),), _limits_as),
    Question(
        "validation_rule_code",
        "the code of a validation rule",
        (Calls("an insert for validation_rule_code", 1),),
        _rule_code(
            TEXT,
            {TEXT: REFUSED_TEXT},
            (ZohoCode.CANNOT_PROCESS, ZohoCode.INVALID_DATA),
            f"no validation rule refuses {TEXT} `{REFUSED_TEXT}`; one can be made by hand",
        ),
    ),
    Question(
        "dependency_code",
        "the code of pick lists that do not go together",
        (Calls("an insert for dependency_code", 1),),
        _rule_code(
            PART,
            {KIND: KINDS[0], PART: PARTS[1]},
            (ZohoCode.DEPENDENT_MISMATCH, ZohoCode.MAPPING_MISMATCH),
            f"{PART} does not depend on {KIND}; by hand, `{KINDS[0]}` can be given `{PARTS[0]}` alone",
        ),
    ),
)
