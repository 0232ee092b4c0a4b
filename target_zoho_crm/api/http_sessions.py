"""HTTP sessions with Zoho, and what it means when a connection fails: surely not sent, or nobody knows."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3.util.connection import is_connection_dropped

from sync_processes.process_identity import seconds_since_boot
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.data_centers import is_loopback
from target_zoho_crm.api.errors import ConfigurationError, LostAnswer, TransientError, ZohoError, configuration_error


class TokenHeader(requests.auth.AuthBase):
    """Sets Zoho's header; given as `auth`, so that an entry in ~/.netrc cannot replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests for each request."""
        request.headers["Authorization"] = f"Zoho-oauthtoken {self._token}"
        return request


class NotSent(TransientError):  # noqa: N818 - an event of the wire
    """No connection: surely without effect."""


CHECK_HOLDS_SECONDS = 3.0
"""So long at most lies between the begin of a check and the first byte; a process that slept in between checks anew."""

CHECKS_MOST = 5
"""Where even so many take too long, the ledger is slow, and nobody sleeps: what goes then is noted all the same."""


class Session(requests.Session):
    """A session without retries of its own, for one thread; for loopback also without the environment's proxy."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._check: Callable[[], None] | None = None
        self.trust_env = not is_loopback(url)
        adapter = CheckingAdapter(self._before_sending)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    @contextmanager
    def checking(self, check: Callable[[], None] | None) -> Iterator[None]:
        """Have what is sent meanwhile checked once its connection stands, right before its first byte goes."""
        self._check = check
        try:
            yield
        finally:
            self._check = None

    def _before_sending(self, connection: Any) -> None:
        """Connect, check, and see that neither took so long that the other holds no more."""
        for _ in range(CHECKS_MOST):
            if connection.sock is None:
                connection.connect()
            if self._check is None:
                return
            began = seconds_since_boot()
            self._check()
            if is_connection_dropped(connection):
                connection.close()
            elif seconds_since_boot() - began <= CHECK_HOLDS_SECONDS:
                return


class CheckingAdapter(HTTPAdapter):
    """Calls `before` with each connection that is about to send a request, also through a proxy."""

    def __init__(self, before: Callable[[Any], None]) -> None:
        self._before = before
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by requests for connections without a proxy."""
        super().init_poolmanager(*args, **kwargs)
        self._set_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Called by requests for those through a proxy."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if is_new:
            self._set_pools(manager)
        return manager

    def _set_pools(self, manager: Any) -> None:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _checking_pool(pools[scheme], self._before) for scheme in pools}


def _checking_pool(pool: Any, before: Callable[[Any], None]) -> Any:
    """The same kind of pool, whose connections call `before` first: urllib3 would connect as late as it sends."""
    connects: Any = pool.ConnectionCls

    def request(connection: Any, *args: Any, **kwargs: Any) -> None:
        before(connection)
        connects.request(connection, *args, **kwargs)

    checks = type(connects.__name__, (connects,), {"request": request})
    return type(pool.__name__, (pool,), {"ConnectionCls": checks})


def is_local_fault(error: Exception) -> bool:
    """A full disk or a missing file of ours is no fault of the network."""
    network = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
    return not isinstance(error, network)


def connection_error(where: str, url: str, error: Exception) -> ZohoError:
    """The error of the right family: no connection, a wrong set-up, or an answer that was lost."""
    causes = _causes(error)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        host = urlsplit(url).netloc
        return configuration_error(OwnCode.TLS_FAILED, f"{where}: {host} showed no acceptable certificate.")
    unsent = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    kind = type(error).__name__
    if any(isinstance(each, (*unsent, requests.exceptions.ConnectTimeout)) for each in causes):
        host = urlsplit(url).netloc
        return NotSent(OwnCode.NO_CONNECTION, f"{where}: {host} cannot be reached ({kind}).")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
        return ConfigurationError(OwnCode.INVALID_URL, f"{where}: the URL or a header is malformed ({kind}).")
    return LostAnswer(OwnCode.LOST_ANSWER, f"{where}: the connection broke before the answer came ({kind}).")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that it wraps: requests and urllib3 keep causes in `reason`, `args` and `__context__`."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [getattr(each, "reason", None), each.__cause__, each.__context__, *each.args]
    return found
