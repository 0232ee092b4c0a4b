"""The result of a bulk write job: a zip with one CSV, told apart row by row through the echoed key. Pure.

A result is believed only where it is beyond doubt: rows are never matched by position, a key named twice is a success
only if both rows agree, and a key that is not there was not written.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice, repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import structs

from target_zoho_crm.errors import AnswerError, Family
from target_zoho_crm.outcomes import Outcome, RecordError, Status, refused
from target_zoho_crm.references import missing_parent, parent_name

logger = logging.getLogger(__name__)

CSV_BYTES_MOST = 256 * 1024 * 1024  # 25,000 rows of three long texts stay far below it; a zip bomb does not
_ENTRIES_MOST = 16
_CHUNK_ROWS = 2_500
_ACTIONS = {"added": "insert", "updated": "update"}
# All that reading a damaged zip or CSV raises; ValueError and OSError come from offsets that point nowhere.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, csv.Error, EOFError, ValueError, OSError)
_UNSUPPORTED = (RuntimeError, OverflowError)  # encrypted, or a compression that we do not have


def job_outcomes(
    result: BinaryIO | Path, manifest: Mapping[str, str], parents: Mapping[str, tuple[str, str]] | None = None
) -> list[Outcome]:
    """The outcome of each key of `manifest` (key to version), in its order.

    A key is found by its exact text, else, if that can only mean one, by its text without case and outer spaces.
    `parents` are the columns that the job finds parents by: a refusal over one of them names the missing parent.

    Raises:
        AnswerError: the file is no result that can be read whole; nothing of it is believed.
    """
    with contextlib.ExitStack() as opened:
        file = opened.enter_context(result.open("rb")) if isinstance(result, Path) else result
        found, strangers = _read_zip(file, manifest, parents or {})
    if strangers:
        strangers = _by_folded_key(strangers, found, manifest)
    if strangers:
        logger.warning("The job's result has %s row(s) with keys that were not sent; they are ignored", len(strangers))
    if len(found) == len(manifest):
        return list(map(found.__getitem__, manifest))
    return [
        found[key] if key in found else refused(key, version, [_NOT_IN_RESULT]) for key, version in manifest.items()
    ]


def _read_zip(
    file: BinaryIO, manifest: Mapping[str, str], parents: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, Outcome], list[_Row]]:
    try:
        with zipfile.ZipFile(file) as archive, archive.open(_only_csv(archive)) as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            return _read(csv.reader(text), manifest, parents)
    except (*_BROKEN, *_UNSUPPORTED) as error:
        raise _unreadable(f"it is damaged ({type(error).__name__})") from error


_Row = tuple[str, str, str, str]  # key, STATUS, RECORD_ID, ERRORS
_NOT_IN_RESULT = RecordError("NOT_IN_RESULT", None, "the job's result does not name the order")
_UNCLEAR = RecordError("UNCLEAR_ANSWER", None, "neither a clear success nor an error")
_CONFLICT = RecordError("CONFLICTING_RESULT", None, "the job's result names the order twice, differently")


def _only_csv(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one CSV, whatever its name and folder say: nothing is extracted to the disk."""
    entries = [each for each in archive.infolist() if not each.is_dir()]
    files = [each for each in entries if each.filename.lower().endswith(".csv")] or entries
    if len(files) != 1 or len(entries) > _ENTRIES_MOST:
        raise _unreadable(f"it holds {len(files)} files where one CSV was expected")
    if files[0].file_size > CSV_BYTES_MOST:
        raise _unreadable(f"its CSV would be larger than {CSV_BYTES_MOST:,} bytes")
    return files[0]


def _read(
    rows: Iterator[list[str]], manifest: Mapping[str, str], parents: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, Outcome], list[_Row]]:
    header = next(rows, [])
    columns = _columns(header)
    missing = _MissingParents(header[: columns.status], parents)
    found: dict[str, Outcome] = {}
    strangers: list[_Row] = []
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        if not _take_written(chunk, columns, manifest, found):
            strangers += _take_each(chunk, columns, manifest, found, missing)
    return found, strangers


def _take_written(
    chunk: list[list[str]], columns: _Columns, manifest: Mapping[str, str], found: dict[str, Outcome]
) -> bool:
    """Take rows that are all written, each for a key of its own, by column; False where one is anything else."""
    try:
        by_column = list(zip(*chunk, strict=True))
        keys, words, ids = by_column[0], by_column[columns.status], by_column[columns.zoho_id]
    except (ValueError, IndexError):
        return False
    actions = {word: _ACTIONS.get(word.strip().lower()) for word in set(words)}
    try:
        versions = [manifest[key] for key in keys]
    except KeyError:
        return False
    clear = None not in actions.values() and "" not in ids and "".join(ids).isdigit()
    if not clear or len(set(keys)) < len(keys) or not found.keys().isdisjoint(keys):
        return False
    outcomes = map(Outcome, keys, versions, repeat(Status.SYNCED), ids, map(actions.__getitem__, words))
    found.update(zip(keys, outcomes, strict=True))
    return True


