"""Access tokens: taken from a cache that all threads and processes share, renewed once when Zoho refuses one.

Zoho gives at most 10 access tokens in 10 minutes for a refresh token, and each lives an hour; so a run that finds a
living one in the cache asks for none.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import msgspec
import platformdirs
import requests
import tenacity

from sync_processes.private_folders import private_folder
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import TransientError
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.api.token_endpoint import TIMEOUT, ask_for_token

logger = logging.getLogger(__name__)

EARLY_SECONDS = 120.0  # a token that ends sooner is renewed, so that it does not end under way
LIFETIME_CAP_SECONDS = 3600.0  # Zoho's tokens live an hour; what claims more is not believed
_LOCK_SECONDS = 120.0
_ATTEMPTS = 5
_LONGEST_PAUSE_SECONDS = 30.0
_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """The OAuth client and its refresh token. Its `repr` shows none of the secrets."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


class AccessToken(msgspec.Struct, frozen=True):
    """A token, the API base that came with it (may be empty), and when it ends (seconds since the epoch)."""

    value: str
    api_domain: str
    expires_at: float

    def __repr__(self) -> str:
        return f"AccessToken(api_domain={self.api_domain!r}, expires_at={self.expires_at})"


class TokenSource:
    """Gives the access token of one refresh token.

    Args:
        credentials: client and refresh token.
        accounts_url: base of the accounts server.
        cache_dir: directory of the cache file; by default the user's cache directory.
        session: the HTTP session to ask with.
        timeout: connect and read limit of one request, in seconds.
        stop: cuts every wait short.
        clock: seconds since the epoch.
        first_pause: seconds before the second attempt; doubled from then on.
    """

    def __init__(
        self,
        credentials: Credentials,
        accounts_url: str,
        cache_dir: Path | None = None,
        session: Callable[[], requests.Session] = requests.Session,
        *,
        timeout: tuple[float, float] = TIMEOUT,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.time,
        first_pause: float = 1.0,
    ) -> None:
        self._credentials = credentials
        self._accounts_url = accounts_url.rstrip("/")
        self._session = session
        self._timeout = timeout
        self._stop = stop or threading.Event()
        self._clock = clock
        self._first_pause = first_pause
        self._cache = _Cache(cache_dir or default_cache_dir(), self._accounts_url, credentials)
        self._token: AccessToken | None = None
        self._lock = threading.Lock()

    def token(self) -> AccessToken:
        """A token that is good for some minutes at least.

        Raises:
            ConfigurationError: Zoho does not take the credentials; the message says which and what to do.
            TransientError: the accounts server cannot be reached, or gives no more tokens for now.
        """
        return self._living(stale=None)

    def renew(self, stale: str) -> AccessToken:
        """Another token than `stale`, which Zoho refused: somebody's newer one, else a fresh one. Raises as `token`."""
        return self._living(stale=stale)

    def _living(self, stale: str | None) -> AccessToken:
        with self._lock:
            if self._good(self._token, stale):
                return self._token  # type: ignore[return-value] # _good is false for None
            with self._cache.locked():
                token = self._cache.read()
                if not self._good(token, stale):
                    token = self._refreshed()
                    self._cache.write(token)
            self._token = token
            return token  # type: ignore[return-value] # as above

    def _good(self, token: AccessToken | None, stale: str | None) -> bool:
        if token is None or token.value == stale:
            return False
        left = token.expires_at - self._clock()
        return EARLY_SECONDS < left <= LIFETIME_CAP_SECONDS

    def _refreshed(self) -> AccessToken:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=tenacity.wait_exponential(self._first_pause, _LONGEST_PAUSE_SECONDS)
            + tenacity.wait_random(0, self._first_pause),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            sleep=lambda seconds: wait_or_stop(self._stop, seconds),
            reraise=True,
        )
        return retrying(self._ask)

    def _ask(self) -> AccessToken:
        credentials = self._credentials
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credentials.refresh_token,
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }
        body = ask_for_token(self._accounts_url, form, self._session, self._timeout)
        lifetime = body.get("expires_in")
        seconds = lifetime if isinstance(lifetime, (int, float)) and lifetime > 0 else LIFETIME_CAP_SECONDS
        domain = body.get("api_domain")
        return AccessToken(
            value=body["access_token"],
            api_domain=domain.rstrip("/") if isinstance(domain, str) else "",
            expires_at=self._clock() + min(seconds, LIFETIME_CAP_SECONDS),
        )


def default_cache_dir() -> Path:
    """Where tokens are cached unless told otherwise: the user's own cache directory."""
    return platformdirs.user_cache_path("target-zoho-crm")


class _Cache:
    """One token in a file of its own, readable by its owner only, named by a hash of whose token it is."""

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

    def read(self) -> AccessToken | None:
        """The cached token; None when there is none, or when the file is not surely ours alone."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            private = stat.S_ISREG(facts.st_mode) and not facts.st_mode & 0o077
            if not private or facts.st_uid != os.getuid():
                return None
            try:
                return msgspec.json.decode(file.read(_BODY_BYTES), type=AccessToken)
            except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None

    def write(self, token: AccessToken) -> None:
        """Replace the file in one step; mkstemp gives it mode 0600, and a symlink in its place is replaced too."""
        if not self._usable:
            return
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".token-")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(token))
            Path(name).replace(self._path)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._usable = False
        logger.warning("The access token is not cached: %s (%s)", self._path.parent, type(error).__name__)
