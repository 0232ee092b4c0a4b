"""Pages as lines: nothing is done per record that can be done per page or per column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from singer_sdk.singerlib.json import serialize_json

from sync_ledger.stream_contract import CONTENT_PROPERTY, KEY_PROPERTY
from tap_legacy_orders.json_values import Converter

RECORDS_PER_BLOCK = 2_000
"""Some 600 KB a write: far above the 64 KiB that Meltano's relay likes, and small beside a page in memory."""

UNNAMEABLE = frozenset('"\\') | frozenset(map(chr, range(0x20)))
"""Characters that msgspec refuses in a field's name."""


RECORD_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")
"""Documents are written with their keys in order: two that are equal are written alike."""

CONTENT_BYTES = 16
_INFIX = b',"' + CONTENT_PROPERTY.encode() + b'":"'


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


def content_of(line: bytes) -> str:
    """The content of an order: a fingerprint of its record's JSON, whose properties are in an order of their own."""
    return blake2b(line, digest_size=CONTENT_BYTES).hexdigest()


def framed(lines: Sequence[bytes], keys: Sequence[str], marks: Mapping[str, str], frame: Frame) -> Iterator[bytes]:
    """Give records as blocks of whole lines, each with its content and the mark of its key, if it has one."""
    between = frame.behind + frame.before
    for start in range(0, len(lines), RECORDS_PER_BLOCK):
        some = lines[start : start + RECORDS_PER_BLOCK]
        contents = list(map(content_of, some))
        if marks:
            contents = [content + marks.get(key, "") for content, key in zip(contents, keys[start:], strict=False)]
        records = [line[:-1] + _INFIX + content.encode() + b'"}' for line, content in zip(some, contents, strict=True)]
        yield frame.before + between.join(records) + frame.behind


class LineEncoder:
    """Turns columns into blocks of lines, one a record."""

    def __init__(self, names: Sequence[str], converters: Sequence[Converter]) -> None:
        self._names = tuple(names)
        self._converters = tuple(converters)
        self._encoder = RECORD_ENCODER
        self._struct = _struct(self._names)

    def convert(self, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Make JSON values of a page's database values."""
        return [convert(column) for convert, column in zip(self._converters, columns, strict=True)]

    def records(
        self, columns: Sequence[Sequence[Any]], marks: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Give a page as records, for the SDK's own path; with `marks` by key they have their contents."""
        records = (dict(zip(self._names, row, strict=True)) for row in zip(*self.convert(columns), strict=True))
        if marks is None:
            yield from records
            return
        for record, line in zip(records, self.lines(columns), strict=True):
            yield record | {CONTENT_PROPERTY: content_of(line) + marks.get(record[KEY_PROPERTY], "")}

    def lines(self, columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """Write each record of a page by itself."""
        return self._encode(self.convert(columns)).split(b"\n")[:-1]

    def blocks(
        self, columns: Sequence[Sequence[Any]], count: int, frame: Frame, marks: Mapping[str, str] | None = None
    ) -> Iterator[bytes]:
        """Give a page of `count` rows as blocks of whole lines; with `marks` by key records have their contents."""
        if marks is not None:
            yield from framed(self.lines(columns), columns[self._names.index(KEY_PROPERTY)], marks, frame)
            return
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
            return b"".join(map(self._encode_alone, zip(*columns, strict=True)))

    def _encode_alone(self, row: Sequence[Any]) -> bytes:
        """Write a record that may hold half a character; the others of its page are written as without it."""
        values = [
            f"{as_json(name)}:{value_text(self._encoder, value)}" for name, value in zip(self._names, row, strict=True)
        ]
        return f"{{{','.join(values)}}}\n".encode()


def value_text(encoder: msgspec.json.Encoder, value: Any) -> str:
    """One value as JSON."""
    try:
        return encoder.encode(value).decode()
    except UnicodeEncodeError:
        return serialize_json(value)  # half a surrogate pair is no UTF-8, but JSON can escape it


def as_json(text: str) -> str:
    """A text as JSON."""
    return msgspec.json.encode(text).decode()


def _struct(names: tuple[str, ...]) -> type[msgspec.Struct] | None:
    """Make a type with the record's properties, which encodes faster than a dict; None for names it cannot have."""
    if any(UNNAMEABLE.intersection(name) for name in names):
        return None
    fields = [f"f{index}" for index in range(len(names))]
    return msgspec.defstruct(
        "Record", [(field, Any) for field in fields], rename=dict(zip(fields, names, strict=True)), gc=False
    )


def as_is(values: Any) -> Any:
    """Give values that are JSON values already."""
    return values
