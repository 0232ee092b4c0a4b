"""The file in which the processes of one user on one host share an access token."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import filelock
import msgspec
import platformdirs

from sync_processes.private_folders import private_folder
from target_zoho_crm.api.access_token import AccessToken, Credentials, TokenDenial
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import TransientError

logger = logging.getLogger("target-zoho-crm")

_LOCK_SECONDS = 120.0
_BODY_BYTES = 64 * 1024

Kept = TypeVar("Kept", AccessToken, TokenDenial)


def default_cache_dir() -> Path:
    """Where tokens are cached unless set otherwise: the user's own cache directory."""
    return platformdirs.user_cache_path("target-zoho-crm")


class TokenFile:
    """One token, or until when none is given, in a file for its owner only, named by a hash of whose token it is."""

    def __init__(self, directory: Path, accounts_url: str, credentials: Credentials) -> None:
        identity = f"{accounts_url}\n{credentials.client_id}\n{credentials.refresh_token}"
        self._path = directory / f"token-{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"
        self._lock = filelock.FileLock(self._path.with_suffix(".lock"), timeout=_LOCK_SECONDS, mode=0o600)
        self._usable = True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that all processes share; none when the directory cannot be written."""
        held = self._usable and self._acquire()
        try:
            yield
        finally:
            if held:
                self._lock.release()

    def _acquire(self) -> bool:
        try:
            private_folder(self._path.parent)
            self._lock.acquire()
        except filelock.Timeout as error:
            raise TransientError(
                OwnCode.NO_CONNECTION, "Another process holds the token cache's lock; its call to Zoho hangs."
            ) from error
        except OSError as error:
            self._give_up(error)
            return False
        return True

    def read(self, kind: type[Kept]) -> Kept | None:
        """What is cached, if it is of this kind; None when it is not, or when the file is not surely ours alone."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        facts = os.fstat(handle)
        private = stat.S_ISREG(facts.st_mode) and not facts.st_mode & 0o077
        if not private or facts.st_uid != os.getuid():
            os.close(handle)  # of a folder, say, no file object can be made
            return None
        with os.fdopen(handle, "rb") as file:
            try:
                return msgspec.json.decode(file.read(_BODY_BYTES), type=kind)
            except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None

    def write(self, kept: AccessToken | TokenDenial) -> None:
        """Replace the file in one step; mkstemp gives it mode 0600, and a symlink in its place is replaced too."""
        if not self._usable:
            return
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".token-")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(kept))
        except OSError as error:
            self._give_up(error)
            return
        try:
            Path(name).replace(self._path)
        except OSError as error:  # a folder has its name
            Path(name).unlink(missing_ok=True)
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._usable = False
        logger.warning("The access token is not cached: %s (%s)", self._path.parent, type(error).__name__)
