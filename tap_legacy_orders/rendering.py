"""Records of which the database itself writes the JSON: columns that stand together come as one text a row.

Only such columns are left to the database of which it writes exactly what this tap would write; the others come as
values, between the texts. Where a text cannot be exact for some value (NaN, a date before Christ) it is NULL, and
the reader then takes all columns as values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync_databases.value_sql import value_sql_for
from sync_ledger.stream_contract import KEY_PROPERTY, VERSION_PROPERTY
from tap_legacy_orders.connections import fetch_rows, reading
from tap_legacy_orders.json_sql import JsonSql, json_sql_for, literal
from tap_legacy_orders.json_values import Converter
from tap_legacy_orders.record_encoding import (
    RECORD_ENCODER,
    RECORDS_PER_BLOCK,
    UNNAMEABLE,
    Frame,
    as_json,
    framed,
    value_text,
)
from tap_legacy_orders.tap_errors import TapSyncError

if TYPE_CHECKING:
    from sync_databases.columns import Column
    from sync_databases.value_sql import Element

_PROBE = "".join(map(chr, range(1, 0x100))) + "\u2028\uffff😀"
"""Every character that some writer of JSON escapes. PostgreSQL knows no text with a zero character."""

_ESCAPE = re.compile(r"\\(u00[01][0-9A-F]|.)")


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a record is divided."""

    parts: tuple[Column | tuple[Column, ...], ...]
    """Single columns come as values, tuples of columns as one text; the last one, with key and version, is a text."""
    json_sql: JsonSql

    def select(self, elements: Mapping[str, Element], own: tuple[Element, Element]) -> list[Element]:
        """Give what to select for the parts; `own` are the record's key and version."""
        json_sql = self.json_sql
        selected = []
        for index, part in enumerate(self.parts):
            if not isinstance(part, tuple):
                selected.append(json_sql.database.fetched(part, elements[part.name]))
                continue
            properties = [(column.name, json_sql.of(column, elements[column.name])) for column in part]
            if index == len(self.parts) - 1:
                properties += zip((KEY_PROPERTY, VERSION_PROPERTY), map(json_sql.quoted, own), strict=True)
            pieces: list[Element] = []
            for name, value in properties:
                if value is None:
                    raise AssertionError("a column is rendered that the database cannot render")
                pieces += [literal(("," if pieces else "") + as_json(name) + ":"), value]
            selected.append(json_sql.joined(pieces))
        return selected

    def is_complete(self, rows: Sequence[tuple[Any, ...]]) -> bool:
        """Whether the database has written every text of these rows."""
        texts = [index for index, part in enumerate(self.parts) if isinstance(part, tuple)]
        return not any(None in [row[index] for row in rows] for index in texts)


def find_rendering(
    json_sql: JsonSql | None, columns: Sequence[Column], ask: Callable[[sa.Select[Any]], Any]
) -> Rendering | None:
    """Divide a record of these columns; None where the database can write none of it.

    `ask` runs a query and gives its one value.
    """
    if json_sql is None or any(UNNAMEABLE.intersection(column.name) for column in columns):
        return None
    parts: list[Column | tuple[Column, ...]] = []
    for column in columns:
        last = parts[-1] if parts else None
        if json_sql.of(column, sa.column(column.name)) is None:
            parts.append(column)
        elif isinstance(last, tuple):
            parts[-1] = (*last, column)
        else:
            parts.append((column,))
    if not any(isinstance(part, tuple) for part in parts):
        return None
    probe = sa.select(json_sql.quoted(sa.bindparam(None, _PROBE, type_=sa.String())))
    if _lowered(ask(probe)) != as_json(_PROBE):
        return None  # this server, or what calls itself one, escapes otherwise
    if not isinstance(parts[-1], tuple):
        parts.append(())
    return Rendering(tuple(parts), json_sql)


def rendering_in(engine: sa.Engine, zone: tzinfo, columns: Sequence[Column]) -> Rendering | None:
    """Divide a record of these columns for this database; None where it can write none of it."""

    def ask(query: sa.Select[Any]) -> Any:
        with reading(engine) as connection:
            return fetch_rows(connection, query)[0][0]

    try:
        return find_rendering(json_sql_for(value_sql_for(engine.dialect), zone), columns, ask)
    except TapSyncError:
        # An old server without such functions; one that is out of reach fails the next query too.
        return None


def _lowered(text: str) -> str:
    """Write control characters as msgspec does: MariaDB has capital letters in its numbers."""
    if "\\u00" not in text:
        return text
    return _ESCAPE.sub(lambda found: found[0].lower() if found[1].startswith("u") else found[0], text)


class RenderedEncoder:
    """Turns rendered pages into blocks of lines, one a record."""

    def __init__(self, rendering: Rendering, converter: Callable[[Column], Converter], lines: str | None) -> None:
        """`converter` makes what turns values into JSON values; `lines` names the property with the order's lines."""
        template = []
        self._converters: list[Converter | None] = []
        for part in rendering.parts:
            if isinstance(part, tuple):
                template.append("%s")
                self._converters.append(None)
            else:
                template.append(_place(part.name))
                self._converters.append(converter(part))
        self._own_at = len(rendering.parts)
        if lines is not None:
            template.append(_place(lines))
            self._converters.append(list)
        self._join = ",".join(template).__mod__
        self._encoder = RECORD_ENCODER

    def lines(self, columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """Write each record of a page by itself."""
        if not columns[self._own_at]:
            return []
        # JSON escapes line feeds inside texts: those left stand between records.
        return _encoded("".join(("{", "}\n{".join(self._records(columns)), "}"))).split(b"\n")

    def blocks(
        self, columns: Sequence[Sequence[Any]], count: int, frame: Frame, marks: Mapping[str, str] | None = None
    ) -> Iterator[bytes]:
        """Give a page of `count` rows as blocks of whole lines; with `marks` by key records have their contents."""
        if marks is not None:
            yield from framed(self.lines(columns), columns[self._own_at], marks, frame)
            return
        before, behind = frame.before.decode() + "{", "}" + frame.behind.decode()
        between = behind + before
        for start in range(0, count, RECORDS_PER_BLOCK):
            records = self._records([column[start : start + RECORDS_PER_BLOCK] for column in columns])
            yield _encoded("".join((before, between.join(records), behind)))

    def _records(self, columns: Sequence[Sequence[Any]]) -> Iterable[str]:
        """Records without their braces."""
        # Key and version stand in the last text already.
        given = [*columns[: self._own_at], *columns[self._own_at + 2 :]]
        values = [
            part if convert is None else self._texts(convert(part))
            for convert, part in zip(self._converters, given, strict=True)
        ]
        return values[0] if len(values) == 1 else map(self._join, zip(*values, strict=True))

    def _texts(self, values: Sequence[Any]) -> Sequence[str]:
        """Write a column's values as JSON, each by itself."""
        try:
            # JSON escapes line feeds inside texts: those left are the ends of values.
            return self._encoder.encode_lines(values).decode().split("\n")[:-1]
        except UnicodeEncodeError:
            return [value_text(self._encoder, value) for value in values]


def _encoded(text: str) -> bytes:
    """JSON as the tap writes it; bytes that are no UTF-8 stand as they were, so that just their record is refused."""
    return _lowered(text).encode(errors="surrogateescape")


def _place(name: str) -> str:
    return as_json(name).replace("%", "%%") + ":%s"
