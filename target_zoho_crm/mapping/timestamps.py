"""Days and timestamps as Zoho takes them, in JSON and in a CSV cell alike. Pure.

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

from sync_databases.timestamps import (
    OFFSET_LENGTH,
    SECOND_LENGTH,
    SURE_LENGTHS,
    all_plain,
    plain_offset,
    read_timestamp,
)
from target_zoho_crm.mapping.field_values import Converter, Refusal, refuse

# Patterns as Java reads them; the three X stand for an offset with a colon, as our cells have it: +02:00
DATE_FORMAT = "yyyy-MM-dd"
DATETIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ssXXX"

TIMES = frozenset({"date", "datetime"})
"""The types of fields whose values are read here."""

# No part is that of 1900-01-01, the default, and the zone has no name that `strptime` reads and then forgets.
_SOME_TIME = datetime(2019, 12, 31, 23, 58, 57, tzinfo=fixed_zone(timedelta(hours=3)))
_DATE_CHARACTERS = len("YYYY-MM-DD")
_DIGIT, _ISO_BEGINNING = re.compile("[0-9]"), re.compile(r"\s*[0-9]{4}-?[0-9]{2}")
_AFTER_SECOND = ".,+-Z"  # or nothing: Python's reader takes a colon before a fraction, too


def date_converter(zone: tzinfo) -> Converter:
    """To `yyyy-MM-dd`; a timestamp with an offset gives the day it is in `zone`."""
    day = date.fromisoformat
    timestamp = datetime_converter(zone)

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
            return datetime.fromisoformat(timestamp(value) or "").astimezone(zone).date().isoformat()
        except (Refusal, OverflowError):
            raise _no_time(value, "a date") from None

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
            if (
                value[4:17:3] == "--T::"
                and value[SECOND_LENGTH : SECOND_LENGTH + 1] in _AFTER_SECOND
                and value[11:13] != "24"
            ):
                parse(value)
                size = len(value)
                if size - OFFSET_LENGTH in SURE_LENGTHS and plain_offset(value[-OFFSET_LENGTH:]):
                    return value[:SECOND_LENGTH] + value[-OFFSET_LENGTH:]
                if size - 1 in SURE_LENGTHS and value[-1] == "Z":
                    return value[:SECOND_LENGTH] + "+00:00"
                if own_offset and size == SECOND_LENGTH:
                    return value + own_offset
        except (TypeError, ValueError, LookupError):
            pass  # another form, or none
        try:
            return _written(_aware(value, zone))
        except OverflowError:
            raise refuse("a date and time") from None

    return convert


def in_format(convert: Converter, form: str) -> Converter:
    """The converter, of texts that have their date or time in `form`, as `strptime` reads it; others go as they are."""

    def converted(value: Any) -> Any:
        if not isinstance(value, str):
            return convert(value)
        try:
            found = datetime.strptime(value.strip(), form)  # noqa: DTZ007 - the converter knows the zone
        except ValueError:
            return convert(value)  # ISO, or none
        return convert(found.isoformat())

    return converted


def gives_whole_date(form: str) -> bool:
    """Whether a format of `strptime` gives day, month and year, and an hour that is not half of what the text says."""
    try:
        found = datetime.strptime(_SOME_TIME.strftime(form), form)  # noqa: DTZ007 - a format may have no zone
    except ValueError:
        return False
    return found.date() == _SOME_TIME.date() and found.hour in {0, _SOME_TIME.hour}


def type_of(form: str) -> str:
    """The type of field for texts of this format."""
    return "datetime" if "%H" in form or "%I" in form else "date"


def days_fit(column: Sequence[Any]) -> bool:
    """Whether all values of a column, but those that are empty, are days as they have to be written."""
    days = _not_empty(column)
    joined = "".join(days)
    dashes = "-" * len(days)
    if set(map(len, days)) - {_DATE_CHARACTERS} or not (
        joined[4::_DATE_CHARACTERS] == joined[7::_DATE_CHARACTERS] == dashes
    ):
        return False
    deque(map(date.fromisoformat, days), maxlen=0)
    return True


def timestamps_fit(column: Sequence[Any]) -> bool:
    """Whether all values of a column, but those that are empty, are timestamps of which `cut_timestamp` is true.

    Those are the ones with a T and an offset with a colon, with or without a fraction of a second.
    """
    timestamps = _not_empty(column)
    return all_plain(timestamps, "T", zoned=True)


def cut_timestamp(value: str) -> str | None:
    """A timestamp without its fraction of a second, where `timestamps_fit`."""
    return value[:SECOND_LENGTH] + value[-OFFSET_LENGTH:] if value else None


def _no_time(value: Any, expected: str) -> Refusal:
    """Where a text may have a date in another form, the refusal says how to name that."""
    if isinstance(value, str) and _DIGIT.search(value) and not _ISO_BEGINNING.match(value):
        return refuse(f"{expected} in ISO form, like 2025-12-31 (`format` in `fields` names another form)")
    return refuse(expected)


def _check_empty(value: Any, expected: str) -> None:
    """Only null and empty text are no value; 0, false and empty arrays are of another type."""
    if value is not None and value != "":
        raise refuse(expected)


def _aware(value: Any, zone: tzinfo) -> datetime:
    """The slow way: every form of text, and objects."""
    if isinstance(value, str):
        timestamp = read_timestamp(value)
        if timestamp is None:
            raise _no_time(value, "a date and time")
        return timestamp.at.replace(tzinfo=zone if timestamp.offset is None else fixed_zone(timestamp.offset))
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=zone)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    raise refuse("a date and time")


def _not_empty(column: Sequence[Any]) -> list[Any]:
    """The values of a column but null and empty texts; other values that count as false stay, and are no text."""
    full = list(filter(None, column))
    empty = column.count(None) + column.count("")
    return full if len(full) + empty == len(column) else list(column)


def _written(exact: datetime) -> str:
    """Zoho's offsets have no seconds; historic local times that do are written in UTC."""
    offset = exact.utcoffset() or timedelta()
    if offset.seconds % 60:
        exact = exact.astimezone(fixed_zone.utc)
    return exact.isoformat(timespec="seconds")
