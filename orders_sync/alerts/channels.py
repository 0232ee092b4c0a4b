"""Where alerts go: standard output, a URL that gets a signed POST, or what Apprise knows: mail, Slack, Teams, more."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

import click
import msgspec
import requests

from orders_sync.output import say
from orders_sync.signing import signed_headers

SECRET_VARIABLE = "ORDERS_SYNC_NOTIFY_SECRET"  # noqa: S105 - a name
SECONDS_MOST = 10.0


@dataclass(frozen=True)
class Message:
    """What is sent: `event` is `wrong` or `over`; `since` is naive UTC."""

    alert_id: str
    event: str
    stream: str
    condition: str
    text: str
    since: datetime

    @property
    def title(self) -> str:
        """One line."""
        return f"Zoho CRM sync, stream {self.stream}: {self.condition}{' is over' if self.event == 'over' else ''}"

    @property
    def body(self) -> str:
        """What was seen, and since when."""
        return f"{self.text}\nSince {self.since:%Y-%m-%d %H:%M:%S} UTC. Alert {self.alert_id}."


class Channel(Protocol):
    """One way to tell people."""

    key: str
    """What the ledger knows it by: a hash, since a URL may hold a password."""
    name: str
    """For people, without secrets."""

    def send(self, message: Message) -> str:
        """Send it; returns why it could not, or an empty text."""
        ...


class Output:
    """Standard output, where no other channel is given."""

    key = name = "output"

    def send(self, message: Message) -> str:
        """Print one line."""
        say(f"{message.title}: {message.text}", colour="green" if message.event == "over" else "red")
        return ""


class Webhook:
    """A URL that gets a signed POST."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self.key, self.name = key_of(url), name_of(url)

    def send(self, message: Message) -> str:
        """Post it."""
        body = msgspec.json.encode(message)
        try:
            answer = requests.post(
                self._url,
                data=body,
                headers=signed_headers(self._secret, body),
                timeout=SECONDS_MOST,
                allow_redirects=False,
            )
        except (requests.RequestException, ValueError) as error:
            return type(error).__name__
        return "" if answer.ok and not answer.is_redirect else f"HTTP {answer.status_code}"


class Notifier:
    """A URL of Apprise's."""

    def __init__(self, url: str) -> None:
        try:
            import apprise  # noqa: PLC0415 - an optional extra
            from apprise.logger import logger as its_lines  # noqa: PLC0415
        except ImportError as error:
            raise click.UsageError(f"--notify {name_of(url)}: install orders-sync[alerts], which knows it") from error
        its_lines.setLevel(logging.CRITICAL)  # they may hold what the URL holds
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise click.UsageError(f"--notify {name_of(url)}: no URL that Apprise knows; see its list of services")
        self.key, self.name = key_of(url), name_of(url)

    def send(self, message: Message) -> str:
        """Send it."""
        is_sent = self._apprise.notify(title=message.title, body=message.body, body_format="text")
        return "" if is_sent else "the service did not take it"


def channels(urls: tuple[str, ...]) -> list[Channel]:
    """A channel for each URL; standard output where there is none.

    Raises:
        click.UsageError: a URL is of no known kind, or what it needs is missing.
    """
    return [_channel(url) for url in dict.fromkeys(urls)] or [Output()]


def _channel(url: str) -> Channel:
    if urlsplit(url).scheme not in {"http", "https"}:
        return Notifier(url)
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        raise click.UsageError(f"--notify {name_of(url)}: set {SECRET_VARIABLE}, which signs what is posted")
    return Webhook(url, secret)


def key_of(url: str) -> str:
    """The first digits of its hash."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def name_of(url: str) -> str:
    """Its scheme and, for a URL that is posted to, its host: the rest may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" if parts.scheme in {"http", "https"} else f"{parts.scheme}://..."
