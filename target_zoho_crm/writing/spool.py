"""The spool: a temporary folder for the files of jobs and their results. They hold orders: none outlives its run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync_processes.process_identity import process_has_ended, process_space

PREFIX = "target-zoho-crm-"
"""Of the folders' names; the process id follows."""


class SpoolError(Exception):
    """The disk does not take a job's file; the text says where and what to do."""


def new_spool() -> tempfile.TemporaryDirectory[str]:
    """Make this run's folder, and remove those of runs that were killed.

    Raises:
        SpoolError: no folder can be made.
    """
    remove_spools_of_the_dead()
    with spooling():
        return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


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
    """Remove what killed runs of this user left of their files."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and process_has_ended(int(pid), process_space()) and os.access(folder, os.W_OK):
            shutil.rmtree(folder, ignore_errors=True)
