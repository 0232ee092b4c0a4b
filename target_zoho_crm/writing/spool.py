"""The spool: a temporary folder for the files of jobs and their results. They hold orders: none outlives its run.

Whether a folder's run lives is told by a lock on a file in it, which ends with its process: a process id says nothing
where containers share the folder and not their processes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from sync_processes.process_identity import boot_id

PREFIX = "target-zoho-crm-"
"""Of the folders' names."""

LIVE = "live.lock"
"""Locked as long as its run lives; says on which host, and since which of its starts."""

UNKNOWN_SECONDS = 7 * 86_400.0
"""After so long a folder goes of which nobody knows whose it is: it has no lock file, or is another host's."""


class SpoolError(Exception):
    """The disk does not take a job's file; the text says where and what to do."""


class _Home(msgspec.Struct):
    """Where the run of a folder lives."""

    host: str
    boot: str


class Spool:
    """One run's folder."""

    def __init__(self) -> None:
        """Make it, and lock it before it can be found with a lock file that is free.

        Raises:
            SpoolError: no folder can be made.
        """
        with spooling():
            self._folder = tempfile.TemporaryDirectory(prefix=PREFIX)
            hidden = Path(self._folder.name) / f"{LIVE}.new"
            lock = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._lock: int | None = lock
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(lock, msgspec.json.encode(_here()))
            hidden.rename(hidden.with_name(LIVE))

    @property
    def name(self) -> str:
        """The folder's path."""
        return self._folder.name

    def cleanup(self) -> None:
        """Remove it; once is enough, and twice does no harm."""
        self._folder.cleanup()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def new_spool() -> Spool:
    """Make this run's folder, and remove those of runs that were killed.

    Raises:
        SpoolError: no folder can be made.
    """
    remove_spools_of_the_dead()
    return Spool()


@contextmanager
def spooling() -> Iterator[None]:
    """Write into the spool.

    Raises:
        SpoolError: the disk is full, or does not take the file for another reason.
    """
    try:
        yield
    except OSError as error:
        folder = tempfile.tempdir or "the temporary folder"
        raise SpoolError(
            f"the files of bulk write jobs cannot be kept in {folder}: {error.strerror or error}; make room there, or "
            "set TMPDIR to a folder that has some; the next run sends what is left"
        ) from error


def remove_spools_of_the_dead() -> None:
    """Remove what killed runs of this user left of their files, and nothing of a run that may live."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if os.access(folder, os.W_OK) and _is_of_the_dead(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_of_the_dead(folder: Path) -> bool:
    try:
        changed = folder.stat().st_mtime
        handle = os.open(folder / LIVE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return folder.is_dir() and time.time() - changed > UNKNOWN_SECONDS
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        home = msgspec.json.decode(os.read(handle, 4096), type=_Home)
    except (OSError, msgspec.DecodeError):
        return False  # it lives, or nobody can tell
    finally:
        os.close(handle)
    # Another host's lock may not be seen here, where a file server holds the folder.
    here = _here()
    return here.boot == home.boot or here.host == home.host or time.time() - changed > UNKNOWN_SECONDS


def _here() -> _Home:
    return _Home(socket.gethostname(), boot_id())
