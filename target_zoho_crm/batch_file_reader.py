"""Files that BATCH messages name: read in blocks of lines, like the pipe, and removed where the setting says so."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import IO, Any
from urllib.parse import urlparse

from singer_sdk import typing as th
from singer_sdk.helpers._batch import BatchConfig
from singer_sdk.singerlib.exceptions import InvalidInputLine
from upath import UPath

from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.message_reader import BLOCK_BYTES
from target_zoho_crm.setting_schema import Setting

PROPERTY = Setting(
    "delete_batch_files",
    th.BooleanType,
    in_payload=False,
    default=False,
    description="Whether files of BATCH messages are removed once their records are settled; see docs/running.md.",
)

logger = logging.getLogger("target-zoho-crm")


class BatchFiles:
    """The files of one run."""

    def __init__(self, config: Mapping[str, Any], state_gate: StateGate) -> None:
        """`config` is the target's; its `batch_config` says where the files lie, if their URLs do not tell enough."""
        batch_config = config.get("batch_config")
        self._storage = None if batch_config is None else BatchConfig.from_dict(dict(batch_config)).storage
        self._delete: bool = config["delete_batch_files"]
        self._state_gate = state_gate
        self._read: set[str] = set()

    def lines(self, url: str, encoding: Mapping[str, Any]) -> Iterator[list[bytes]]:
        """The lines of a file, block by block: a record each.

        Raises:
            InvalidInputLine: it cannot be read, or not to its end.
        """
        kind, compression = encoding["format"], encoding.get("compression") or "none"
        if kind != "jsonl" or compression not in {"none", "gzip"}:
            raise InvalidInputLine(
                f"a BATCH message's files are {kind} with compression {compression}, and this target reads jsonl with "
                "none or gzip; set the tap's `batch_config` so"
            )
        try:
            with self._open(url) as file:
                packed = gzip.GzipFile(fileobj=file) if compression == "gzip" else file
                while lines := packed.readlines(BLOCK_BYTES):
                    yield [line for line in lines if line != b"\n"] if b"\n" in lines else lines
        except (OSError, EOFError, zlib.error, ValueError, ImportError) as error:
            raise InvalidInputLine(f"{_name(url)}, which a BATCH message names, cannot be read: {error}") from error
        if self._delete:
            self._read.add(url)
            self._state_gate.when_settled(partial(self._remove, url))

    def close(self) -> None:
        """Remove what has been read and is not settled, where files are removed: the tap reads it anew."""
        for url in list(self._read):
            self._remove(url)

    def _open(self, url: str) -> IO[bytes]:
        return self._path(url).open("rb")

    def _path(self, url: str) -> UPath:
        path = UPath(url)
        if self._storage is not None:
            path = UPath(self._storage.root, **self._storage.params).joinpath(path.name)
        return path

    def _remove(self, url: str) -> None:
        self._read.discard(url)
        try:
            self._path(url).unlink()
        except OSError as error:
            logger.warning("%s is not removed: %s", _name(url), error.strerror or error)


def _name(url: str) -> str:
    return f"file {urlparse(url).path.rpartition('/')[2]!r}"
