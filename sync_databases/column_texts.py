"""Whether a text that comes from elsewhere can be a column's: a key of the ledger, STATE's bookmark."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sync_databases.columns import Column, Kind
from sync_databases.engines import Engine
from sync_databases.keys import split_key

_TIME_TEXT = re.compile(
    r"-?infinity|[0-9]{4,}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
    r"(?:[+-][0-9]{2}(?::?[0-9]{2}){0,2})?(?: BC)?"
)
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


def can_hold(column: Column, engine: Engine, text: str) -> bool:
    """Whether a text may be one that this column gave, before a database stumbles over it; never False of one that is.

    What a database still refuses, it refuses as a value.
    """
    if engine.values_have_types:
        return True
    check = _CHECKS.get(column.kind)
    return check is None or check(text)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii() and _LEAST <= int(text) <= _MOST


def _is_time(text: str) -> bool:
    return _TIME_TEXT.fullmatch(text) is not None


_LEAST_OF = {"smallint": -(1 << 15), "integer": -(1 << 31), "bigint": -(1 << 63)}


def is_below_all(column: Column, text: str) -> bool:
    """Whether a whole number is less than the column's type can be; PostgreSQL would refuse it."""
    return column.exact_type in _LEAST_OF and int(text) < _LEAST_OF[column.exact_type]


def split_as_key(columns: Sequence[Column], engine: Engine, key: str) -> tuple[str, ...] | None:
    """The texts of a key's columns; None of a text that is no key of these."""
    parts = split_key(key, len(columns))
    if parts is None or not all(can_hold(column, engine, part) for column, part in zip(columns, parts, strict=True)):
        return None
    return parts


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True


_CHECKS: Mapping[Kind, Callable[[str], bool]] = {
    Kind.INTEGER: _is_whole,
    Kind.NUMBER: _is_number,
    Kind.BINARY: _is_hex,
    Kind.UUID: lambda text: _is_hex(text.replace("-", "")),
    Kind.DATE: _is_time,
    Kind.NAIVE_TIME: _is_time,
    Kind.ZONED_TIME: _is_time,
}
