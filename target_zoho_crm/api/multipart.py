"""The body of an upload: a zip on the disk, read while it travels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO


class MultipartFile(io.RawIOBase):
    """A multipart body with one part `file`, read block by block; its length is known, so nothing is chunked."""

    def __init__(self, file: IO[bytes], head: bytes, tail: bytes) -> None:
        self._length = len(head) + file.seek(0, io.SEEK_END) + len(tail)
        file.seek(0)
        self._file = file
        self._parts: list[IO[bytes]] = [io.BytesIO(head), file, io.BytesIO(tail)]

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """The next bytes; empty at the end."""
        while self._parts:
            block = self._parts[0].read(size)
            if block:
                return block
            self._parts.pop(0)
        return b""

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def multipart(path: Path, boundary: str) -> MultipartFile:
    """The body of an upload of the zip at `path`."""
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{path.stem}.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    return MultipartFile(path.open("rb"), head.encode("ascii", "replace"), f"\r\n--{boundary}--\r\n".encode())
