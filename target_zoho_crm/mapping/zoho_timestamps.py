"""Days and moments as Zoho takes them, in JSON and in a CSV cell alike. Pure.

Times keep their offset and lose fractions of a second, which Zoho does not store. Looks at whole columns tell where one
cut does for every value.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from datetime import timezone as fixed_zone
from typing import Any

from target_zoho_crm.mapping.field_values import Converter, Refusal, refuse

# Patterns as Java reads them; the three X stand for an offset with a colon, as our cells have it: +02:00
DATE_FORMAT = "yyyy-MM-dd"
DATETIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ssXXX"

_DATE_CHARACTERS = 10
_ZONED = ("T::+", "T::-")
_ZONED_CHARACTERS = 25  # 2024-07-01T10:20:30+02:00
_UTC_CHARACTERS = 20  # 2024-07-01T10:20:30Z
_FRACTION_CHARACTERS = (29, 32)  # the same with milliseconds or microseconds
_DATETIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,][0-9]+)?(?: ?(?:([zZ])|([+-])([0-9]{2}):?([0-9]{2})?))?)?"
)


def date_converter(zone: tzinfo) -> Converter:
    """To `yyyy-MM-dd`; a moment with an offset gives the day it is in `zone`."""
    day = date.fromisoformat
    moment = datetime_converter(zone)

    def convert(value: Any) -> str | None:
        if not value:
            _check_empty(value, "a date")
            return None
        try:
            if len(value) == _DATE_CHARACTERS and value[4] == "-" and value[7] == "-":
                day(value)
                return str(value)
        except (TypeError, ValueError):
            pass
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        try:
            return datetime.fromisoformat(moment(value) or "").astimezone(zone).date().isoformat()
        except (Refusal, OverflowError):
            raise refuse("a date") from None

    return convert


def datetime_converter(zone: tzinfo) -> Converter:
    """To `yyyy-MM-ddTHH:mm:ss+HH:mm`, the form of both channels; without an offset the value is in `zone`.

    The forms that taps send most are checked by the parser and then cut, which is all they need.
    """
    parse = datetime.fromisoformat
    own_offset = "+00:00" if zone is fixed_zone.utc else None

    def convert(value: Any) -> Any:
        if not value:
            _check_empty(value, "a date and time")
            return None
        try:
            marks = value[10:20:3]  # the T, two colons, and what follows the seconds
            if value[7] == "-":
                size = len(value)
                if marks in _ZONED and size == _ZONED_CHARACTERS and value[-2] < "6":
                    parse(value)
                    return value
                if marks == "T::." and size in _FRACTION_CHARACTERS and value[-6] in "+-" and value[-2] < "6":
                    parse(value)
                    return value[:19] + value[-6:]
                if (marks == "T::Z" and size == _UTC_CHARACTERS) or (marks == "T::" and own_offset):
                    parse(value[:19])
                    return value[:19] + "+00:00"
        except (TypeError, ValueError, LookupError):
            pass  # another form, or none
        try:
            return _moment(value, zone)
        except (ValueError, OverflowError):
            raise refuse("a date and time") from None

    return convert


def days_fit(column: Sequence[Any]) -> bool:
    """Whether all values of a column, but those that are empty, are days as they have to be written."""
    days = _not_empty(column)
    at = _Places(days, (_DATE_CHARACTERS,))
    if days and not (at.lengths_agree and at.hold(4, "-") and at.hold(7, "-")):
        return False
    deque(map(date.fromisoformat, days), maxlen=0)
    return True


def moments_fit(column: Sequence[Any]) -> bool:
    """Whether all values of a column, but those that are empty, are moments in one form, of which `cut_moment` is true.

    That is the form with an offset, with or without a fraction of a second.
    """
    moments = _not_empty(column)
    at = _Places(moments, (_ZONED_CHARACTERS, *_FRACTION_CHARACTERS))
    if moments and not (
        at.lengths_agree
        and at.hold(7, "-")
        and at.hold(10, "T")
        and at.hold(13, ":")
        and at.hold(16, ":")
        and at.hold(19, "+-" if at.length == _ZONED_CHARACTERS else ".")
        and at.hold(at.length - 6, "+-")
        and at.hold(at.length - 2, "012345")
    ):
        return False
    deque(map(datetime.fromisoformat, moments), maxlen=0)
    return True


def cut_moment(value: str) -> str | None:
    """A moment without its fraction of a second, where `moments_fit`."""
    return value[:19] + value[-6:] if value else None


def _check_empty(value: Any, expected: str) -> None:
    """Only null and empty text are no value; 0, false and empty arrays are of another type."""
    if value is not None and value != "":
        raise refuse(expected)


def _moment(value: Any, zone: tzinfo) -> str:
    """The slow way: every other form of text, and objects."""
    if isinstance(value, datetime):
        return _zoned(value if value.tzinfo is not None else value.replace(tzinfo=zone))
    if isinstance(value, date):
        value = value.isoformat()
    match = _DATETIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refuse("a date and time")
    day, time, utc, sign, hours, minutes = match.groups()
    naive = datetime.fromisoformat(f"{day}T{time or '00:00:00'}")
    if utc:
        return f"{naive.isoformat()}+00:00"
    if sign is None:
        return _zoned(naive.replace(tzinfo=zone))
    if int(hours) >= 24 or int(minutes or 0) >= 60:  # noqa: PLR2004 - a clock's
        raise refuse("a date and time with an offset below a day")
    return f"{naive.isoformat()}{sign}{hours}:{minutes or '00'}"


def _not_empty(column: Sequence[Any]) -> list[Any]:
    """The values of a column but null and empty texts; other values that count as false stay, and are no text."""
    full = list(filter(None, column))
    empty = column.count(None) + column.count("")
    return full if len(full) + empty == len(column) else list(column)


class _Places:
    """Texts of one length, looked at place by place: a few slices for all of them."""

    def __init__(self, texts: Sequence[str], lengths: Sequence[int]) -> None:
        self._joined = "".join(texts)
        self.length = len(texts[0]) if texts else 0
        self.lengths_agree = self.length in lengths and set(map(len, texts)) == {self.length}

    def hold(self, place: int, characters: str) -> bool:
        """Whether each text has one of these characters at a place."""
        return set(self._joined[place :: self.length]) <= set(characters)


def _zoned(exact: datetime) -> str:
    """Zoho's offsets have no seconds; historic local times that do are told in UTC."""
    offset = exact.utcoffset() or timedelta()
    if offset.seconds % 60:
        try:
            exact = exact.astimezone(fixed_zone.utc)
        except OverflowError:
            raise refuse("a date and time") from None
    return exact.isoformat(timespec="seconds")
