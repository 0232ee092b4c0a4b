"""A client whose answers are made up, without a network: everything above the socket is the product's own code."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import requests
from urllib3.util import parse_url

from target_zoho_crm.api.access_token import AccessToken, Credentials
from target_zoho_crm.api.auth import TokenSource
from target_zoho_crm.api.calls import Answer, Call, ConnectionSettings
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.data_centers import DATA_CENTERS, endpoints
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.transport import Transport

BASE = "http://127.0.0.1:8600"
ZOHO = re.compile(
    r"([a-z0-9-]+\.)+("
    + "|".join({re.escape(".".join(d.api.split(".")[1:])) for d in DATA_CENTERS.values()})
    + "|"
    + "|".join({re.escape(".".join(d.accounts.split(".")[1:])) for d in DATA_CENTERS.values()})
    + ")",
    re.IGNORECASE,
)


def answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.raw = io.BytesIO(body)
    made.headers.update(headers or {})
    return made


class MadeUpTransport(Transport):
    """Gives the answers in their turn, the last one again and again; asserts that only Zoho is ever asked."""

    def __init__(self, answers: list[requests.Response], token: AccessToken | None = None) -> None:
        settings = ConnectionSettings(
            endpoints("us", overrides=dict.fromkeys(("accounts_url", "api_url", "upload_url"), BASE)),
            Credentials("id", "secret", "refresh"),
            cache_dir=Path("/nonexistent"),
            max_attempts=1,
            first_pause_seconds=0,
            longest_pause_seconds=0,
        )
        super().__init__(settings, CreditMeter(), threading.Event())
        self._tokens = MadeUpTokens(token)  # type: ignore[assignment]
        self._answers = answers

    def _exchange(
        self, call: Call, token: AccessToken, read: Callable[[requests.Response], Answer], since: int
    ) -> Answer:
        assert token.value.isascii(), "no header can carry the token"
        assert_zoho_is_asked(call.url)
        kept = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        response = answer(kept.status_code, kept.raw.getvalue(), dict(kept.headers))
        self._note_credits(call, response, since)
        return read(response)


class MadeUpTokens:
    def __init__(self, token: AccessToken | None) -> None:
        self._token = token or AccessToken("token", BASE, 0.0)

    def token(self) -> AccessToken:
        return self._token

    def renew(self, _stale: str) -> AccessToken:
        return self._token


def assert_zoho_is_asked(url: str) -> None:
    """Where requests and urllib3 would really go with this URL."""
    asked = parse_url(requests.Request("GET", url).prepare().url or "")
    if (asked.scheme, asked.host, asked.port) == ("http", "127.0.0.1", 8600):
        return
    assert asked.scheme == "https", f"the token would go to {url!r}"
    assert ZOHO.fullmatch(asked.host or ""), f"the token would go to {url!r}"
    assert asked.port in {None, 443}, f"the token would go to {url!r}"


def client_with(answers: list[requests.Response], token: AccessToken | None = None) -> ZohoClient:
    transport = MadeUpTransport(answers, token)
    settings = transport._settings  # noqa: SLF001 - the client takes the same
    client = ZohoClient(settings, credits=CreditMeter())
    client._transport = transport  # noqa: SLF001 - in place of the network
    return client


class OneAnswer:
    """Stands for `requests.Session`: every POST gets the one answer."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def post(self, _url: str, **_: Any) -> requests.Response:
        return self._response


def token_of(response: requests.Response) -> AccessToken:
    """The token that the product reads from an answer of the accounts server."""
    source = TokenSource(
        Credentials("id", "secret", "refresh"),
        BASE,
        Path("/nonexistent"),
        lambda: OneAnswer(response),  # type: ignore[arg-type,return-value]
    )
    return source._ask()  # noqa: SLF001 - one question, without pauses and attempts


def assert_one_line(text: str) -> None:
    """Fit for a log: no line of its making, no control characters, not without end."""
    assert text.isprintable(), f"not fit for a log: {text[:200]!r}"
    assert len(text) < 3000, f"too long for a log: {len(text)} characters"
