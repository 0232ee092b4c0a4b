"""The result of a bulk write job: a zip with a CSV, matched row by row through the echoed key. Pure.

A result is believed only where it is beyond doubt: rows are never matched by position, a key named twice is a success
only if both rows agree, and a key that is not there was not written.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from msgspec import structs

from target_zoho_crm.api.codes import Family, OwnCode, ZohoCode
from target_zoho_crm.api.errors import AnswerError
from target_zoho_crm.api.metadata import PARENT_ID
from target_zoho_crm.api.plain_text import code_of, digits_of, message_of, name_of
from target_zoho_crm.confirmation.outcomes import ID_DIGITS, Outcome, RecordError, Status, refused
from target_zoho_crm.mapping.references import missing_parent, parent_name

logger = logging.getLogger("target-zoho-crm")

CSV_BYTES_MOST = 256 * 1024 * 1024  # 25,000 rows of three long texts stay far below it; a zip bomb does not
RATIO_MOST = 200
"""Results shrink 5 to 30 times, a bomb a thousand times; small files may be as they like."""

SMALL_BYTES = 1024 * 1024
ROWS_MOST = 2
"""Rows for each order that was sent; a result that names far more would only fill the memory."""

KEY_SEPARATOR = "|"
_FURTHER_ROWS = 1_000
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those whose readers take no memory by the file's leave
_ENTRIES_MOST = 16
_CHUNK_ROWS = 2_500
_BLOCK_CHARACTERS = 64 * 1024  # a cell may have twice as many, and a line that has more is left to the csv module
_ACTIONS = {"added": "insert", "updated": "update"}
# All that reading a damaged zip or CSV raises; ValueError and OSError come from offsets that point nowhere.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, csv.Error, EOFError, ValueError, OSError)
_UNSUPPORTED = (RuntimeError, OverflowError)  # encrypted, or a format that we do not have


def job_outcomes(
    result: BinaryIO | Path,
    manifest: Mapping[str, str],
    parents: Mapping[str, tuple[str, str]] | None = None,
    *,
    key_columns: int = 1,
    with_rows: bool = False,
) -> list[Outcome]:
    """The outcome of each key of `manifest` (key to version), in its order.

    A key is found by its exact text, else, if that can only mean one, by its text without case and outer spaces.
    `parents` are the columns that the job finds parents by: a refusal over one of them names the missing parent. A key
    is the cell of the first column, or those of the first `key_columns` joined by `KEY_SEPARATOR`. `with_rows`: there
    may be another CSV, of rows that came in the zip of their records.

    Raises:
        AnswerError: the file is no result that can be read whole; nothing of it is believed.
    """
    with opened_csvs(result, 2 if with_rows else 1) as csvs:
        texts = [(header, text) for header, text in csvs if not (with_rows and is_of_rows(header))]
        if len(texts) != 1:
            raise _unreadable("it has no CSV of the records")
        found, strangers = _read(*texts[0], manifest, parents or {}, key_columns)
    if strangers:
        strangers = _by_folded_key(strangers, found, manifest)
    if strangers:
        logger.warning("The job's result has %s row(s) with keys that were not sent; they are ignored", len(strangers))
    if len(found) == len(manifest):
        return list(map(found.__getitem__, manifest))
    return [
        found[key] if key in found else refused(key, version, [_NOT_IN_RESULT]) for key, version in manifest.items()
    ]


def is_of_rows(header: Sequence[str]) -> bool:
    """Whether a CSV is of rows that name their records; the first column is the key, whatever it is called."""
    return PARENT_ID in header[1:]


@contextlib.contextmanager
def opened_csvs(result: BinaryIO | Path, most: int) -> Iterator[list[tuple[list[str], TextIO]]]:
    """The CSVs of a result, at most so many: the header of each, and the text behind it.

    Raises:
        AnswerError: it cannot be read; also from within.
    """
    try:
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(result.open("rb")) if isinstance(result, Path) else result
            archive = opened.enter_context(zipfile.ZipFile(file))
            found: list[tuple[list[str], TextIO]] = []
            for each in _csvs(archive, most):
                raw = opened.enter_context(archive.open(each))
                text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
                found.append((next(csv.reader(iter(text.readline, "")), []), text))
            yield found
    except (*_BROKEN, *_UNSUPPORTED) as error:
        raise _unreadable(f"it is damaged ({type(error).__name__})") from error


_Row = tuple[str, str, str, str]  # key, STATUS, RECORD_ID, ERRORS
_NOT_IN_RESULT = RecordError(OwnCode.NOT_IN_RESULT, None, "the job's result does not name the order")
_UNCLEAR = RecordError(OwnCode.UNCLEAR_ANSWER, None, "neither a clear success nor an error")
_CONFLICT = RecordError(OwnCode.CONFLICTING_RESULT, None, "the job's result names the order twice, differently")


def _csvs(archive: zipfile.ZipFile, most: int) -> list[zipfile.ZipInfo]:
    """The CSVs, whatever their names and folders say: nothing is extracted to the disk."""
    entries = [each for each in archive.infolist() if not each.filename.endswith("/")]
    files = [each for each in entries if each.filename.lower().endswith(".csv")] or entries
    if not 1 <= len(files) <= most or len(entries) > _ENTRIES_MOST:
        expected = "one CSV was" if most == 1 else f"{most} CSVs were"
        raise _unreadable(f"it holds {len(files)} files where {expected} expected")
    for found in files:
        if found.compress_type not in _COMPRESSIONS:
            raise _unreadable("it is compressed by another method than deflate")
        if found.file_size > CSV_BYTES_MOST:
            raise _unreadable(f"its CSV would be larger than {CSV_BYTES_MOST:,} bytes")
        if found.file_size > SMALL_BYTES and found.file_size > RATIO_MOST * found.compress_size:
            raise _unreadable(f"its CSV would be more than {RATIO_MOST} times as large as the file")
    return files


def _read(
    header: list[str],
    text: TextIO,
    manifest: Mapping[str, str],
    parents: Mapping[str, tuple[str, str]],
    key_columns: int,
) -> tuple[dict[str, Outcome], list[_Row]]:
    lines = iter(text.readline, "")
    columns = columns_of(header, key_columns)
    missing = _MissingParents(header[: columns.status], parents)
    found: dict[str, Outcome] = {}
    strangers: list[_Row] = []
    most = ROWS_MOST * len(manifest) + _FURTHER_ROWS
    while block := text.read(_BLOCK_CHARACTERS):
        block += text.readline()
        by_column = _columns_without_quotes(block, columns.width)
        if by_column is not None and _take_written(by_column, columns, manifest, found):
            most -= len(by_column[0])
            continue
        for chunk in _chunks(block, lines):
            most -= len(chunk)
            if most < 0:
                break
            by_column = _by_column(chunk, columns.width)
            if by_column is None or not _take_written(by_column, columns, manifest, found):
                strangers += _take_each(chunk, columns, manifest, found, missing)
        if most < 0:
            raise _unreadable(f"it has far more rows than the {len(manifest):,} that were sent")
    return found, strangers


def _chunks(block: str, lines: Iterator[str]) -> Iterator[list[list[str]]]:
    """The rows of a block of whole lines; one that goes on behind it, in a quoted cell, takes further `lines`."""
    within = io.StringIO(block, newline="")
    end = len(block)
    rows = csv.reader(chain(within, lines))
    while within.tell() < end:
        chunk = []
        for row in rows:
            chunk.append(row)
            if len(chunk) >= _CHUNK_ROWS or within.tell() >= end:
                break
        yield chunk


def _by_column(chunk: list[list[str]], width: int) -> Sequence[Sequence[str]] | None:
    """The columns of rows that all are of this width; None where one is not."""
    try:
        by_column = list(zip(*chunk, strict=True))
    except ValueError:
        return None
    return by_column if len(by_column) == width else None


def _columns_without_quotes(block: str, width: int) -> Sequence[Sequence[str]] | None:
    """The columns of whole lines without quotes, in which commas and line ends are what they seem to be.

    None where it cannot be read so, or where a row is not of this width: then the csv module reads them.
    """
    ends = block.count("\r\n")
    if '"' in block or block.count("\r") != ends or (ends and block.count("\n") != ends):
        return None
    lines = block.split("\r\n" if ends else "\n")
    if not lines[-1]:
        lines.pop()
    if set(map(str.count, lines, repeat(","))) != {width - 1}:
        return None
    cells = ",".join(lines).split(",")
    return [cells[at::width] for at in range(width)]


def _take_written(
    by_column: Sequence[Sequence[str]], columns: Columns, manifest: Mapping[str, str], found: dict[str, Outcome]
) -> bool:
    """Take rows that are all written, each for a key of its own; False where one is anything else."""
    keys = (
        by_column[0] if columns.key == 1 else list(map(KEY_SEPARATOR.join, zip(*by_column[: columns.key], strict=True)))
    )
    words, ids = by_column[columns.status], by_column[columns.zoho_id]
    actions = {word: _ACTIONS.get(word.strip().lower()) for word in set(words)}
    try:
        versions = list(map(manifest.__getitem__, keys))
    except KeyError:
        return False
    joined = "".join(ids)
    digits = joined.isascii() and joined.isdigit() and "" not in ids and max(map(len, ids)) <= ID_DIGITS
    clear = None not in actions.values() and digits
    if not clear or len(set(keys)) < len(keys) or not found.keys().isdisjoint(keys):
        return False
    outcomes = map(Outcome, keys, versions, repeat(Status.SYNCED), ids, map(actions.__getitem__, words))
    found.update(zip(keys, outcomes, strict=True))
    return True


def _take_each(
    chunk: list[list[str]],
    columns: Columns,
    manifest: Mapping[str, str],
    found: dict[str, Outcome],
    missing: _MissingParents,
) -> list[_Row]:
    """Take row by row; returns the rows whose key is not of the manifest."""
    strangers: list[_Row] = []
    for row in chunk:
        if len(row) <= columns.last:
            if not row:
                continue
            raise _unreadable("a row is cut short")
        key = KEY_SEPARATOR.join(row[: columns.key])
        status, zoho_id, errors = row[columns.status], row[columns.zoho_id], row[columns.errors]
        if any(row[columns.width :]) and status.strip().lower() in _ACTIONS:
            status = ""  # the row is shifted by a comma that is not quoted: this may be no status at all
        version = manifest.get(key)
        if version is None:
            strangers.append((key, status, zoho_id, errors))
            continue
        outcome = missing.named(row_outcome(key, version, status, zoho_id, errors), row)
        found[key] = _worst(found[key], outcome) if key in found else outcome
    return strangers


class _MissingParents(NamedTuple):
    """The columns that the result repeats, and which columns of the job hold values of parents."""

    repeated: list[str]
    parents: Mapping[str, tuple[str, str]]

    def named(self, outcome: Outcome, row: list[str]) -> Outcome:
        """The outcome with the names of missing parents, as far as the result repeats them; with our code for them."""
        if outcome.code != ZohoCode.INVALID_DATA or not self.parents:
            return outcome
        cells = dict(zip(self.repeated, row, strict=False))
        at_fault = {name: self.parents[name] for name in (outcome.field or "").split(",") if name in self.parents}
        names = [
            parent_name(module, find_by, cells[name]) if name in cells else f"the one of {module} (by {find_by})"
            for name, (module, find_by) in at_fault.items()
        ]
        alone = len(at_fault) == len((outcome.field or "").split(","))
        code = OwnCode.MISSING_PARENT if alone else outcome.code
        return structs.replace(outcome, code=code, message=message_of("; ".join(map(missing_parent, names))) or None)


class Columns(NamedTuple):
    """Where in a row what stands; the key takes the first `key` cells."""

    status: int
    zoho_id: int
    errors: int
    width: int
    key: int

    @property
    def last(self) -> int:
        """The last cell that a row must have."""
        return max(self.status, self.zoho_id, self.errors)


def columns_of(header: list[str], key_columns: int) -> Columns:
    """Where STATUS, RECORD_ID and ERRORS stand: the last of the name, since a field may be called so too."""
    names = {name.strip().upper(): index for index, name in enumerate(header) if index}
    try:
        return Columns(names["STATUS"], names["RECORD_ID"], names["ERRORS"], len(header), key_columns)
    except KeyError as missing:
        raise _unreadable(f"it has no column {missing}") from None


def row_outcome(key: str, version: str, status: str, zoho_id: str, errors: str) -> Outcome:
    """The outcome of one row, by what the result says of it."""
    word = status.strip().lower()
    action = _ACTIONS.get(word)
    if action is not None:
        digits = digits_of(zoho_id.strip(), ID_DIGITS)
        if digits is not None:
            return Outcome(key, version, Status.SYNCED, digits, action)
        return refused(key, version, [_UNCLEAR])
    if word == "skipped":
        return refused(key, version, _errors(errors))
    if word == "unprocessed":
        return refused(key, version, [RecordError(ZohoCode.UNPROCESSED, None, message_of(errors) or None)])
    return refused(key, version, [_UNCLEAR])


def _errors(text: str) -> list[RecordError]:
    """`CODE-Field,Field:CODE-Field`, where codes have no dash and the field may be missing."""
    found = []
    for part in text.split(":"):
        code, _, fields = part.strip().partition("-")
        if code:
            names = [name.strip() for name in fields.split(",") if name.strip()]
            found.append(RecordError(code_of(code.strip()), name_of(",".join(names)) or None, None))
    return found or [RecordError(ZohoCode.SKIPPED, None, "skipped without a reason")]


def _worst(one: Outcome, other: Outcome) -> Outcome:
    """Two rows for one key: the same success twice is one success; else the refusal that lasts longest."""
    both = (one, other)
    if all(each.status is Status.SYNCED for each in both):
        return one if one.zoho_id == other.zoho_id else refused(one.key, one.version, [_CONFLICT])
    family = Family.deciding(each.family for each in both if each.family is not None)
    return next(each for each in both if each.family is family)


def _by_folded_key(rows: list[_Row], found: dict[str, Outcome], manifest: Mapping[str, str]) -> list[_Row]:
    """Give rows whose key came back trimmed or in another case to the one key they can mean; return the others."""
    meant: dict[str, list[str]] = {}
    for key in manifest:
        meant.setdefault(_folded(key), []).append(key)
    exact = set(found)
    left = []
    for row in rows:
        keys = meant.get(_folded(row[0]), [])
        if len(keys) != 1 or keys[0] in exact:
            left.append(row)
            continue
        key = keys[0]
        outcome = row_outcome(key, manifest[key], *row[1:])
        found[key] = _worst(found[key], outcome) if key in found else outcome
    return left


def _folded(key: str) -> str:
    return key.strip().casefold()


def _unreadable(why: str) -> AnswerError:
    return AnswerError(OwnCode.BAD_ANSWER, f"The job's result cannot be read: {why}.")
