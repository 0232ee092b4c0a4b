"""Access tokens: taken from what threads, processes and hosts share, renewed once when Zoho refuses one.

The processes of a host share a file, those of all hosts their ledger.

Zoho gives at most 10 access tokens in 10 minutes for a refresh token, and each lives an hour; so a run that finds a
living one in the cache asks for none. Once Zoho denies one, the cache says so for 10 minutes, and nobody asks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import requests
import tenacity

from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import (
    SHARED_TOKEN_CHECK_SECONDS,
    TOKEN_CHECK_SECONDS,
    TOKEN_RENEWAL,
    TOKENS_DENIED_SECONDS,
)
from target_zoho_crm.api.access_token import AccessToken, Credentials, TokenDenial
from target_zoho_crm.api.codes import CODES, ZohoCode
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.api.token_endpoint import TIMEOUT, ask_for_token
from target_zoho_crm.api.token_file import TokenFile, default_cache_dir
from target_zoho_crm.api.token_sharing import TokenSharing

logger = logging.getLogger("target-zoho-crm")

EARLY_SECONDS = 120.0  # a token that ends sooner is renewed, so that it does not end under way
LIFETIME_CAP_SECONDS = 3600.0  # Zoho's tokens live an hour; what claims more is not believed


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
        ledger: gives the ledger by which workers on other hosts share the token, once it is open.
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
        ledger: Callable[[], Ledger | None] = lambda: None,
    ) -> None:
        self._credentials = credentials
        self._accounts_url = accounts_url.rstrip("/")
        self._session = session
        self._timeout = timeout
        self._stop = stop or threading.Event()
        self._clock = clock
        self._first_pause = first_pause
        self._patient = patient
        self._ledger = ledger
        self._cache = TokenFile(cache_dir or default_cache_dir(), self._accounts_url, credentials)
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

    def is_cached(self) -> bool:
        """Whether a living token is in the cache: then Zoho is not asked whether client and refresh token are right."""
        return self._good(self._cache.read(AccessToken), None)

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
                # By the ledger's clock the same moment may be a little apart.
                if told is None or abs(told - denied.until) > TOKEN_CHECK_SECONDS:
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
                    token = self._of_all_workers(stale)
                    self._cache.write(token)
            self._token = token
            return token  # type: ignore[return-value] # as above

    def _of_all_workers(self, stale: str | None) -> AccessToken:
        """The token of the ledger, renewed by one worker at a time; without a ledger a fresh one."""
        ledger = self._ledger()
        if ledger is None:
            return self._refreshed()
        sharing = TokenSharing(ledger, self._credentials, self._accounts_url, self._clock)
        while True:
            with sharing.renewing() as mine:
                token, denied_seconds = sharing.read()
                if token is not None and self._good(token, stale):
                    return token
                if denied_seconds:
                    self._denial = TokenDenial(self._clock() + denied_seconds)
                    raise TokensDenied(self._accounts_url, self._denial.denied_until)
                if mine:
                    return self._refreshed_for_all(sharing)
            wait_or_stop(self._stop, SHARED_TOKEN_CHECK_SECONDS)

    def _refreshed_for_all(self, sharing: TokenSharing) -> AccessToken:
        try:
            token = self._refreshed()
        except TokensDenied as denied:
            sharing.deny(denied.until)
            raise
        sharing.keep(token)
        return token

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
