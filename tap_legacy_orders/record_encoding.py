"""Pages as lines: nothing is done per record that can be done per page or per column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from singer_sdk.singerlib.json import serialize_json

from tap_legacy_orders.json_values import Converter

RECORDS_PER_BLOCK = 2_000
"""Some 600 KB a write: far above the 64 KiB that Meltano's relay likes, and small beside a page in memory."""

UNNAMEABLE = frozenset('"\\') | frozenset(map(chr, range(0x20)))
"""Characters that msgspec refuses in a field's name."""


class Frame(NamedTuple):
    """What stands before and behind each record in its line; the line's end belongs to it."""

    before: bytes
    behind: bytes


BARE = Frame(b"", b"\n")
"""Records by themselves, as the files of BATCH messages hold them."""


def record_message(stream: str, extracted: str) -> Frame:
    """Make a RECORD message of each record; `extracted` is the time of the page's query."""
    return Frame(
        b'{"type":"RECORD","stream":' + msgspec.json.encode(stream) + b',"record":',
        b',"time_extracted":"' + extracted.encode("ascii") + b'"}\n',
    )


class LineEncoder:
    """Turns columns into blocks of lines, one a record."""

    def __init__(self, names: Sequence[str], converters: Sequence[Converter]) -> None:
        self._names = tuple(names)
        self._converters = tuple(converters)
        self._encoder = msgspec.json.Encoder(decimal_format="number")
        self._struct = _struct(self._names)

    def convert(self, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Make JSON values of a page's database values."""
        return [convert(column) for convert, column in zip(self._converters, columns, strict=True)]

    def records(self, columns: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
        """Give a page as records, for the SDK's own path."""
        for row in zip(*self.convert(columns), strict=True):
            yield dict(zip(self._names, row, strict=True))

    def blocks(self, columns: Sequence[Sequence[Any]], count: int, frame: Frame) -> Iterator[bytes]:
        """Give a page of `count` rows as blocks of whole lines."""
        between = frame.behind + frame.before
        for start in range(0, count, RECORDS_PER_BLOCK):
            converted = self.convert([column[start : start + RECORDS_PER_BLOCK] for column in columns])
            body = self._encode(converted)
            if frame is not BARE:
                # JSON escapes line feeds inside texts: those left are the ends of records.
                body = body.replace(b"\n", between)
            yield frame.before + body[: len(body) - len(frame.before)]

    def _encode(self, columns: list[Sequence[Any]]) -> bytes:
        if self._struct is None:
            rows: list[Any] = [dict(zip(self._names, row, strict=True)) for row in zip(*columns, strict=True)]
        else:
            rows = list(map(self._struct, *columns))
        try:
            return self._encoder.encode_lines(rows)
        except UnicodeEncodeError:
            # Half a surrogate pair is no UTF-8, but JSON can escape it.
            return b"".join(
                serialize_json(dict(zip(self._names, row, strict=True))).encode("ascii") + b"\n"
                for row in zip(*columns, strict=True)
            )


def _struct(names: tuple[str, ...]) -> type[msgspec.Struct] | None:
    """Make a type with the record's properties, which encodes faster than a dict; None for names it cannot have."""
    if any(UNNAMEABLE.intersection(name) for name in names):
        return None
    fields = [f"f{index}" for index in range(len(names))]
    return msgspec.defstruct(
        "Record", [(field, Any) for field in fields], rename=dict(zip(fields, names, strict=True)), gc=False
    )
