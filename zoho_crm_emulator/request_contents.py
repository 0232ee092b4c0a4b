"""What a request is about: the texts it holds and how many records, for faults that meet certain requests only."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from zoho_crm_emulator.emulator import Emulator

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_NUMBERS = re.compile(r"\b[0-9]+\b")
_CELLS = re.compile(r"[,|;]")


class RequestContents:
    """The texts of one request: of its JSON, its query, the values in its COQL, and the cells of its file.

    A job is about what its uploaded file holds.
    """

    def __init__(self, emulator: Emulator, endpoint: str, query: Mapping[str, str], body: bytes) -> None:
        self._emulator = emulator
        self._endpoint = endpoint
        self._query = query
        self._body = body

    @property
    def records(self) -> int:
        """How many records it writes or deletes."""
        if self._rows is not None:
            return max(0, len(self._rows) - 1)
        data = self._json.get("data") if isinstance(self._json, dict) else None
        if isinstance(data, list):
            return len(data)
        return len(self._query["ids"].split(",")) if "ids" in self._query else 0

    def names(self, keys: frozenset[str]) -> bool:
        """Whether it is about a record of one of these folded keys: by the key, or by the record's id."""
        wanted = keys | self._ids_of(keys)
        return any(text.strip().casefold() in wanted for text in self._texts())

    def _ids_of(self, keys: frozenset[str]) -> frozenset[str]:
        listed = msgspec.json.encode(sorted(keys)).decode()
        query = "SELECT record FROM unique_keys WHERE lower(key) IN (SELECT value FROM json_each(?))"
        return frozenset(str(row[0]) for row in self._emulator.store.read().execute(query, (listed,)))

    def _texts(self) -> Iterator[str]:
        for value in self._query.values():
            yield from _CELLS.split(value)
        for row in self._rows or ():
            yield from row
        yield from _texts_in(self._json)

    @cached_property
    def _json(self) -> Any:
        if self._endpoint == "upload":
            return None
        try:
            return msgspec.json.decode(self._body)
        except msgspec.DecodeError:
            return None

    @cached_property
    def _rows(self) -> list[list[str]] | None:
        """The rows of the file that is uploaded, or that a job is made of, with the header; None without one."""
        packed = self._body if self._endpoint == "upload" else self._file()
        if not packed:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                text = archive.read(archive.namelist()[0]).decode("utf-8-sig")
        except (zipfile.BadZipFile, IndexError, UnicodeDecodeError):
            return None
        return list(csv.reader(io.StringIO(text)))

    def _file(self) -> bytes:
        resources = self._json.get("resource") if isinstance(self._json, dict) else None
        named = resources[0].get("file_id") if isinstance(resources, list) and resources else None
        if not str(named or "").isdigit():
            return b""
        found = (
            self._emulator.store.read().execute("SELECT body FROM files WHERE id = ?", (int(str(named)),)).fetchone()
        )
        return bytes(found[0]) if found else b""


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "select_query" and isinstance(inner, str):
                yield from _QUOTED.findall(inner)
                yield from _NUMBERS.findall(inner)
            else:
                yield from _texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner)
    elif isinstance(value, str):
        yield value
