"""Dates and times: Zoho's JSON forms, and the letter patterns that a bulk write mapping may name."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from zoho_crm_emulator.refusals import Refused

JSON_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d|Z)?")
DATE_CHARACTERS = 20  # which the refusal of a date names
JSON_DATE = re.compile(r"\d{4}-\d\d-\d\d")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# Pattern letters (those of Java's SimpleDateFormat, which Zoho's documents write) to named groups.
LETTERS = {
    "yyyy": r"(?P<year>\d{4})",
    "yy": r"(?P<short_year>\d\d)",
    "MMM": r"(?P<month_name>[A-Za-z]{3})",
    "MM": r"(?P<month>\d\d)",
    "M": r"(?P<month>\d\d?)",
    "dd": r"(?P<day>\d\d)",
    "d": r"(?P<day>\d\d?)",
    "HH": r"(?P<hour>\d\d)",
    "H": r"(?P<hour>\d\d?)",
    "hh": r"(?P<half_hour>\d\d)",
    "h": r"(?P<half_hour>\d\d?)",
    "mm": r"(?P<minute>\d\d)",
    "ss": r"(?P<second>\d\d)",
    "SSS": r"(?P<fraction>\d{3})",
    "a": r"(?P<noon>[AaPp][Mm])",
    "XXX": r"(?P<offset>[+-]\d\d:\d\d|Z)",
    "XX": r"(?P<offset>[+-]\d{4}|Z)",
    "X": r"(?P<offset>[+-]\d\d|Z)",
    "Z": r"(?P<offset>[+-]\d{4})",
}
TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")


@lru_cache(maxsize=8)
def zone(name: str) -> tzinfo:
    """The time zone of that IANA name; UTC costs no table."""
    return timezone.utc if name == "UTC" else ZoneInfo(name)


@lru_cache(maxsize=4096)
def _iso(seconds: int, tz: tzinfo) -> str:
    return datetime.fromtimestamp(seconds, tz).isoformat()


def iso(milliseconds: int, tz: tzinfo) -> str:
    """A time of the clock as Zoho writes it: seconds, and the org's offset."""
    return _iso(milliseconds // 1000, tz)


def json_date(text: str) -> str:
    """A date in JSON, checked."""
    refusal = Refused("INVALID_DATA", {"expected_data_type": "date", "maximum_length": DATE_CHARACTERS})
    if JSON_DATE.fullmatch(text) is None:
        raise refusal
    try:
        date.fromisoformat(text)
    except ValueError:
        raise refusal from None
    return text


def json_datetime(tz: tzinfo, *, z_allowed: bool, without_offset: str = "refuse") -> Callable[[str], str]:
    """A checker for date-times in JSON that answers them in the org's zone.

    One without offset is taken to be in the org's zone (`org_zone`), in UTC (`utc`), or refused (`refuse`).
    """
    tail = "+00:00" if tz is timezone.utc else None
    assumed = {"org_zone": tz, "utc": timezone.utc}.get(without_offset)

    def check(text: str) -> str:
        match = JSON_DATETIME.fullmatch(text)
        if match is None or (match[1] == "Z" and not z_allowed) or (match[1] is None and assumed is None):
            raise Refused("INVALID_DATA", {"expected_data_type": "datetime"})
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Refused("INVALID_DATA", {"expected_data_type": "datetime"}) from None
        if match[1] is None:
            moment = moment.replace(tzinfo=assumed)
        return text if match[1] and match[1] == tail else in_zone(moment, tz)

    return check


def in_zone(moment: datetime, tz: tzinfo) -> str:
    """A point in time as text in the org's zone; one outside of the calendar there is refused."""
    try:
        return moment.astimezone(tz).isoformat()
    except OverflowError:
        raise Refused("INVALID_DATA", {"expected_data_type": "datetime"}) from None


@lru_cache(maxsize=64)
def pattern_regex(pattern: str) -> re.Pattern[str] | None:
    """The pattern as a regular expression; None when it holds letters nobody knows, or the same part twice."""
    parts: list[str] = []
    position = 0
    for match in TOKEN.finditer(pattern):
        if match.start() != position:
            return None
        position = match.end()
        token = match[0]
        if token.startswith("'"):
            parts.append(re.escape(match[1].replace("''", "'") or "'"))
        elif token[0].isalpha():
            if token not in LETTERS:
                return None
            parts.append(LETTERS[token])
        else:
            parts.append(re.escape(token))
    if position != len(pattern):
        return None
    try:
        return re.compile("".join(parts))
    except re.error:
        return None


def _hour(parts: dict[str, str]) -> int:
    if "half_hour" not in parts:
        return int(parts.get("hour", "0"))
    hour = int(parts["half_hour"])
    if not 1 <= hour <= 12:  # noqa: PLR2004 - the hours on a dial
        raise ValueError("no such hour")
    return hour % 12 + (12 if parts.get("noon", "am").lower() == "pm" else 0)


def _offset(text: str) -> timezone:
    if text == "Z":
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))


def _moment(match: re.Match[str], tz: tzinfo) -> datetime:
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    year = int(parts["year"]) if "year" in parts else 2000 + int(parts.get("short_year", "0"))
    named = parts.get("month_name")
    month = MONTHS.index(named.lower()) + 1 if named else int(parts.get("month", "1"))
    return datetime(
        year,
        month,
        int(parts.get("day", "1")),
        _hour(parts),
        int(parts.get("minute", "0")),
        int(parts.get("second", "0")),
        tzinfo=_offset(parts["offset"]) if "offset" in parts else tz,
    )


def cell_date(pattern: str) -> Callable[[str], str]:
    """A reader for one CSV column of dates in this pattern."""
    if pattern == "yyyy-MM-dd":
        return json_date
    regex = pattern_regex(pattern)

    def read(text: str) -> str:
        match = regex.fullmatch(text) if regex else None
        try:
            return _moment(match, timezone.utc).date().isoformat()  # type: ignore[arg-type]
        except (AttributeError, ValueError):
            raise Refused("INVALID_DATA", {"expected_data_type": "date"}) from None

    return read


WITH_OFFSET = frozenset({"yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mm:ss'+00:00'"})
"""Patterns of cells that look as date-times in JSON do."""


def cell_datetime(pattern: str, tz: tzinfo) -> Callable[[str], str]:
    """A reader for one CSV column of date-times in this pattern; a cell without offset is in the org's zone."""
    if pattern in WITH_OFFSET:
        return json_datetime(tz, z_allowed=True)
    regex = pattern_regex(pattern)

    def read(text: str) -> str:
        match = regex.fullmatch(text) if regex else None
        try:
            return in_zone(_moment(match, tz), tz)  # type: ignore[arg-type]
        except (AttributeError, ValueError):
            raise Refused("INVALID_DATA", {"expected_data_type": "datetime"}) from None

    return read
