"""JSON that no strict reader takes, read so far that the record at fault can be named and the others go. Pure.

Taps write what their language makes of odd values: `NaN`, half a character, bytes of another encoding, numbers without
bounds, values nested deeper than any reader follows. What stands for them here is refused where a record is read
(`record_decoding.py`): no value of a field is made of it.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from sync_databases.exact_numbers import exact_number

NESTED_MOST = 200
"""Levels; readers follow some hundreds."""

_DIGITS_MOST = 4_000
"""Python makes no number of more than 4,300."""

_HALF = "\\udfff"  # in JSON, half a character: no record that holds one is written
_STEP = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


class OddValue(str):
    """What a line has where JSON has a value; the text is as it stood there."""

    __slots__ = ()


def read_leniently(line: bytes) -> Any:
    """Decode a document.

    Raises:
        ValueError: it is broken, so that nobody can tell where a value ends.
    """
    try:
        return _loads(line)
    except RecursionError:
        return _loads(_without_depths(line))


def _loads(line: bytes) -> Any:
    text = line.decode(errors="surrogateescape")
    return json.loads(text, strict=False, parse_float=_number, parse_int=_whole, parse_constant=OddValue)


def _number(text: str) -> Decimal | str:
    """What is too large for a number stays text: no field of numbers takes it."""
    try:
        return exact_number(text)
    except ValueError:
        return OddValue(text)


def _whole(text: str) -> int | str:
    return int(text) if len(text) < _DIGITS_MOST else OddValue(text)


def _without_depths(line: bytes) -> bytes:
    """The line with half a character where it is nested too deeply."""
    kept, depth, start = [], 0, 0
    for step in _STEP.finditer(line):
        mark = step[0]
        if mark in b"[{":
            depth += 1
            if depth == NESTED_MOST:
                kept.append(line[start : step.start()] + f'"{_HALF}"'.encode())
        elif mark in b"]}":
            depth -= 1
            if depth == NESTED_MOST - 1:
                start = step.end()
    if depth:
        raise ValueError("brackets do not match")
    return b"".join([*kept, line[start:]])
