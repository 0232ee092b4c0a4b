"""Dates written as text whose order is not that of time: by such a column changes and new orders would be missed."""

from __future__ import annotations

import re
from datetime import datetime

_YEAR_LAST = re.compile(r"\s*([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?![0-9./-])")
"""31.12.2025, 12/31/25: the day or the month sorts first."""

_NOT_PADDED = re.compile(r"\s*[0-9]{4}([./-])(?:[0-9]\1[0-9]{1,2}|[0-9]{2}\1[0-9])(?![0-9])")
"""2025-1-31: a month of one digit sorts behind December."""

_TWELVE_HOURS = re.compile(
    r"[0-9]{4}[./-][0-9]{2}[./-][0-9]{2}[ T](?:0?[1-9]|1[0-2]):[0-9:.]+\s*[ap]\.?m\b", re.IGNORECASE
)
"""2025-01-31 01:30 PM: the afternoon sorts before the morning."""

_MONTHS = "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?"
_MONTHS += "|oct(ober)?|nov(ember)?|dec(ember)?"
_DAY_FIRST = rf"[0-9]{{1,2}}[ -]({_MONTHS})\b[ ,-]+[0-9]{{2,4}}\b"
_MONTH_FIRST = rf"({_MONTHS})\b\.? [0-9]{{1,2}}\w*,? [0-9]{{4}}\b"
_MONTH_NAME = re.compile(rf"\s*([a-z]{{2,9}},? )?({_DAY_FIRST}|{_MONTH_FIRST})", re.IGNORECASE)
"""31 Dec 2025, Wed, December 31, 2025: months sort by their names."""

_DAYS_MOST, _MONTHS_MOST, _YEARS_FROM = 31, 12, 13
"""A first number of up to 12 may be a month, and so is no year for sure."""


SORTED_WAYS = (
    "set `change_detection: content`, or name the column of a view that has them as dates or as texts like "
    "2025-12-31 14:05:00"
)


def unsorted_dates(column: str, text: str) -> str:
    """Say what is wrong with the dates of a column."""
    return (
        f"{column!r} holds dates like {text!r}, which as texts do not sort by time, so changes and new orders would be "
        "missed"
    )


def sorts_by_no_time(text: str, now: datetime) -> bool:
    """Whether a text is a date of a form in which texts do not sort by time."""
    found = _YEAR_LAST.match(text)
    if found is not None:
        return _is_year_last(int(found[1]), int(found[3]), found[4], now)
    return any(form.match(text) for form in (_NOT_PADDED, _TWELVE_HOURS, _MONTH_NAME))


def _is_year_last(first: int, second: int, last: str, now: datetime) -> bool:
    """Not 24.01.31, where the first is a year of two digits; nor a number of another kind."""
    is_date = min(first, second) in range(1, _MONTHS_MOST + 1) and max(first, second) <= _DAYS_MOST
    is_year_first = len(last) == len("31") and int(last) in range(1, _DAYS_MOST + 1) and second <= _MONTHS_MOST
    return is_date and not (is_year_first and _YEARS_FROM <= first <= now.year % 100 + 1)
