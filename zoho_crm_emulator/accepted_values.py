"""Values in JSON: one checking function for each field, made once for each version of the schema.

A checker takes what JSON held (never null, never an empty string) and returns what is stored, or raises Refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from zoho_crm_emulator.dates import json_date, json_datetime, zone
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import Field
from zoho_crm_emulator.switches import Switches
from zoho_crm_emulator.taxes import line_taxes

Check = Callable[[Any], Any]

EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,}")
PHONE = re.compile(r"[+(]?[0-9A-Za-z][0-9A-Za-z ().,;#/+-]*")
WEBSITE = re.compile(r"(?:https?://|ftp://)?[^\s/?#.]+(?:\.[^\s/?#.]+)+(?::\d+)?(?:[/?#]\S*)?", re.IGNORECASE)
DIGITS = re.compile(r"[0-9]{1,19}")
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
MAX_SCALE = 9  # digits after the point


@dataclass(frozen=True)
class World:
    """What a check may have to look at beside the value."""

    switches: Switches
    record_exists: Callable[[str, int], bool]  # module name, record id
    record_named: Callable[[str, str], int | None]  # module name, what its own field says
    users: Mapping[int, Mapping[str, Any]]


def wrong_type(expected: str) -> Refused:
    """The refusal for a value of another type."""
    return Refused("INVALID_DATA", {"expected_data_type": expected})


def text(field: Field, pattern: re.Pattern[str] | None = None) -> Check:
    """Text of limited length, and perhaps of a certain shape."""
    longest = field.max_length
    kind = field.data_type

    def check(value: Any) -> str:
        if value.__class__ is not str:
            raise wrong_type(kind)
        if len(value) > longest:
            raise Refused("INVALID_DATA", {"maximum_length": longest})
        if pattern is not None and pattern.fullmatch(value) is None:
            raise wrong_type(kind)
        return str(value)

    return check


def pick(field: Field) -> Check:
    """One of a list; an open list takes any other value too, and grows by it."""
    known = frozenset(field.pick_list)
    longest = field.max_length

    def check(value: Any) -> str:
        if value.__class__ is not str:
            raise wrong_type(field.data_type)
        if value not in known:
            if not field.pick_list_open:
                raise Refused("INVALID_DATA", {"supported_values": list(field.pick_list)})
            if len(value) > longest:
                raise Refused("INVALID_DATA", {"maximum_length": longest})
        return str(value)

    return check


def multi_pick(field: Field) -> Check:
    """A list of such values."""
    one = pick(field)

    def check(value: Any) -> list[str]:
        if value.__class__ is not list:
            raise wrong_type("jsonarray")
        return [one(item) for item in dict.fromkeys(value)]

    return check


def integer(field: Field, switches: Switches) -> Check:
    """A whole number of up to so many digits."""
    limit = 10**field.max_length
    as_text = switches.numbers_as_text == "accept"

    def check(value: Any) -> int:
        if as_text and value.__class__ is str and NUMBER.fullmatch(value) and "." not in value:
            value = int(value)
        if value.__class__ is not int:
            raise wrong_type("integer")
        if not -limit < value < limit:
            raise Refused("INVALID_DATA", {"maximum_length": field.max_length})
        return int(value)

    return check


def bigint(field: Field, switches: Switches) -> Check:
    """A long whole number, which travels as text."""
    numbers = switches.bigint_numbers == "accept"

    def check(value: Any) -> str:
        if numbers and value.__class__ is int:
            value = str(value)
        if value.__class__ is not str or NUMBER.fullmatch(value) is None or "." in value:
            raise wrong_type("bigint")
        if len(value.lstrip("-")) > field.max_length:
            raise Refused("INVALID_DATA", {"maximum_length": field.max_length})
        return str(int(value))

    return check


def exact(number: str) -> Decimal:
    """A decimal without zeros at its end, so that 12.50 and 12.5 are stored alike."""
    return Decimal(number.rstrip("0").rstrip(".") if "." in number else number)


def decimal_text(field: Field, switches: Switches) -> Callable[[str], Decimal]:
    """A reader for a plain decimal in text: so many digits before the point, at most nine after it."""
    before = field.max_length
    places = field.decimal_place if field.decimal_place is not None else MAX_SCALE
    kind = field.data_type
    excess = switches.excess_decimals
    quantum = Decimal(1).scaleb(-places)

    def read(value: str) -> Decimal:
        if NUMBER.fullmatch(value) is None:
            raise wrong_type(kind)
        whole, _, fraction = value.lstrip("-").partition(".")
        if len(whole.lstrip("0")) > before or len(fraction.rstrip("0")) > MAX_SCALE:
            raise Refused("INVALID_DATA", {"maximum_length": before})
        number = exact(value)
        if excess != "keep" and len(fraction.rstrip("0")) > places:
            if excess == "refuse":
                raise Refused("INVALID_DATA", {"maximum_decimal_place": places})
            number = exact(f"{number.quantize(quantum, ROUND_HALF_UP):f}")
        return number

    return read


def decimal(field: Field, switches: Switches) -> Check:
    """A decimal in JSON, kept to its last digit (the body is read without floats)."""
    read = decimal_text(field, switches)
    as_text = switches.numbers_as_text == "accept"

    def check(value: Any) -> Decimal:
        if value.__class__ is int:
            return read(str(value))
        if isinstance(value, Decimal):
            return read(f"{value:f}")
        if as_text and value.__class__ is str:
            return read(value)
        raise wrong_type(field.data_type)

    return check


def boolean(_field: Field) -> Check:
    """A boolean: true or false, nothing that only looks like it."""

    def check(value: Any) -> bool:
        if value.__class__ is not bool:
            raise wrong_type("boolean")
        return bool(value)

    return check


def given_id(value: Any) -> int:
    """The id inside `{"id": ...}` or given bare; it may be a number or a string."""
    if isinstance(value, dict):
        value = value.get("id")
    if value.__class__ is int:
        return int(value)
    if value.__class__ is str and DIGITS.fullmatch(value):
        return int(value)
    raise wrong_type("jsonobject")


def lookup(field: Field, world: World) -> Check:
    """A reference to a record that exists: by its id, or by its name where a switch takes that."""
    module = field.lookup or ""
    by_name = world.switches.lookup_by_name == "take"

    def check(value: Any) -> dict[str, str]:
        if isinstance(value, dict) and "id" not in value:
            named = world.record_named(module, str(value.get("name"))) if by_name and value.get("name") else None
            if named is None:
                raise Refused("MANDATORY_NOT_FOUND", {"api_name": "id"})
            return {"id": str(named)}
        record = given_id(value)
        if not world.record_exists(module, record):
            raise Refused("INVALID_DATA", {}, "the id given seems to be invalid")
        return {"id": str(record)}

    return check


def owner(_field: Field, world: World) -> Check:
    """A reference to an active user of the org, by id; by e-mail where a switch lets it."""
    by_email: dict[str, int] = {}
    if world.switches.owner_by_email == "accept":
        by_email = {person["email"].lower(): user for user, person in world.users.items()}

    def check(value: Any) -> dict[str, str]:
        email = value.get("email") if by_email and isinstance(value, dict) and "id" not in value else None
        user = by_email.get(str(email).lower(), 0) if email else given_id(value)
        if user not in world.users:
            raise Refused("INVALID_DATA", {}, "the id given seems to be invalid")
        return {"id": str(user)}

    return check


def dated(read: Callable[[str], str], kind: str) -> Check:
    """A date or date-time, which must be text."""

    def check(value: Any) -> str:
        if value.__class__ is not str:
            raise wrong_type(kind)
        return read(value)

    return check


def checker(field: Field, world: World) -> Check:
    """The checking function of one field."""
    switches = world.switches
    makers: dict[str, Callable[[], Check]] = {
        "text": lambda: text(field),
        "textarea": lambda: text(field),
        "email": lambda: text(field, EMAIL),
        "phone": lambda: text(field, PHONE),
        "website": lambda: text(field, WEBSITE),
        "picklist": lambda: pick(field),
        "multiselectpicklist": lambda: multi_pick(field),
        "date": lambda: dated(json_date, "date"),
        "datetime": lambda: dated(
            json_datetime(
                zone(switches.time_zone),
                z_allowed=switches.datetime_z == "accept",
                without_offset=switches.datetime_without_offset,
            ),
            "datetime",
        ),
        "integer": lambda: integer(field, switches),
        "bigint": lambda: bigint(field, switches),
        "currency": lambda: decimal(field, switches),
        "double": lambda: decimal(field, switches),
        "percent": lambda: decimal(field, switches),
        "boolean": lambda: boolean(field),
        "lookup": lambda: lookup(field, world),
        "ownerlookup": lambda: owner(field, world),
        "userlookup": lambda: owner(field, world),
        "autonumber": lambda: text(field),
        "linetax": lambda: line_taxes,
    }
    return makers[field.data_type]()
