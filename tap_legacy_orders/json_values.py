"""A page's values, column by column, as JSON values that lose nothing: compiled once a column, run once a page.

The converters look at which Python types a page's column holds, so that the usual page passes through untouched.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from sync_databases.columns import Column, Kind
from sync_databases.exact_numbers import exact_number
from sync_databases.timestamps import iso_timestamp, read_timestamp, utc_column

Converter = Callable[[Sequence[Any]], Sequence[Any]]
Warn = Callable[[str], None]

_NOTHING = type(None)
_BYTES = (bytes, bytearray, memoryview)
_TEXT_ONLY = frozenset({str, _NOTHING})
_WHOLE_ONLY = frozenset({int, _NOTHING})
_MACHINE_ONLY = frozenset({int, float, _NOTHING})
_DECIMAL_ONLY = frozenset({Decimal, _NOTHING})
_TRUTH_ONLY = frozenset({bool, _NOTHING})
_ZERO_ONE = frozenset({0, 1, None})
_TRUTHS: dict[Any, bool] = {0: False, 1: True, b"\x00": False, b"\x01": True}
_DATE_LENGTH = len("YYYY-MM-DD")


def converter(column: Column, zone: tzinfo, warn: Warn) -> Converter:
    """Make the function that turns a page's values of `column` into JSON values.

    `zone` is where times without an offset belong. `warn` is called once a column for values that JSON cannot hold.
    """
    if column.kind in {Kind.NAIVE_TIME, Kind.ZONED_TIME}:
        return _timestamps(timezone.utc if column.kind is Kind.ZONED_TIME else zone)
    if column.kind in {Kind.NUMBER, Kind.ANY, Kind.INTEGER}:
        return _numbers(column, warn)
    return _SIMPLE.get(column.kind, _texts)


def _numbers(column: Column, warn: Warn) -> Converter:
    warned = False

    def finite(value: Any) -> Any:
        nonlocal warned
        if not _is_finite(value):
            if not warned:
                warned = True
                warn(f"column {column.name!r} holds NaN or Infinity, which JSON cannot hold: sent as null")
            return None
        return _plain(value) if isinstance(value, bytes) else value

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        types = set(map(type, values))
        if types <= _WHOLE_ONLY or (types <= _MACHINE_ONLY and all(map(isfinite, _present(values)))):
            return values
        if types <= _DECIMAL_ONLY and all(map(Decimal.is_finite, _present(values))):
            return values
        if column.kind is Kind.ANY and types <= _TEXT_ONLY:
            return values
        return [finite(value) for value in values]

    return convert


def _is_finite(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return not isinstance(value, float) or isfinite(value)


def _present(values: Sequence[Any]) -> Sequence[Any]:
    """Leave out the NULLs, if there are any."""
    return [value for value in values if value is not None] if None in values else values


def _timestamps(zone: tzinfo) -> Converter:
    def one(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, str):
            return iso_timestamp(value, zone)
        if isinstance(value, datetime):
            return iso_timestamp(value.isoformat(), zone)
        return _plain(value)

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        if zone is timezone.utc and set(map(type, values)) <= _TEXT_ONLY:
            shaped = utc_column(values)
            if shaped is not None:
                return shaped
        return [one(value) for value in values]

    return convert


def _texts(values: Sequence[Any]) -> Sequence[Any]:
    if set(map(type, values)) <= _TEXT_ONLY:
        return values
    return [None if value is None else _plain(value) for value in values]


def _truths(values: Sequence[Any]) -> Sequence[Any]:
    types = set(map(type, values))
    if types <= _TRUTH_ONLY:
        return values
    if types <= _WHOLE_ONLY and set(values) <= _ZERO_ONE:
        return list(map(_TRUTHS.get, values))
    # MySQL's tinyint(1) and SQLite's BOOLEAN take other numbers too; those stay what they are.
    return [_TRUTHS.get(value, value) if isinstance(value, (int, Decimal, bytes)) else value for value in values]


def _dates(values: Sequence[Any]) -> Sequence[Any]:
    def one(value: Any) -> Any:
        if not isinstance(value, str):
            return None if value is None else _plain(value)
        if len(value) == _DATE_LENGTH:
            return value
        timestamp = read_timestamp(value)
        midnight = timestamp and timestamp.at.time() == time.min and not timestamp.fraction.strip("0")
        return value[:_DATE_LENGTH] if midnight else value

    if set(map(type, values)) <= _TEXT_ONLY and set(map(len, _present(values))) <= {_DATE_LENGTH}:
        return values
    return [one(value) for value in values]


def _binaries(values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else _base64(value) for value in values]


_json_decoder = msgspec.json.Decoder(float_hook=exact_number)


def _documents(values: Sequence[Any]) -> Sequence[Any]:
    def one(value: Any) -> Any:
        if not isinstance(value, (str, bytes)):
            return value
        try:
            return _json_decoder.decode(value)
        except msgspec.DecodeError:
            return _plain(value)  # SQLite checks nothing: what is no JSON document is sent as the text it is

    return [one(value) for value in values]


def _base64(value: Any) -> str:
    # SQLite keeps numbers in a BLOB column, too, which `bytes` takes for a length: their text, as its CAST has it.
    return b64encode(value if isinstance(value, _BYTES) else _plain(value).encode()).decode("ascii")


def _plain(value: Any) -> str:
    """Write a single value of an unexpected type as text."""
    if isinstance(value, _BYTES):
        return _base64(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (timedelta, UUID)):
        return str(value)
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)


_SIMPLE: dict[Kind, Converter] = {
    Kind.BOOLEAN: _truths,
    Kind.DATE: _dates,
    Kind.BINARY: _binaries,
    Kind.JSON: _documents,
    Kind.ARRAY: _documents,
}
