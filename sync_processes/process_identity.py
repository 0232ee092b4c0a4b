"""Which process is meant by an id, whether it has ended, and how long it was awake."""

from __future__ import annotations

import os
import sys
import time
import uuid
from pathlib import Path


def awake_seconds() -> float:
    """A clock that never goes back and, where the system has such a one, goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def boot_id() -> str:
    """Name this start of this machine; a new name each time where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux, or /proc is not there
        return f"unknown-{uuid.uuid4().hex}"


def process_space() -> str:
    """Name the space in which a process id means something: this boot of this machine, this container."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # then only the heartbeat counts
        return f"unknown-{uuid.uuid4().hex}"
    return f"{boot_id()} {space}"


def process_has_ended(pid: int, space: str) -> bool:
    """Whether a process has certainly ended; False where that cannot be known."""
    if sys.platform == "win32" or space != process_space():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
