"""Access tokens: taken from a cache that all threads and processes share, renewed once when Zoho refuses one.

Zoho gives at most 10 access tokens in 10 minutes for a refresh token, and each lives an hour; so a run that finds a
living one in the cache asks for none. Once Zoho denies one, the cache says so for 10 minutes, and nobody asks.
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
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

import filelock
import msgspec
import platformdirs
import requests
import tenacity

from sync_ledger.retry_schedules import TOKEN_CHECK_SECONDS, TOKEN_RENEWAL, TOKENS_DENIED_SECONDS
from sync_processes.private_folders import private_folder
from target_zoho_crm.api.codes import CODES, OwnCode, ZohoCode
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.api.token_endpoint import TIMEOUT, ask_for_token

logger = logging.getLogger("target-zoho-crm")

EARLY_SECONDS = 120.0  # a token that ends sooner is renewed, so that it does not end under way
LIFETIME_CAP_SECONDS = 3600.0  # Zoho's tokens live an hour; what claims more is not believed
_LOCK_SECONDS = 120.0
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


class TokenDenial(msgspec.Struct, frozen=True):
    """Until when (seconds since the epoch) no access token is asked for."""

    denied_until: float


class TokensDenied(QuotaError):  # noqa: N818 - as Stopped and Gone
    """Zoho gives no more access tokens until `until`, in seconds since the epoch."""

    def __init__(self, accounts_url: str, until: float) -> None:
        when = datetime.fromtimestamp(until, timezone.utc)
        super().__init__(
            ZohoCode.ACCESS_DENIED,
            f"{accounts_url.partition('://')[2]} gave no token: ACCESS_DENIED: {CODES[ZohoCode.ACCESS_DENIED].meaning} "
            f"Run again after {when:%Y-%m-%d %H:%M:%S} UTC; let processes share the token cache.",
        )
        self.until = until


_Kept = TypeVar("_Kept", AccessToken, TokenDenial)


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
        patient: wait where Zoho gives no more tokens for now, in place of `TokensDenied`.
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
        patient: bool = False,
    ) -> None:
        self._credentials = credentials
        self._accounts_url = accounts_url.rstrip("/")
        self._session = session
        self._timeout = timeout
        self._stop = stop or threading.Event()
        self._clock = clock
        self._first_pause = first_pause
        self._patient = patient
        self._cache = _Cache(cache_dir or default_cache_dir(), self._accounts_url, credentials)
        self._token: AccessToken | None = None
        self._denial: TokenDenial | None = None
        self._told: float | None = None
        self._lock = threading.Lock()

    def token(self) -> AccessToken:
        """A token that is good for some minutes at least.

        Raises:
            ConfigurationError: Zoho does not take the credentials; the message says which and what to do.
            TransientError: the accounts server cannot be reached.
            TokensDenied: it gives no more tokens for now, and is not asked before the time that the message says.
        """
        return self._patiently(stale=None)

    def renew(self, stale: str) -> AccessToken:
        """Another token than `stale`, which Zoho refused: somebody's newer one, else a fresh one. Raises as `token`."""
        return self._patiently(stale=stale)

    def _patiently(self, stale: str | None) -> AccessToken:
        while True:
            try:
                return self._living(stale)
            except TokensDenied as denied:
                if not self._patient:
                    raise
                with self._lock:
                    told, self._told = self._told, denied.until
                if told != denied.until:
                    logger.warning("%s This run waits until then.", denied)
                pause = min(TOKEN_CHECK_SECONDS, denied.until - self._clock())  # neither lock is held meanwhile
            wait_or_stop(self._stop, max(0.0, pause))

    def _living(self, stale: str | None) -> AccessToken:
        with self._lock:
            if self._good(self._token, stale):
                return self._token  # type: ignore[return-value] # _good is false for None
            with self._cache.locked():
                token = self._cache.read(AccessToken)
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

    def _refuse_while_denied(self) -> None:
        """Where the cache cannot be used, this process at least remembers."""
        kept = self._cache.read(TokenDenial) or self._denial
        if kept is not None and 0 < kept.denied_until - self._clock() <= TOKENS_DENIED_SECONDS:
            raise TokensDenied(self._accounts_url, kept.denied_until)

    def _refreshed(self) -> AccessToken:
        self._refuse_while_denied()
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=tenacity.wait_exponential(self._first_pause, TOKEN_RENEWAL.longest_pause)
            + tenacity.wait_random(0, self._first_pause),
            stop=tenacity.stop_after_attempt(TOKEN_RENEWAL.attempts),
            sleep=lambda seconds: wait_or_stop(self._stop, seconds),
            reraise=True,
        )
        try:
            return retrying(self._ask)
        except QuotaError as error:
            self._denial = TokenDenial(self._clock() + TOKENS_DENIED_SECONDS)
            self._cache.write(self._denial)
            raise TokensDenied(self._accounts_url, self._denial.denied_until) from error

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
    """Where tokens are cached unless set otherwise: the user's own cache directory."""
    return platformdirs.user_cache_path("target-zoho-crm")


class _Cache:
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

    def read(self, kind: type[_Kept]) -> _Kept | None:
        """What is cached, if it is of this kind; None when it is not, or when the file is not surely ours alone."""
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
            Path(name).replace(self._path)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._usable = False
        logger.warning("The access token is not cached: %s (%s)", self._path.parent, type(error).__name__)
