"""From a value of the record to what Zoho takes, in JSON and in a CSV cell: plain functions of one value.

The law: both forms of a value mean the same to the CRM. None stays None, which is null in JSON and an empty cell in
CSV; both clear the field. Numbers keep every digit. Sources: Zoho CRM API v8,
Insert Records (JSON) and Bulk Write: Create job (CSV).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from target_zoho_crm.api.codes import ZohoCode

Converter = Callable[[Any], Any]

_JSON = msgspec.json.Encoder(decimal_format="number")
DIGITS_MOST = 60  # no field takes more; keeps 1E+999999 from being written out
_ID_DIGITS = 19
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9][0-9. ]*,[0-9]*")
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})


class Refusal(Exception):  # noqa: N818 - the field's word; it is an outcome, not a fault of the program
    """A value that cannot be written: our own check, with Zoho's code.

    The message is what can be said of the field ("is not a number"), and the field's name stands before it once that
    is known. It never shows the value, but for unknown ones of picklists.
    """

    def __init__(self, code: str, field: str | None, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message
        self.parts: tuple[Refusal, ...] = (self,)

    @classmethod
    def together(cls, refusals: Sequence[Refusal]) -> Refusal:
        """Several refusals of one record as one, whose `parts` they are."""
        if len(refusals) == 1:
            return refusals[0]
        codes = {each.code for each in refusals}
        fields = dict.fromkeys(each.field for each in refusals if each.field is not None)
        whole = cls(
            codes.pop() if len(codes) == 1 else ZohoCode.MULTIPLE_OR_MULTI_ERRORS,
            ",".join(fields) or None,
            "; ".join(each.message for each in refusals),
        )
        whole.parts = tuple(refusals)
        return whole

    def of(self, field: str) -> Refusal:
        """The same refusal, of a field."""
        return self if self.field is not None else Refusal(self.code, field, f"{field} {self.message}")


# What a converter raises for a value it cannot take; everything else is a fault of the program.
UNCONVERTIBLE = (Refusal, TypeError, ValueError, KeyError, ArithmeticError)


def refuse(expected: str) -> Refusal:
    """The refusal of a value of the wrong kind; the field is filled in where it is known."""
    return Refusal(ZohoCode.INVALID_DATA, None, f"is not {expected}")


def refusal_of(error: Exception, field: str) -> Refusal:
    """What a converter raised, as the refusal of a field."""
    return (error if isinstance(error, Refusal) else refuse("of the field's type")).of(field)


def text_to_json(value: Any) -> Any:
    """Text from text: empty becomes null, because an empty CSV cell cannot say anything else."""
    return value or None


def any_to_text(value: Any) -> Any:
    """Text from any JSON value, without float noise; objects and arrays as compact JSON."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (Decimal, float)):
        return number_text(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return _JSON.encode(value).decode()


def digits_to_text(value: Any) -> Any:
    """As `any_to_text`, of a column whose booleans are the numbers 0 and 1, such as MySQL's tinyint(1)."""
    return any_to_text(int(value) if isinstance(value, bool) else value)


def number_text(value: Any) -> str | None:
    """The digits of a number, never in exponent form; text is read as a number first."""
    if value.__class__ is not Decimal:
        if value is None or value == "":
            return None
        value = _decimal(value)
    text = str(value)
    if "E" in text or "N" in text or "I" in text:  # an exponent, NaN, or Infinity
        return format(_checked(value), "f")
    return text


def whole(value: Any) -> int | None:
    """A whole number from a number or from text."""
    if value is None or value == "":
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    number = _decimal(value)
    if number != number.to_integral_value():
        raise refuse("a whole number")
    return int(number)


def whole_text(value: Any) -> str | None:
    """The digits of a whole number: how JSON carries a bigint, since 18 digits do not fit a float."""
    number = whole(value)
    return None if number is None else str(number)


def decimal_json(value: Any) -> Decimal | None:
    """An exact decimal from a number or from text."""
    return None if value is None or value == "" else _decimal(value)


def boolean(value: Any) -> bool | None:
    """A boolean from a boolean, 0 or 1, or a word for it."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if not word:
            return None
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    elif isinstance(value, (int, Decimal, float)) and (number := _decimal(value)) in (0, 1):
        return number == 1
    raise refuse("a boolean")


WORD_OF_BOOLEAN = {None: None, True: "true", False: "false"}.__getitem__
"""The CSV word of what is surely a boolean."""


def boolean_csv(value: Any) -> str | None:
    """The CSV word of a boolean."""
    truth = boolean(value)
    return None if truth is None else "true" if truth else "false"


def choices_json(value: Any) -> list[str] | None:
    """The entries of a multi-select from an array, or from text with semicolons."""
    if value is None:
        return None
    if isinstance(value, str):
        entries = [each.strip() for each in value.split(";")]
    elif isinstance(value, (list, tuple)):
        entries = [any_to_text(each) for each in value]
    else:
        entries = [any_to_text(value)]
    entries = list(dict.fromkeys(each for each in entries if each))
    if any(";" in each or each != each.strip() for each in entries):
        raise refuse("a list of entries without semicolons and outer spaces, which separate entries in CSV")
    return entries or None


joined_choices = ";".join
"""The CSV form of a multi-select's entries."""


def as_it_is(value: Any) -> Any:
    """The value itself."""
    return value


def reference_csv(value: Any) -> str | None:
    """The id of a record or user, from digits, a number, or an object with `id`."""
    if isinstance(value, dict):
        value = value.get("id")
    if value is None or value == "":
        return None
    digits = str(value).strip()
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) <= _ID_DIGITS):
        raise refuse("the id of a record")
    return digits


