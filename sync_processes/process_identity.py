"""Which process is meant by an id, whether it has ended, and how long this machine has run."""

from __future__ import annotations

import os
import sys
import time
import uuid
from functools import cache
from pathlib import Path

_BEGAN = 19
"""Where `_stat` holds the start: field 22 of proc(5), which counts from the id on."""


def seconds_since_boot() -> float:
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
    """Name the space in which a process id means something: this boot of this machine, this container.

    The id that a machine keeps from boot to boot is no part of it: machines that were copied share it, and then a run
    that lives on one would be taken for one that the other's last boot had ended.
    """
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # then only the heartbeat counts
        return f"unknown-{uuid.uuid4().hex}"
    return f"{boot_id()} {space}"


def process_start(pid: int) -> str | None:
    """When a process of this space began, in the system's own words; None where that cannot be known."""
    fields = _stat(pid)
    return f"{_time_space()} {fields[_BEGAN]}" if len(fields) > _BEGAN else None


def process_has_ended(pid: int, space: str, start: str | None = None) -> bool:
    """Whether a process has certainly ended; False where that cannot be known.

    `start` is what `process_start` gave for it when it lived: with another one its id is that of another process.
    """
    if sys.platform == "win32" or space != process_space():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    if _stat(pid)[:1] == ["Z"]:  # nobody has asked yet how it ended, as in containers whose first process never does
        return True
    now = process_start(pid)
    return start is not None and now is not None and _are_of_one_clock(start, now) and start != now


def process_lives(pid: int, space: str, start: str | None = None) -> bool:
    """Whether a process certainly lives, stopped perhaps; False where that cannot be known."""
    if sys.platform == "win32" or space != process_space():
        return False
    return not process_has_ended(pid, space, start)


def _stat(pid: int) -> list[str]:
    """What Linux tells of a process, from its state on; empty where it tells nothing, or /proc is of another space."""
    try:
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            return []
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before it may hold blanks and parentheses


@cache
def _time_space() -> str:
    """Name the space in which a start means something: a container may have a clock of its own."""
    try:
        return str(Path("/proc/self/ns/time").readlink())
    except OSError:
        return "time"


def _are_of_one_clock(start: str, other: str) -> bool:
    return start.split(" ", maxsplit=1)[0] == other.split(" ", maxsplit=1)[0]
