"""Which columns may hold the time of an order's last change, by their names and types alone.

One that surely does is taken by itself; others are proposed. A date of business, such as that of the order or of its
shipment, is neither: it stays as it is when the order changes, and changes would be lost without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sync_databases.columns import Column, Kind

_TIMES = frozenset({Kind.NAIVE_TIME, Kind.ZONED_TIME})
_WITHOUT_ORDER = frozenset({Kind.JSON, Kind.ARRAY, Kind.BOOLEAN, Kind.BINARY})

_SURE = frozenset(
    {
        "updatedat",
        "modifiedat",
        "lastmodified",
        "datemodified",
        "updatedon",
        "modifiedon",
        "lastupdated",
        "changedat",
    }
)
"""Names that have one meaning, whatever the column's type: Unix seconds, texts and counters too."""

_SURE_OF_TIMES = frozenset(
    {
        "changed",
        "datechanged",
        "dateupdated",
        "lastchanged",
        "lastchange",
        "lastupdate",
        "lastmodifiedat",
        "lastupdatedat",
        "modified",
        "updated",
        "writedate",
    }
)
"""Names that have one meaning where the column is a time."""

_CHANGE = re.compile(
    r"upd|modif|modstamp|(?<!ex)(?<!inter)chang|write|edit|touch|tstamp|rowversion|revision|(?<!l)(?:aender|änder)|aendd|aedat|mutat|maj"
    r"|^(tms|mtime)$"
)
_NO_CHANGE = re.compile(r"creat|insert|added|(by|user|userid|usr|flag|count|reason|note|name|status|price|state)$")
_ZONES = ("gmt", "utc")


def sure_change_columns(columns: Iterable[Column]) -> list[Column]:
    """Those that can be taken by themselves; of a pair of local time and UTC only the latter."""
    found = [(_letters(column.name), column) for column in columns if _is_sure(column)]
    names = {name for name, _ in found}
    return [column for name, column in found if not any(name + zone in names for zone in _ZONES)]


def likely_change_columns(columns: Iterable[Column]) -> list[Column]:
    """Those that can be proposed, times first."""
    found = [column for column in columns if _is_sure(column) or _is_likely(column)]
    return sorted(found, key=lambda column: column.kind not in _TIMES)


def _is_sure(column: Column) -> bool:
    name = _letters(column.name)
    for zone in _ZONES:
        name = name.removesuffix(zone)
    if column.kind in _WITHOUT_ORDER:
        return False
    return name in _SURE or (name in _SURE_OF_TIMES and column.kind in _TIMES)


def _is_likely(column: Column) -> bool:
    name = _letters(column.name)
    return column.kind not in _WITHOUT_ORDER and bool(_CHANGE.search(name)) and not _NO_CHANGE.search(name)


def _letters(name: str) -> str:
    return re.sub(r"[^\w]|_", "", name).casefold()
