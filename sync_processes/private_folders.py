"""Folders that only their owner may enter: for access tokens, and for a ledger of one's own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

OTHERS = 0o077


def private_folder(path: Path) -> Path:
    """Make the folder with mode 0700, or take that mode from one of ours that others may enter.

    Raises:
        PermissionError: the folder is another user's, who could put files of theirs in the place of ours.
        OSError: it cannot be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user")
    if found.st_mode & OTHERS:
        path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
    return path
