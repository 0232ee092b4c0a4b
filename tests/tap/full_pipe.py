"""A tap whose reader does not read: the event to wait for is that the pipe between them is full."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TAP = str(Path(sys.executable).parent / "tap-legacy-orders")
HANG_SECONDS = 300
"""Longer than anything takes on a loaded machine: only what hangs is ended by it."""


@dataclass(frozen=True)
class BlockedTap:
    """A tap that waits in the middle of its output, and the end of the pipe from which its output can be read."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]


@contextmanager
def blocked_tap(config: str, environment: Mapping[str, str] | None = None) -> Iterator[BlockedTap]:
    """Run the tap until its output has filled the pipe, and leave it there; what it goes on to write is read after."""
    reads, writes = os.pipe()
    tap = subprocess.Popen([TAP, "--config", config], stdout=writes, stderr=subprocess.PIPE, env=environment)
    with open(reads, "rb") as output, tap:  # noqa: PTH123 - a descriptor
        try:
            ends = time.monotonic() + HANG_SECONDS
            while select.select([], [writes], [], 0)[1]:
                assert tap.poll() is None, "the tap ended before the pipe was full"
                assert time.monotonic() < ends, "the pipe does not fill"
                time.sleep(0.01)
        finally:
            os.close(writes)
        yield BlockedTap(tap, output)
        output.read()
