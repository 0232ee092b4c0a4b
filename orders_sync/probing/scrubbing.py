"""Evidence without what is the org's own: no token, number of the org, id, name, e-mail or name of a module.

What is left are the probe's made-up records, Zoho's words, and the forms of values: an id of digits in text stays text,
one that was a number is marked as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from orders_sync.probing.wire import CREDITS_LEFT, Exchange

PREFIX = "orders-sync-probe-"
"""Every made-up record begins with it."""
_EMAIL = re.compile(r"[^\s\"'<>@:=]+@[^\s\"'<>@]+\.[A-Za-z]{2,}")
_LONG_NUMBER = re.compile(r"(?<![\w.])\d{9,}(?![\w.])|(?<=org)\d{6,}|\d{12,}")
_TOKEN = re.compile(r"1000\.[0-9A-Za-z._-]{8,}")
_ID_DIGITS = 10**9
_SHOWN_HEADERS = ("Content-Type", "Location", "Retry-After", CREDITS_LEFT)
_NAMED = frozenset(
    {"name", "full_name", "first_name", "last_name", "company_name", "alias", "phone", "mobile", "domain_name"}
)
_TEXT_MOST = 2_000
_LIST_MOST = 4
_SHORT = 3
"""A name as short as that is no secret, and would be found in words."""


class Scrubber:
    """Takes what is an org's own out of values.

    Args:
        secrets: texts of the org that must not be shown, each with what stands in its place.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        longest_first = sorted((each for each in secrets if len(each) >= _SHORT), key=len, reverse=True)
        self._places = {each: secrets[each] for each in longest_first}

    def evidence(self, exchange: Exchange) -> dict[str, Any]:
        """One call as evidence: its request, and what came."""
        headers = {name: self.text(exchange.headers[name]) for name in _SHOWN_HEADERS if name in exchange.headers}
        answer = exchange.body
        if answer is None and exchange.content:
            answer = self._of_content(exchange.content)
        found: dict[str, Any] = {"request": self.text(f"{exchange.method} {exchange.path}")}
        if exchange.sent is not None:
            found["sent"] = self.value(exchange.sent)
        return {**found, "status": exchange.status, "headers": headers, "answer": self.value(answer)}

    @staticmethod
    def _of_content(content: bytes) -> str:
        if content.startswith(b"PK"):
            return f"a zip of {len(content)} bytes"
        return content[:_TEXT_MOST].decode("utf-8", "replace")

    def text(self, text: str) -> str:
        """A text, and what stands for the org's own in it."""
        for secret, place in self._places.items():
            text = text.replace(secret, place)
        text = _TOKEN.sub("<token>", text)
        text = _EMAIL.sub("<email>", text)
        text = _LONG_NUMBER.sub("<id>", text)
        return text if len(text) <= _TEXT_MOST else f"{text[:_TEXT_MOST]}... ({len(text)} characters)"

    def value(self, value: Any, key: str = "") -> Any:
        """A JSON value without the org's own."""
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(each, str(name)) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            shown = [self.value(each) for each in value[:_LIST_MOST]]
            return shown if len(value) <= _LIST_MOST else [*shown, f"... {len(value)} in all"]
        if isinstance(value, str):
            if key.lower() in _NAMED and PREFIX not in value and not value.startswith("probe"):
                return "<name>"
            return self.text(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _ID_DIGITS:
            return "<id as a number>"
        return float(value) if isinstance(value, Decimal) else value


def secrets_of(documents: Iterable[Any], more: Mapping[str, str]) -> dict[str, str]:
    """The texts in what org and users calls gave, which are the org's own; `more` are others."""
    found: dict[str, str] = {}

    def look(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                look(each, str(key))
        elif isinstance(value, list):
            for each in value:
                look(each, name)
        elif isinstance(value, str) and name.lower() in _OWN:
            found[value] = f"<{_OWN[name.lower()]}>"

    for document in documents:
        look(msgspec.to_builtins(document), "")
    return {**found, **more}


_OWN = {
    **dict.fromkeys(_NAMED, "name"),
    **dict.fromkeys(("zgid", "id", "primary_zuid", "ezgid", "zuid"), "id"),
    **dict.fromkeys(("email", "primary_email"), "email"),
    **dict.fromkeys(("website", "street", "city", "fax", "description"), "own"),
}