def _take_each(
    chunk: list[list[str]],
    columns: _Columns,
    manifest: Mapping[str, str],
    found: dict[str, Outcome],
    missing: _MissingParents,
) -> list[_Row]:
    """Take row by row; returns the rows whose key is not of the manifest."""
    strangers: list[_Row] = []
    for row in chunk:
        if len(row) <= max(columns):
            if not row:
                continue
            raise _unreadable("a row is cut short")
        key, status, zoho_id, errors = row[0], row[columns.status], row[columns.zoho_id], row[columns.errors]
        version = manifest.get(key)
        if version is None:
            strangers.append((key, status, zoho_id, errors))
            continue
        outcome = missing.named(_row_outcome(key, version, status, zoho_id, errors), row)
        found[key] = _worst(found[key], outcome) if key in found else outcome
    return strangers


class _MissingParents(NamedTuple):
    """The columns that the result repeats, and which columns of the job hold values of parents."""

    repeated: list[str]
    parents: Mapping[str, tuple[str, str]]

    def named(self, outcome: Outcome, row: list[str]) -> Outcome:
        """The outcome with the names of missing parents, as far as the result repeats them."""
        if outcome.code != "INVALID_DATA" or not self.parents:
            return outcome
        cells = dict(zip(self.repeated, row, strict=False))
        at_fault = {name: self.parents[name] for name in (outcome.field or "").split(",") if name in self.parents}
        said = [
            parent_name(module, find_by, cells[name]) if name in cells else f"the one of {module} (by {find_by})"
            for name, (module, find_by) in at_fault.items()
        ]
        return structs.replace(outcome, message="; ".join(map(missing_parent, said)) or None)


class _Columns(NamedTuple):
    """Where in a row what stands; the key is at 0."""

    status: int
    zoho_id: int
    errors: int


def _columns(header: list[str]) -> _Columns:
    """Where STATUS, RECORD_ID and ERRORS stand: the last of the name, since a field may be called so too."""
    names = {name.strip().upper(): index for index, name in enumerate(header) if index}
    try:
        return _Columns(names["STATUS"], names["RECORD_ID"], names["ERRORS"])
    except KeyError as missing:
        raise _unreadable(f"it has no column {missing}") from None


def _row_outcome(key: str, version: str, status: str, zoho_id: str, errors: str) -> Outcome:
    word = status.strip().lower()
    action = _ACTIONS.get(word)
    if action is not None:
        zoho_id = zoho_id.strip()
        if zoho_id.isdigit():
            return Outcome(key, version, Status.SYNCED, zoho_id, action)
        return refused(key, version, [_UNCLEAR])
    if word == "skipped":
        return refused(key, version, _errors(errors))
    if word == "unprocessed":
        return refused(key, version, [RecordError("UNPROCESSED", None, errors.strip() or None)])
    return refused(key, version, [_UNCLEAR])


def _errors(text: str) -> list[RecordError]:
    """`CODE-Field,Field:CODE-Field`, where codes have no dash and the field may be missing."""
    found = []
    for part in text.split(":"):
        code, _, fields = part.strip().partition("-")
        if code:
            names = [name.strip() for name in fields.split(",") if name.strip()]
            found.append(RecordError(code.strip(), ",".join(names) or None, None))
    return found or [RecordError("SKIPPED", None, "skipped without a reason")]


def _worst(one: Outcome, other: Outcome) -> Outcome:
    """Two rows for one key: the same success twice is one success; else the refusal that lasts longest."""
    both = (one, other)
    if all(each.status is Status.SYNCED for each in both):
        return one if one.zoho_id == other.zoho_id else refused(one.key, one.version, [_CONFLICT])
    for family in (Family.CONFIGURATION, Family.QUOTA, Family.DATA, Family.TRANSIENT):
        for each in both:
            if each.family is family:
                return each
    raise AssertionError("an outcome that is no success has a family")  # pragma: no cover - by construction


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
        outcome = _row_outcome(key, manifest[key], *row[1:])
        found[key] = _worst(found[key], outcome) if key in found else outcome
    return left


def _folded(key: str) -> str:
    return key.strip().casefold()


def _unreadable(why: str) -> AnswerError:
    return AnswerError("BAD_ANSWER", f"The job's result cannot be read: {why}.")
