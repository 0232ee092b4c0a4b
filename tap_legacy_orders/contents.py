"""Contents: a fingerprint of each order in the window, over its record as it is written, and what it says of an ack.

A record is written alike by the database and by this tap, its properties in the byte order of their names; so equal
orders have equal fingerprints, whoever wrote them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timezone, tzinfo
from typing import NamedTuple

import msgspec

from sync_databases.columns import Column, Kind
from sync_ledger.content_forms import ContentForm
from sync_ledger.stream_contract import KEY_PROPERTY, OTHER_CONTENT, SAME_CONTENT, VERSION_PROPERTY
from tap_legacy_orders.order_lines import LinesTable
from tap_legacy_orders.pages import Page
from tap_legacy_orders.record_encoding import content_of

TRIMMED = "TRIMMED"
"""The kind of texts without the blanks that the database pads them with; earlier contents have these, as `TEXT`."""
RENDERING = 1
"""To be raised when the same values are written otherwise than before."""
_properties = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text_or_null = msgspec.json.Decoder(str | None)
_lines = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def in_byte_order(columns: Iterable[Column]) -> list[Column]:
    """Columns as records have them."""
    return sorted(columns, key=lambda column: column.name.encode())


def form_of(columns: Sequence[Column], lines: LinesTable | None, zone: tzinfo) -> ContentForm:
    """The form of contents of these columns; `zone` is where times without an offset belong."""
    of_lines = () if lines is None else lines.columns
    naive = any(column.kind is Kind.NAIVE_TIME for column in (*columns, *of_lines))
    return ContentForm(
        rendering=RENDERING,
        columns=tuple(map(_described, columns)),
        zone=str(zone) if naive and zone is not timezone.utc else None,
        lines=None if lines is None else lines.property,
        line_columns=tuple(map(_described, of_lines)),
    )


def _described(column: Column) -> tuple[str, str]:
    return column.name, column.kind.name if column.padded_length is None else TRIMMED


class Padding(NamedTuple):
    """To how many characters texts were padded in contents in which they are not `TRIMMED`, by column."""

    columns: Mapping[str, int]
    line_columns: Mapping[str, int]

    @classmethod
    def of(cls, columns: Sequence[Column], lines: LinesTable | None) -> Padding:
        """The padding of these columns."""
        return cls(_lengths(columns), _lengths(() if lines is None else lines.columns))


def _lengths(columns: Iterable[Column]) -> dict[str, int]:
    return {column.name: column.padded_length for column in columns if column.padded_length is not None}


class Acked(NamedTuple):
    """What an ack says of an order that has its version."""

    status: str
    content: str | None
    form: str | None


class Other(NamedTuple):
    """Why an order is to be sent though its ack has its version: the mark, and its content now."""

    mark: str
    content: str


class Contents:
    """Compares orders with their acks by content."""

    def __init__(
        self,
        form: ContentForm,
        lines_of: Callable[[Page], Sequence[bytes]],
        read_form: Callable[[str], ContentForm | None],
        logger: logging.Logger,
        *,
        padding: Padding,
        alone: bool = False,
    ) -> None:
        """`lines_of` writes the records of a page, `read_form` looks up an earlier form.

        `padding` is that of earlier contents. `alone`: no version says what changed, so an order that cannot be
        compared with its ack is sent again.
        """
        self.form = form
        self._padding = padding
        self._alone = alone
        self._lines_of = lines_of
        self._read_form = read_form
        self._log = logger
        self._earlier: dict[str, ContentForm | None] = {}
        self._incomparable = 0

    def compare(self, page: Page, acked: Sequence[Acked], synced: str) -> list[Other | None]:
        """Compare the orders of a page with their acks; None for one that is as its ack says, or is believed to be.

        `synced` is the status of acks to which a content of the new form can be noted.
        """
        return [self._compare(line, ack, synced) for line, ack in zip(self._lines_of(page), acked, strict=True)]

    def _compare(self, line: bytes, ack: Acked, synced: str) -> Other | None:
        content = content_of(line)
        if ack.form == self.form.id:
            return None if content == ack.content else Other(OTHER_CONTENT, content)
        if ack.form is None:
            return Other(OTHER_CONTENT, content)
        form = self._form(ack.form)
        if form is None:
            self._incomparable += 1
            return Other(OTHER_CONTENT, content) if self._alone else None
        if content_of(_in_form(line, form, self._padding)) != ack.content:
            return Other(OTHER_CONTENT, content)
        return Other(SAME_CONTENT, content) if ack.status == synced else None

    def columns_of(self, page: Page) -> list[dict[str, bytes]]:
        """The columns of each order of a page, as its record has them, without key and version."""
        orders = [_properties.decode(line) for line in self._lines_of(page)]
        own = {KEY_PROPERTY, VERSION_PROPERTY}
        return [{name: bytes(value) for name, value in order.items() if name not in own} for order in orders]

    def log_incomparable(self) -> None:
        """Say how many orders could not be compared since the last time."""
        if self._incomparable:
            self._log.info(
                "%d orders are %s: their acks know them with columns that are no longer read",
                self._incomparable,
                "sent again" if self._alone else "believed to be as they were",
            )
            self._incomparable = 0

    def _form(self, name: str) -> ContentForm | None:
        """An earlier form, if this one has all that it needs."""
        if name not in self._earlier:
            form = self._read_form(name)
            self._earlier[name] = form if form is not None and self._has_all_of(form) else None
        return self._earlier[name]

    def _has_all_of(self, earlier: ContentForm) -> bool:
        own = self.form
        naive = any(kind == Kind.NAIVE_TIME.name for _, kind in (*earlier.columns, *earlier.line_columns))
        return (
            earlier.rendering == own.rendering
            and set(earlier.columns) <= {*own.columns, *_padded(self._padding.columns)}
            and (earlier.zone == own.zone or not naive)
            and (earlier.lines is None or earlier.lines == own.lines)
            and set(earlier.line_columns) <= {*own.line_columns, *_padded(self._padding.line_columns)}
        )


def _padded(lengths: Iterable[str]) -> set[tuple[str, str]]:
    return {(name, Kind.TEXT.name) for name in lengths}


def _in_form(line: bytes, form: ContentForm, padding: Padding) -> bytes:
    """The record's JSON as an earlier form has it."""
    values = _properties.decode(line)
    pieces = _pieces(values, form.columns, padding.columns)
    pieces += [(name, bytes(values[name])) for name in (KEY_PROPERTY, VERSION_PROPERTY)]
    if form.lines is not None:
        columns = sorted([*form.line_columns, (KEY_PROPERTY, Kind.OTHER.name)], key=lambda column: column[0].encode())
        each_line = _lines.decode(values[form.lines])
        lines = [_object(_pieces(each, columns, padding.line_columns)) for each in each_line]
        pieces.append((form.lines, b"[" + b",".join(lines) + b"]"))
    return _object(pieces)


def _pieces(
    values: Mapping[str, msgspec.Raw], columns: Sequence[tuple[str, str]], lengths: Mapping[str, int]
) -> list[tuple[str, bytes]]:
    """Columns with their values, which are padded where the form has them so."""
    padded = {name for name, kind in columns if kind == Kind.TEXT.name and name in lengths}
    return [
        (name, _pad(bytes(values[name]), lengths[name]) if name in padded else bytes(values[name]))
        for name, _ in columns
    ]


def _pad(text: bytes, length: int) -> bytes:
    try:
        value = _text_or_null.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return text  # bytes that are no text; the order is sent once more
    return text if value is None else msgspec.json.encode(value.ljust(length))


def _object(pieces: Iterable[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in pieces) + b"}"
