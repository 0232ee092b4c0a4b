"""Single calls to an org, with answers as they came: nothing is repeated, translated or taken for an error.

`ZohoClient` does all of that, so it cannot show how an org answers. Here is only what every call needs: the token, the
hosts that may see it, and the count of credits.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import requests

from orders_sync.probing.pace import Pace
from orders_sync.probing.verdicts import NotAsked
from sync_ledger.retry_schedules import PROBE_CALLS
from target_zoho_crm.api.auth import TokenSource
from target_zoho_crm.api.calls import API_VERSION
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.data_centers import Endpoints
from target_zoho_crm.api.http_sessions import Session, TokenHeader

_JSON = msgspec.json.Decoder(float_hook=Decimal)
_SECONDS = (10.0, 300.0)
CREDITS_LEFT = "X-API-CREDITS-REMAINING"
NO_ANSWER = 0
"""The status of a call whose connection broke."""


@dataclass(frozen=True)
class Exchange:
    """One call and its answer; `sent` is what evidence shows of the request's body, `body` the answer's JSON."""

    method: str
    path: str
    sent: Any
    status: int
    headers: Mapping[str, str]
    body: Any
    content: bytes
    seconds: float

    @property
    def items(self) -> list[Any]:
        """The answers of the single records."""
        data = self.body.get("data") if isinstance(self.body, dict) else None
        return data if isinstance(data, list) else []

    @property
    def item(self) -> dict[str, Any]:
        """The answer of the only record; empty where there is not exactly one."""
        items = self.items
        return items[0] if len(items) == 1 and isinstance(items[0], dict) else {}

    @property
    def details(self) -> dict[str, Any]:
        """The details of the only record's answer."""
        details = self.item.get("details")
        return details if isinstance(details, dict) else {}

    @property
    def credits_left(self) -> int | None:
        """The credits left, where the answer says."""
        text = self.headers.get(CREDITS_LEFT, "")
        return int(text) if text.isdecimal() else None

    @property
    def taken(self) -> bool:
        """Whether the only record was written."""
        return self.item.get("code") == "SUCCESS" and self.item.get("status") == "success"

    @property
    def flat(self) -> dict[str, Any]:
        """The answer as one object, which it is where the request as a whole has failed, or is about one thing."""
        return self.body if isinstance(self.body, dict) and "data" not in self.body else {}


@dataclass
class Purse:
    """The credits that a probe may spend, and has spent."""

    most: int
    spent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, credits_: int) -> None:
        """Count a call before it goes.

        Raises:
            NotAsked: it would cost more than is allowed.
        """
        with self._lock:
            if self.spent + credits_ > self.most:
                raise NotAsked(
                    f"it needs {credits_} credits more, and {self.most - self.spent} are left of {self.most}"
                )
            self.spent += credits_


