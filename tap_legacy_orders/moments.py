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
    given = present = [text for text in texts if text is not None]
    if not given:
        return list(texts)
    together = "\n".join(present)
    if together.endswith("+00") and together.count("+00\n") == len(given) - 1:
        together = together.replace("+00\n", "\n")[:-3]
        present = together.split("\n")
    if together.count("\n") != len(given) - 1 or not _all_plain(present, together):
        return None
    # Each holds one blank at most, so the whole column is rewritten at once.
    shaped = (together.replace(" ", "T").replace("\n", "+00:00\n") + "+00:00").split("\n")
    if len(given) == len(texts):
        return list(shaped)
    following = iter(shaped)
    return [None if text is None else next(following) for text in texts]


def _all_plain(texts: Sequence[str], together: str) -> bool:
    """Tell whether all texts are moments like 2024-01-31 12:00:00.5, with blank or T and without an offset.

    `together` is all of them: its characters are counted, since that is done at the speed of C.
    """
    count = len(texts)
    if not (
        set(map(len, texts)) <= _CHECKABLE_LENGTHS
        and together.count(" ") + together.count("T") == count
        and together.count("-") == together.count(":") == 2 * count
        and not any(sign in together for sign in "+,ZWz")
    ):
        return False
    try:
        # Checked one by one by Python's own parser, which knows how many days February has.
        list(map(datetime.fromisoformat, texts))
    except ValueError:
        return False
    return True
