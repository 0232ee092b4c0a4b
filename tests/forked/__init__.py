"""The plugins as processes that are forked from one that has imported them already.

Half a test's time would go into imports: a tap and a target take two seconds of CPU before their first line runs. A
forked process is as real as any other (a pid, signals, `kill -9`, pipes); only its imports are shared.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
READY_SECONDS = 300


def command(program: str | Path, arguments: Sequence[str | Path]) -> list[str]:
    """The command that runs `program` (a console script of the project, or a .py file) with these arguments."""
    return [sys.executable, "-S", "-E", str(HERE / "launch.py"), _origin(), str(program), *map(str, arguments)]


@cache
def _origin() -> str:
    """Start the process that all others are forked from; returns the path of its socket."""
    folder = tempfile.TemporaryDirectory(prefix="forked-")
    path = str(Path(folder.name) / "socket")
    # A dead parent closes this pipe, which ends the origin and its children, however the parent died.
    alive, ours = os.pipe()
    origin = subprocess.Popen(
        [sys.executable, str(HERE / "origin.py"), path],
        stdin=alive,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    os.close(alive)
    assert origin.stdout is not None
    assert origin.stdout.readline() == b"ready\n"
    origin.stdout.close()

    def end() -> None:
        os.close(ours)
        origin.wait(READY_SECONDS)
        folder.cleanup()

    atexit.register(end)
    return path