class Wire:
    """Sends calls, one at a time or from several threads, and keeps them for evidence."""

    def __init__(self, endpoints: Endpoints, tokens: TokenSource, purse: Purse, pace: Pace) -> None:
        self._endpoints = endpoints
        self._tokens = tokens
        self._sessions = threading.local()
        self.purse = purse
        self.pace = pace
        self.kept: list[Exchange] = []
        """The calls since it was last emptied; who asks a question empties it before."""
        self.costs: list[tuple[str, int]] = []
        """Calls, and by how much fewer credits were left after each than after the one before."""
        self._left: int | None = None

    @property
    def api_url(self) -> str:
        """Base of API calls."""
        if self._endpoints.api_fixed:
            return self._endpoints.api_url
        domain = self._tokens.token().api_domain
        return domain if domain and self._endpoints.may_see_token(domain) else self._endpoints.api_url

    def link(self, url: str) -> str:
        """The whole URL of a link, which may come as a path."""
        return url if "://" in url else f"{self.api_url}/{url.lstrip('/')}"

    def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        credits: int,  # noqa: A002 - the field's word
        params: Mapping[str, str] | None = None,
    ) -> Exchange:
        """A call below the API version, such as "org"; kept for evidence."""
        return self.send(method, f"{self.api_url}/crm/{API_VERSION}/{path}", json, credits=credits, params=params)

    def bulk(self, method: str, path: str, json: Any = None, *, credits: int, keep: bool = True) -> Exchange:  # noqa: A002
        """A call of bulk write or read, where "bulk" stands before the version."""
        where = f"{self.api_url}/crm/bulk/{API_VERSION}/{path}"
        return self.send(method, where, json, credits=credits, keep=keep)

    def upload(self, body: bytes, headers: Mapping[str, str], what: str) -> Exchange:
        """Upload a file; evidence shows `what` of it."""
        boundary = "orders-sync-probe-part"
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="probe.zip"\r\n'
            "Content-Type: application/zip\r\n\r\n"
        )
        whole = head.encode() + body + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        url = f"{self._endpoints.upload_url}/crm/{API_VERSION}/upload"
        return self.send("POST", url, what, credits=0, content=whole, headers={**headers, **kind})

    def send(
        self,
        method: str,
        url: str,
        sent: Any = None,
        *,
        credits: int,  # noqa: A002
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        keep: bool = True,
        throttled: bool = False,
    ) -> Exchange:
        """A call; `content` is the body where it is not `sent` as JSON, `token` one other than the org's own.

        Where the org answers that too many calls came at once, it waits and calls again, unless that is what is asked
        (`throttled`).

        Raises:
            NotAsked: the URL is none that may see the token, or credits do not suffice.
        """
        if not self._endpoints.may_see_token(url):
            raise NotAsked(f"{urlsplit(url).hostname} is no host that the token may be sent to")
        body = content if content is not None else None if sent is None else msgspec.json.encode(sent)
        query = f"?{urlencode(params)}" if params else ""
        for attempt in range(1, PROBE_CALLS.attempts + 1):
            self.purse.take(credits)
            found = self._once(method, f"{url}{query}", sent, body, headers or {}, token)
            if throttled or found.status != HTTPStatus.TOO_MANY_REQUESTS or PROBE_CALLS.is_over(attempt):
                break
            self.purse.spent -= credits
            self.pace.wait(PROBE_CALLS.pause_after(attempt))
        if keep:
            self.kept.append(found)
        left = None if throttled else found.credits_left
        if left is not None and self._left is not None:
            self.costs.append((f"{method} {urlsplit(url).path}", self._left - left))
        self._left = left
        return found

    def _once(
        self, method: str, url: str, sent: Any, body: bytes | None, headers: Mapping[str, str], token: str | None
    ) -> Exchange:
        value = token or self._tokens.token().value
        found = self._exchange(method, url, sent, body, headers, value)
        if (
            token is None
            and found.status == HTTPStatus.UNAUTHORIZED
            and found.flat.get("code") != ZohoCode.OAUTH_SCOPE_MISMATCH
        ):
            found = self._exchange(method, url, sent, body, headers, self._tokens.renew(value).value)
        return found

    def _exchange(
        self, method: str, url: str, sent: Any, body: bytes | None, headers: Mapping[str, str], token: str
    ) -> Exchange:
        session: Session | None = getattr(self._sessions, "own", None)
        if session is None:
            session = self._sessions.own = Session(url)
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        kind = {} if body is None else {"Content-Type": "application/json"}
        began = self.pace.now()
        try:
            answer = session.request(
                method,
                url,
                data=body,
                headers={**kind, **headers},
                auth=TokenHeader(token),
                timeout=_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return Exchange(method, path, sent, NO_ANSWER, {}, None, type(error).__name__.encode(), 0.0)
        try:
            decoded = _JSON.decode(answer.content) if answer.content else None
        except (msgspec.DecodeError, ArithmeticError):
            decoded = None
        ended = self.pace.now()
        return Exchange(method, path, sent, answer.status_code, answer.headers, decoded, answer.content, ended - began)
