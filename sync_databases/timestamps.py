"""Timestamps as text: one reading of the many shapes in which databases and taps write them, without losing a digit.

Python's own reader knows the calendar, but takes more than a date and a time of day: week dates, dates without dashes,
offsets with seconds or with 75 minutes, a stray character after the second, later versions also 24:00; and it drops
digits beyond microseconds. So the shape is looked at first.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import NamedTuple

_SHAPE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:([ Tt])((?:[01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9](?:[.,]([0-9]+))?)?)?"
    r"(?: ?([Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?"
)
SECOND_LENGTH = len("YYYY-MM-DDTHH:MM:SS")
OFFSET_LENGTH = len("+02:00")
SURE_LENGTHS = frozenset({SECOND_LENGTH, *range(SECOND_LENGTH + 2, SECOND_LENGTH + 8)})
"""Lengths without the offset, from seconds to microseconds, of which Python's own reader lets nothing wrong pass."""

_ZONED_LENGTHS = frozenset(length + OFFSET_LENGTH for length in SURE_LENGTHS)
_MARKS = ((4, "-"), (7, "-"), (13, ":"), (16, ":"))
_DATE_LENGTH = len("YYYY-MM-DD")


class Timestamp(NamedTuple):
    """A timestamp that was read. `at` is naive, as written; `fraction` holds all digits after the second."""

    at: datetime
    offset: timedelta | None
    fraction: str
    separator: str | None
    """What stands between date and time; None for a date alone."""

    def utc(self, zone: tzinfo) -> datetime:
        """The same point in time as naive UTC; `zone` is where a timestamp without an offset belongs.

        Raises:
            OverflowError: it lies outside the years 1 to 9999 there.
        """
        if self.offset is not None:
            return self.at - self.offset
        return self.at.replace(tzinfo=zone).astimezone(timezone.utc).replace(tzinfo=None)


def read_timestamp(text: str) -> Timestamp | None:
    """Read a date, or a date with a time to the minute or finer, in ISO order; None when it is none."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    day, separator, minute, second, fraction, offset = match.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{minute or '00:00'}{second or ''}")
    except ValueError:
        return None
    return Timestamp(at, None if offset is None else _offset(offset), fraction or "", separator)


@cache  # there are some thousands of them
def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size


def iso_timestamp(text: str, zone: tzinfo) -> str:
    """Write a timestamp as ISO 8601 with offset: zoned ones in UTC, others in `zone`, with the digits it was given.

    What is no timestamp, or lies outside the years 1 to 9999, stays as it is.
    """
    timestamp = read_timestamp(text)
    if timestamp is None:
        return text
    second = timestamp.at.replace(microsecond=0)
    if timestamp.offset is None:
        iso = second.replace(tzinfo=zone).isoformat()
    else:
        try:
            iso = f"{(second - timestamp.offset).isoformat()}+00:00"
        except OverflowError:
            return text
    return f"{iso[:SECOND_LENGTH]}.{timestamp.fraction}{iso[SECOND_LENGTH:]}" if timestamp.fraction else iso


def plain_offset(text: str) -> bool:
    """Whether the end of what Python's reader took is an offset like +02:00; it also takes seconds, and 75 minutes."""
    return text[0] in "+-" and text[3] == ":" and text[4] < "6"


def all_plain(texts: Sequence[str], separators: str, *, zoned: bool) -> bool:
    """Whether all texts are timestamps like 2024-01-31T12:00:00.5, with one of the separators and at most six digits.

    `zoned`: each ends in an offset like +02:00; else none has an offset. A few slices look at all texts together.
    """
    lengths = set(map(len, texts))
    joined = "".join(texts)
    if zoned:
        fit = lengths <= _ZONED_LENGTHS and _plain_offsets(joined, texts, lengths)
    else:
        fit = lengths <= SURE_LENGTHS and joined.count("-") == 2 * len(texts) and not any(x in joined for x in "+,Z")
    if not fit or joined.count(":") != (3 if zoned else 2) * len(texts):
        return False
    same = len(lengths) == 1
    heads = joined if same else "".join([text[:SECOND_LENGTH] for text in texts])
    step = lengths.pop() if same else SECOND_LENGTH
    if (
        any(heads[place::step] != mark * len(texts) for place, mark in _MARKS)
        or heads[_DATE_LENGTH::step].strip(separators)
        or any(f"{separator}24:" in heads for separator in separators)
    ):
        return False
    try:
        deque(map(datetime.fromisoformat, texts), maxlen=0)
    except ValueError:
        return False
    return True


def _plain_offsets(joined: str, texts: Sequence[str], lengths: Collection[int]) -> bool:
    """Whether all texts end in offsets that are plain; `joined` are the texts one after the other."""
    if len(lengths) == 1:
        (step,) = lengths
    else:
        joined, step = "".join([text[-OFFSET_LENGTH:] for text in texts]), OFFSET_LENGTH
    signs, colons, minutes = (joined[step - OFFSET_LENGTH + place :: step] for place in (0, 3, 4))
    return not signs.strip("+-") and colons == ":" * len(texts) and not minutes.strip("012345")


def utc_column(texts: Sequence[str | None]) -> list[str | None] | None:
    """Write a column of UTC timestamps as ISO 8601, if all have the usual shape; None: go to `iso_timestamp` for each.

    They may all end in +00, as PostgreSQL writes them. Every text is checked; what is saved is making it anew.
    """
    given = present = [text for text in texts if text is not None]
    if not given:
        return list(texts)
    together = "\n".join(present)
    if together.endswith("+00") and together.count("+00\n") == len(given) - 1:
        together = together.replace("+00\n", "\n")[:-3]
        present = together.split("\n")
    if together.count("\n") != len(given) - 1 or not all_plain(present, " T", zoned=False):
        return None
    # Each holds one blank at most, so the whole column is rewritten at once.
    shaped = (together.replace(" ", "T").replace("\n", "+00:00\n") + "+00:00").split("\n")
    if len(given) == len(texts):
        return list(shaped)
    following = iter(shaped)
    return [None if text is None else next(following) for text in texts]
