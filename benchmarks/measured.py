"""Runs a command and writes what it used: `python -I -S measured.py usage.json command ...`.

It stands before each measured process, also between Meltano and a plugin. It imports little on purpose: Linux counts
the resident set of the process that starts another into the largest one of that other, so a big parent would be the
least that could ever be measured. Input and output are the command's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KIB_PER_MIB = 1024
"""Linux counts the resident set in KiB."""


@dataclass(frozen=True)
class Usage:
    """What one process used: seconds by the clock, seconds of CPU, and its largest resident set."""

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_memory_mib: float


def measured(command: Sequence[str], usage: Path) -> list[str]:
    """The command that runs `command` and writes its usage."""
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(usage), *command]


def run_measured(command: Sequence[str], **streams: Any) -> Usage:
    """Run a command to its end; `stdin`, `stdout` and `stderr` as `subprocess` takes them."""
    with tempfile.TemporaryDirectory(prefix="measured-") as folder:
        usage = Path(folder) / "usage.json"
        subprocess.run(measured(command, usage), check=False, **streams)
        return read_usage(usage)


def read_usage(path: Path) -> Usage:
    """What `measured` wrote."""
    return Usage(**json.loads(path.read_text(encoding="utf-8")))


def _run(command: list[str]) -> Usage:
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(pid, 0)
    return Usage(
        exit_code=os.waitstatus_to_exitcode(status),
        seconds=time.perf_counter() - began,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_memory_mib=used.ru_maxrss / KIB_PER_MIB,
    )


if __name__ == "__main__":
    usage = _run(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(asdict(usage)), encoding="utf-8")
    sys.exit(usage.exit_code)
