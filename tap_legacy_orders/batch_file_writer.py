"""Files of BATCH messages: bare records as JSON lines, for a target that sees the same disk."""

from __future__ import annotations

import gzip
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlparse

from tap_legacy_orders.tap_errors import TapSyncError

if TYPE_CHECKING:
    from singer_sdk.helpers._batch import BatchConfig

_COMPRESSION = 1  # level 9 makes the files a tenth smaller and takes several times as long


@dataclass
class BatchFiles:
    """One run's files of one stream. They hold orders: nobody but this user may read them."""

    folder: Path
    name: str
    records: int
    """The most that a file holds."""
    zipped: bool
    written: int = field(default=0, init=False)

    @classmethod
    def of(cls, config: BatchConfig, stream: str) -> BatchFiles | None:
        """Take the setting `batch_config`; None for formats and storages that only the SDK writes to."""
        root = urlparse(config.storage.root)
        if root.scheme not in {"", "file"} or config.encoding.format != "jsonl":
            return None
        if config.encoding.compression not in {None, "none", "gzip"}:
            return None
        folder = Path(unquote(root.path)).absolute()
        name = f"{config.storage.prefix or ''}{stream}-{uuid.uuid4().hex}"
        return cls(folder, name, config.batch_size, zipped=config.encoding.compression == "gzip")

    def write(self, blocks: Iterator[bytes]) -> str:
        """Write the next file; returns its URL.

        Raises:
            TapSyncError: the disk does not take it.
        """
        self.written += 1
        path = self.folder / f"{self.name}-{self.written}.jsonl{'.gz' if self.zipped else ''}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(path, "xb", opener=_private) as file:
                self._fill(file, blocks)
        except OSError as error:
            raise TapSyncError(
                f"batch_config: {path} cannot be written: {error.strerror or error}; free space there, or set another "
                "`root`, and run again"
            ) from error
        return path.as_uri()

    def _fill(self, file: IO[bytes], blocks: Iterator[bytes]) -> None:
        if not self.zipped:
            file.writelines(blocks)
            return
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_COMPRESSION) as packed:
            packed.writelines(blocks)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
