"""Runs a command and writes what it used: `python -m benchmarks.measured usage.json command ...`.

It stands between Meltano and a plugin, which is Meltano's child and not ours; input and output are the command's own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

KIB_PER_MB = 1_000_000 / 1024
"""Linux counts the resident set in KiB."""


@dataclass(frozen=True)
class Usage:
    """What one process used: seconds by the clock, seconds of CPU, and its largest resident set."""

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float


def run_measured(
    command: list[str], *, stdin: int | None = None, stdout: int | None = None, stderr: int | None = None
) -> Usage:
    """Run a command to its end; `stdin`, `stdout` and `stderr` are file descriptors, absent our own."""
    began = time.perf_counter()
    streams = enumerate((stdin, stdout, stderr))
    actions = [(os.POSIX_SPAWN_DUP2, given, own) for own, given in streams if given is not None]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    return Usage(
        exit_code=os.waitstatus_to_exitcode(status),
        seconds=time.perf_counter() - began,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_memory_mb=used.ru_maxrss / KIB_PER_MB,
    )


if __name__ == "__main__":
    usage = run_measured(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(asdict(usage)), encoding="utf-8")
    sys.exit(usage.exit_code)
