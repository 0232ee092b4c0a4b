"""HTTP sessions with Zoho, and what it means when a connection fails: surely not sent, or nobody knows."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

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


def new_session(url: str) -> requests.Session:
    """A session without retries of its own; for loopback also without the environment's proxy."""
    session = requests.Session()
    session.trust_env = not is_loopback(url)
    adapter = HTTPAdapter(max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


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
