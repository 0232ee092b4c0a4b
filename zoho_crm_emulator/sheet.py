"""The uploaded zip: one CSV inside, read as rows of text."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import zipfile
from collections.abc import Iterator, Mapping
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


class Sheet:
    """The CSV of an uploaded zip. Blank lines do not count; unreadable text is refused."""

    def __init__(self, body: bytes, name: str, encoding: str | None) -> None:
        self._body = body
        self._name = name
        try:
            codec = codecs.lookup(encoding or "utf-8").name
        except LookupError:
            raise Refused("INVALID_DATA", {"api_name": "character_encoding"}) from None
        self._codec = "utf-8-sig" if codec == "utf-8" else codec

    @contextmanager
    def _open(self) -> Iterator[Iterator[list[str]]]:
        try:
            with zipfile.ZipFile(io.BytesIO(self._body)) as archive, archive.open(self._name) as raw:
                yield csv.reader(io.TextIOWrapper(raw, encoding=self._codec, newline=""))
        except (UnicodeDecodeError, csv.Error, zipfile.BadZipFile):
            raise Refused("FILE_NOT_SUPPORTED") from None

    def header(self) -> list[str]:
        """The first row; raises Refused when there is none."""
        with self._open() as rows:
            for row in rows:
                if row:
                    return row
        raise Refused("FILE_NOT_SUPPORTED", {}, "the file is empty")

    def has_more_than(self, most: int) -> bool:
        """Whether there are more rows than that below the header; line ends are counted before rows are."""
        with zipfile.ZipFile(io.BytesIO(self._body)) as archive, archive.open(self._name) as raw:
            blocks = iter(lambda: raw.read(1 << 20), b"")
            lines = sum(block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n") for block in blocks)
        if lines <= most + 1:
            return False
        with self._open() as rows:
            return sum(1 for row in rows if row) - 1 > most

    def chunks(self, size: int) -> Iterator[list[list[str]]]:
        """The rows below the header, so many at a time."""
        with self._open() as rows:
            for row in rows:
                if row:
                    break
            while lines := list(itertools.islice(rows, size)):
                yield [line for line in lines if line]


def packed(files: Mapping[str, str]) -> bytes:
    """A zip with these files, by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode())
    return buffer.getvalue()
