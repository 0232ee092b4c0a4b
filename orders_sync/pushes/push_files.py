"""Records from files: CSV of any delimiter and encoding, a JSON array, JSON lines, a sheet of an xlsx file.

Each reader goes through its file from the beginning and holds one record at a time (a JSON array: the file). What is
wrong with a file is found here, before anything is sent, and said in one line: which file, where in it, what to do.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from orders_sync.pushes.push_sheets import sheet_rows
from sync_databases.exact_numbers import exact_number

DELIMITERS = ",;\t|"
FIELD_CHARACTERS_MOST = 10_000_000
"""Of one cell; the csv module allows 131,072 otherwise."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GROUP = re.compile("[.'\u2019 \u00a0\u202f]")
"""What stands between thousands: a point, an apostrophe, or a blank of any width."""
_DECIMAL_COMMA = re.compile(rf"[+-]?(?:[0-9]+|[1-9][0-9]{{0,2}}(?:{_GROUP.pattern}[0-9]{{3}})+)(?:,[0-9]*)?")
_json = msgspec.json.Decoder(float_hook=exact_number)
_json_array = msgspec.json.Decoder(list[msgspec.Raw])


class Format(StrEnum):
    """What a file may be."""

    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonl"
    XLSX = "xlsx"


class FileProblem(Exception):  # noqa: N818 - it is the file's
    """A file cannot be taken as it is; the text names it, the place, and what to do."""


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How files are to be read, where they do not say it themselves."""

    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    decimal_comma: frozenset[str] = frozenset()
    """Columns whose texts are numbers with a decimal comma."""


class Located(NamedTuple):
    """One record and where it stands, as `line 7` or `record 3`."""

    where: str
    record: Mapping[str, Any]


def read_file(path: Path, options: ReadingOptions) -> Iterator[Located]:
    """The records of one file, in its order.

    Raises:
        FileProblem: it cannot be opened, is of another encoding, or a record of it is not whole.
    """
    readers: Mapping[Format, Callable[[Path, ReadingOptions], Iterator[Located]]] = {
        Format.CSV: _csv,
        Format.JSON: _json_records,
        Format.JSON_LINES: _json_lines,
        Format.XLSX: _xlsx,
    }
    try:
        form = options.format or _format_of(path)
        if options.decimal_comma and form in {Format.JSON, Format.JSON_LINES}:
            raise FileProblem(f"{path}: --decimal-comma is for CSV and sheets; write the numbers of JSON with a point")
        yield from readers[form](path, options)
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror or error}") from error


def _format_of(path: Path) -> Format:
    suffix = path.suffix.lower()
    if suffix in {".xlsx", ".xlsm"}:
        return Format.XLSX
    if suffix in {".jsonl", ".ndjson"}:
        return Format.JSON_LINES
    if suffix == ".json":
        with path.open("rb") as file:
            first = file.read(4096).removeprefix(codecs.BOM_UTF8).lstrip()
        return Format.JSON if first.startswith(b"[") else Format.JSON_LINES
    return Format.CSV


# CSV


def _csv(path: Path, options: ReadingOptions) -> Iterator[Located]:
    encoding = options.encoding or _encoding_of(path)
    csv.field_size_limit(FIELD_CHARACTERS_MOST)
    try:
        with path.open(encoding=encoding, newline="") as file:
            delimiter = options.delimiter or _delimiter_of(file.readline())
            file.seek(0)
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            try:
                yield from _under_header(path, ((f"line {rows.line_num}", row) for row in rows), options)
            except csv.Error as error:
                raise FileProblem(f"{path}, line {rows.line_num}: {error}; is a quote left open?") from None
    except UnicodeError:
        raise FileProblem(f"{path}: {_where_undecodable(path, encoding)}") from None
    except LookupError:
        raise FileProblem(f"{path}: no encoding is called {encoding!r}") from None


def _encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")


def _delimiter_of(header: str) -> str:
    """The one that the first line has most of, outside of quotes."""
    bare = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=bare.count)


def _where_undecodable(path: Path, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with path.open("rb") as file:
        for chunk in file:
            try:
                decoder.decode(chunk)
            except UnicodeError:
                break
            line += 1
    return (
        f"line {line} is not in the encoding {encoding}; say by --encoding which it is, such as cp1252 or utf-16, or "
        "save the file as UTF-8"
    )


def _under_header(path: Path, rows: Iterator[tuple[str, Sequence[Any]]], options: ReadingOptions) -> Iterator[Located]:
    """Records of rows, whose first one has the names of the columns; a row without any value is passed over."""
    _, first = next(rows, ("", ()))
    names = [str(name).strip() if name is not None else "" for name in first]
    while names and not names[-1]:
        names.pop()
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or "" in names or twice:
        why = f"{twice[0]!r} stands in it twice" if twice and twice[0] else "each column needs a name"
        raise FileProblem(f"{path}: the first line must have the names of the columns: {why}")
    for name in sorted(options.decimal_comma.difference(names)):
        raise FileProblem(f"{path}: --decimal-comma: no column is called {name!r}; its columns are {', '.join(names)}")
    for where, row in rows:
        cells = list(row)
        while len(cells) > len(names) and cells[-1] in {None, ""} and not isinstance(cells[-1], bool):
            cells.pop()
        if all(cell is None or cell == "" for cell in cells):
            continue
        if len(cells) != len(names):
            raise FileProblem(
                f"{path}, {where}: {len(cells)} cells where the first line names {len(names)} columns; is the row "
                "whole, and is the delimiter right (--delimiter)?"
            )
        record = {name: None if cell == "" else cell for name, cell in zip(names, cells, strict=True)}
        for name in options.decimal_comma:
            record[name] = _with_point(path, where, name, record[name])
        yield Located(where, record)


def _with_point(path: Path, where: str, name: str, cell: Any) -> Any:
    """A text of a number with a decimal comma, with a point; 1.5 and 0.500 are refused: they have a point."""
    if not isinstance(cell, str):
        return cell  # a number of a sheet
    text = cell.strip()
    if not text:
        return None
    if not _DECIMAL_COMMA.fullmatch(text):
        raise FileProblem(f"{path}, {where}: {name} is no number with a decimal comma, such as 1.234,50")
    return _GROUP.sub("", text).replace(",", ".")


# JSON


def _json_records(path: Path, _options: ReadingOptions) -> Iterator[Located]:
    try:
        items = _json_array.decode(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FileProblem(f"{path}: {_no_json(path, error)}") from None
    for number, item in enumerate(items, 1):
        yield Located(f"record {number}", _object(path, f"record {number}", bytes(item)))


def _no_json(path: Path, error: Exception) -> str:
    """Where the JSON breaks off: the standard library counts lines."""
    try:
        json.loads(path.read_bytes())
    except json.JSONDecodeError as found:
        return f"line {found.lineno} is no JSON ({found.msg}); is the file whole?"
    except UnicodeDecodeError:
        return "it is not in UTF-8, as JSON must be"
    return f"it is no JSON array of records: {error}"


def _json_lines(path: Path, _options: ReadingOptions) -> Iterator[Located]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if text.strip():
                yield Located(f"line {number}", _object(path, f"line {number}", text))


def _object(path: Path, where: str, text: bytes) -> Mapping[str, Any]:
    try:
        found = _json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileProblem(f"{path}, {where}: it is no JSON ({error}); is it whole, and in UTF-8?") from None
    if not isinstance(found, dict):
        raise FileProblem(f"{path}, {where}: it is no JSON object with a value for each column")
    return found


# Sheets


def _xlsx(path: Path, options: ReadingOptions) -> Iterator[Located]:
    yield from _under_header(path, sheet_rows(path, options.sheet, FileProblem), options)
