"""Moments as text: reading the many shapes in which databases write them, without losing a digit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

_SHAPE = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:(?P<separator>[ T])(?P<minute>\d\d:\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
    r" ?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)?"
)
_MICROSECOND_DIGITS = 6
_SECOND_END = len("YYYY-MM-DDTHH:MM:SS")
_CHECKABLE_LENGTHS = frozenset(range(19, 27)) - {20}
"""From seconds to microseconds, with any number of digits between."""
_SEPARATOR_AT = 10


@dataclass(frozen=True, slots=True)
class Moment:
    """A parsed moment. `at` is naive, as written; `fraction` holds all digits after the second."""

    at: datetime
    offset: timedelta | None
    fraction: str
    separator: str | None
    """What stands between date and time; None for a date alone."""

    def utc(self, zone: tzinfo) -> datetime:
        """Give the moment as naive UTC; `zone` is where a moment without an offset belongs."""
        aware = self.at.replace(tzinfo=zone if self.offset is None else timezone(self.offset))
        return aware.astimezone(timezone.utc).replace(tzinfo=None)


def parse_moment(text: str) -> Moment | None:
    """Read a date or a date with time in ISO order; None when it is none."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    fraction = match["fraction"] or ""
    microseconds = fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
    try:
        at = datetime.strptime(  # noqa: DTZ007 - the offset is read below
            f"{match['date']} {match['minute'] or '00:00'}:{match['second'] or '00'}.{microseconds}",
            "%Y-%m-%d %H:%M:%S.%f",
        )
        offset = _offset(match["offset"])
        if offset is not None:
            timezone(offset)
    except ValueError:
        return None
    return Moment(at, offset, fraction, match["separator"])


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text in "Zz":
        return timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size


def iso_moment(text: str, zone: tzinfo) -> str:
    """Write a moment as ISO 8601 with offset: zoned ones in UTC, others in `zone`, with the digits it was given.

    What is no moment, or lies outside the years 1 to 9999, stays as it is.
    """
    moment = parse_moment(text)
    if moment is None:
        return text
    second = moment.at.replace(microsecond=0)
    try:
        if moment.offset is None:
            iso = second.replace(tzinfo=zone).isoformat()
        else:
            iso = second.replace(tzinfo=timezone(moment.offset)).astimezone(timezone.utc).isoformat()
    except OverflowError:
        return text
    return f"{iso[:_SECOND_END]}.{moment.fraction}{iso[_SECOND_END:]}" if moment.fraction else iso


def utc_column(texts: Sequence[str | None]) -> list[str | None] | None:
    """Write a column of UTC moments as ISO 8601, if all have the usual shape; None sends the caller to `iso_moment`.

    They may all end in +00, as PostgreSQL writes them. Every text is checked; what is saved is making it anew.
    """
    present = [text for text in texts if text is not None]
    if present and all(text.endswith("+00") for text in present):
        present = [text[:-3] for text in present]
    if not _all_plain(present):
        return None
    shaped = [f"{text[:_SEPARATOR_AT]}T{text[_SEPARATOR_AT + 1 :]}+00:00" for text in present]
    if len(shaped) == len(texts):
        return list(shaped)
    given = iter(shaped)
    return [None if text is None else next(given) for text in texts]


def _all_plain(texts: Sequence[str]) -> bool:
    """Tell whether all texts are moments to the second or finer, without an offset."""
    if not set(map(len, texts)) <= _CHECKABLE_LENGTHS:
        return False
    try:
        moments = list(map(datetime.fromisoformat, texts))
    except ValueError:
        return False
    return (
        {moment.tzinfo for moment in moments} <= {None}
        and {text[_SEPARATOR_AT] for text in texts} <= {" ", "T"}
        and "," not in "".join(texts)
    )