def reference_json(value: Any) -> dict[str, str] | None:
    """The JSON form of a reference by id."""
    digits = reference_csv(value)
    return None if digits is None else {"id": digits}


def references_by(link: str) -> Converter:
    """The JSON form of a multiple lookup: a row for each record, whose field `link` points at it.

    Takes an array of ids or of objects with `id`, or text with semicolons.
    """

    def convert(value: Any) -> list[dict[str, dict[str, str]]] | None:
        if value is None:
            return None
        given = value.split(";") if isinstance(value, str) else value if isinstance(value, list) else [value]
        found = dict.fromkeys(digits for each in given if (digits := reference_csv(each)) is not None)
        return [{link: {"id": digits}} for digits in found] or None

    return convert


def tags_json(value: Any) -> list[dict[str, str]] | None:
    """The JSON form of tags, from an array of names or of objects with `name`, or from text with semicolons."""
    if isinstance(value, list):
        value = [each.get("name") if isinstance(each, dict) else each for each in value]
    names = choices_json(value)
    return None if names is None else [{"name": name} for name in names]


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        return Decimal(int(value))
    if isinstance(value, str):
        text = value.strip()
        if _DECIMAL_COMMA.fullmatch(text):
            raise refuse("a number: it has a comma (`push --decimal-comma` reads it)")
        if not _NUMBER.fullmatch(text):
            raise refuse("a number")
        value = Decimal(text)
    elif isinstance(value, float):
        value = Decimal(repr(value))  # the shortest digits that mean this float, not its binary noise
    elif not isinstance(value, (int, Decimal)):
        raise refuse("a number")
    return _checked(Decimal(value))


def _checked(number: Decimal) -> Decimal:
    if not number.is_finite() or abs(number.adjusted()) > DIGITS_MOST:
        raise refuse("a number that fits")
    return number


def unless_none(convert: Converter, none: frozenset[str]) -> Converter:
    """The converter, but null for values with one of these texts; a day among them is also that day's midnight."""

    def converted(value: Any) -> Any:
        return None if _means_none(value, none) else convert(value)

    return converted if none else convert


def _means_none(value: Any, none: frozenset[str]) -> bool:
    if isinstance(value, str):
        return value in none or (value[_DAY:_MIDNIGHT] in {"T00:00:00", " 00:00:00"} and value[:_DAY] in none)
    return any_to_text(value) in none


_DAY, _MIDNIGHT = len("YYYY-MM-DD"), len("YYYY-MM-DD 00:00:00")
