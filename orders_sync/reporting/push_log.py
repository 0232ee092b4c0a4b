"""Where a push in the background says what it does."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs

from sync_processes.private_folders import private_folder

_TRANSACTION = re.compile("push-[0-9a-f]+")


def is_transaction(name: str) -> bool:
    """Whether a name is one that a push may have."""
    return _TRANSACTION.fullmatch(name) is not None


def log_of(transaction: str) -> Path:
    """The log of a push; only this user may read it."""
    return private_folder(Path(platformdirs.user_data_dir("orders-sync")) / "pushes") / f"{transaction}.log"
