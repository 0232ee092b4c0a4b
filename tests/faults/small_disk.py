"""A disk that is full: a tmpfs of a few kilobytes where the user may mount one, else a limit on the size of files."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """A folder with little room. `limit` is for the process that is to meet the limit; None where the disk is small."""

    folder: Path
    way: str
    limit: Callable[[], None] | None

    def fill(self) -> None:
        """Take up all room that is left."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            for size in (1 << 12, 1):
                try:
                    while True:
                        ballast.write(b"." * size)
                except OSError:
                    continue

    def make_room(self) -> None:
        """Give back what `fill` took."""
        (self.folder / "ballast").unlink()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Make `folder` a disk with room for `size` bytes, or say that files of the limited process end there."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        try:
            yield SmallDisk(folder, "tmpfs", None)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    yield SmallDisk(folder, "RLIMIT_FSIZE", limit)
