"""Whether a value keeps to its field's own limits: length, digits, decimal places, shape. Pure.

A check takes a value that has the field's type already and returns it, perhaps shortened; or it raises Refusal. Column
looks tell the same of many values at once, and may say no to be safe: then each value is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.mapping.field_values import DIGITS_MOST, Converter, Refusal

ColumnLook = Callable[[Sequence[Any]], bool]

# Only what surely is none: Zoho has the last word on the rest.
_SHAPES = {
    "email": (re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+"), "an e-mail address"),
    "website": (re.compile(r"\S+"), "a web address"),
}


def text_check(field: Field, *, truncate: bool = False) -> Converter | None:
    """The check of a text; None where the metadata names no limit."""
    longest = field.length
    shape = _SHAPES.get(field.data_type)
    if longest is None and shape is None:
        return None

    def check(text: str) -> str:
        if longest is not None and len(text) > longest:
            if not truncate:
                raise too_long(longest)
            text = text[:longest]
        if shape is not None and shape[0].fullmatch(text) is None:
            raise Refusal(ZohoCode.INVALID_DATA, None, f"is not {shape[1]}")
        return text

    return check


def too_long(longest: int) -> Refusal:
    """The refusal of a text; Zoho gives the same code for it as for a wrong type."""
    return Refusal(ZohoCode.INVALID_DATA, None, f"is longer than the field's {longest:,} characters")


def texts_fit(field: Field) -> ColumnLook:
    """Whether every text of a column, None among them, keeps within the limits."""
    longest = field.length
    shape = _SHAPES.get(field.data_type)

    def fits(column: Sequence[Any]) -> bool:
        if longest is not None and max(map(len, filter(None, column)), default=0) > longest:
            return False
        return shape is None or all(map(shape[0].fullmatch, filter(None, column)))

    return fits


def whole_check(field: Field) -> Converter | None:
    """The check of a whole number by its digits; None where the metadata names no limit."""
    if field.length is None:
        return None
    limit = 10**field.length

    def check(number: int) -> int:
        if not -limit < number < limit:
            raise Refusal(ZohoCode.INVALID_DATA, None, f"has more than {field.length} digits")
        return number

    return check


def decimal_check(field: Field, *, round_off: bool = False) -> Converter | None:
    """The check of a decimal by its digits before and after the point; None where the metadata names no limit.

    `round_off` rounds (half up) what has more decimal places; digits before the point are never cut.
    """
    before, places = field.length, field.decimal_place
    if before is None and places is None:
        return None
    limit = None if before is None else Decimal(10) ** before
    quantum = None if places is None else Decimal(1).scaleb(-places)

    def check(number: Decimal) -> Decimal:
        if quantum is not None and _places(number) > (places or 0):
            if not round_off:
                hint = f"has more than {places} decimal places (on_too_long: truncate would round it)"
                raise Refusal(ZohoCode.INVALID_DATA, None, hint)
            if limit is None or abs(number) < limit:  # else too many digits to write out
                number = number.quantize(quantum, ROUND_HALF_UP)
        if limit is not None and abs(number) >= limit:
            raise Refusal(ZohoCode.INVALID_DATA, None, f"has more than {before} digits before the point")
        return number

    return check


def numbers_fit(field: Field) -> ColumnLook:
    """Whether every number of a column, None among them, keeps within the limits."""
    before, places = field.length, field.decimal_place
    limit = 10 ** (DIGITS_MOST if before is None else before)
    quantum = None if places is None else Decimal(1).scaleb(-places)

    def fits(column: Sequence[Any]) -> bool:
        numbers = [number for number in column if number is not None]
        if not numbers:
            return True
        if not -limit < min(numbers) <= max(numbers) < limit:
            return False
        return quantum is None or not any(map(quantum.__rmod__, numbers))

    return fits


def are_booleans(column: Sequence[Any]) -> bool:
    """Whether a column holds true, false and None alone."""
    return set(map(type, column)) <= {bool, type(None)}


def demanded(convert: Converter) -> Converter:
    """The same converter for a field that must have a value."""

    def check(value: Any) -> Any:
        found = convert(value)
        if found is None:
            raise Refusal(ZohoCode.MANDATORY_NOT_FOUND, None, "has no value, and the field is mandatory")
        return found

    return check


def _places(number: Decimal) -> int:
    """Decimal places, zeros at the end not counted."""
    _, digits, exponent = number.as_tuple()
    places = -exponent if isinstance(exponent, int) else 0
    for digit in reversed(digits):
        if places <= 0 or digit:
            break
        places -= 1
    return max(places, 0)
