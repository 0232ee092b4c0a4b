"""The uploaded zip: one CSV inside, read as rows of text."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from zoho_crm_emulator.refusals import Refused

csv.field_size_limit(1 << 24)
ENCRYPTED = 0x1  # bit of a zip member's flags
MOST_UNPACKED = 1 << 30  # bytes; what a 25 MB zip may swell to before it is taken for a bomb


def check_zip(body: bytes) -> None:
    """Refuse what is no zip file."""
    if not zipfile.is_zipfile(io.BytesIO(body)):
        raise Refused("INVALID_FILE_FORMAT")


def member(body: bytes, names: list[str] | None) -> str:
    """The CSV of a zip: the one named, or the only one there is."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            there = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile:
        raise Refused("INVALID_FILE_FORMAT") from None
    if names:
        there = [info for info in there if info.filename in names]
    if len(there) != 1 or there[0].flag_bits & ENCRYPTED or there[0].file_size > MOST_UNPACKED:
        raise Refused("FILE_NOT_SUPPORTED")
    if not there[0].filename.lower().endswith(".csv"):
        raise Refused("FILE_NOT_SUPPORTED")
    return there[0].filename


@contextmanager
def rows_of(body: bytes, name: str, encoding: str | None) -> Iterator[Iterator[list[str]]]:
    """The rows of the CSV, the header first; blank lines do not count. Raises Refused for another encoding."""
    try:
        codec = codecs.lookup(encoding or "utf-8").name
    except LookupError:
        raise Refused("INVALID_DATA", {"api_name": "character_encoding"}) from None
    codec = "utf-8-sig" if codec == "utf-8" else codec
    with zipfile.ZipFile(io.BytesIO(body)) as archive, archive.open(name) as raw:
        with io.TextIOWrapper(raw, encoding=codec, newline="") as text:
            yield _rows(text)


def _rows(text: io.TextIOWrapper) -> Iterator[list[str]]:
    try:
        for row in csv.reader(text):
            if row:
                yield row
    except (UnicodeDecodeError, csv.Error, zipfile.BadZipFile):
        raise Refused("FILE_NOT_SUPPORTED") from None


def packed(name: str, text: str) -> bytes:
    """A zip with this one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, text.encode())
    return buffer.getvalue()
