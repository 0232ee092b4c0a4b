"""A request to Zoho and its answer as values, and how Zoho is reached."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import API_CALLS
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.data_centers import Endpoints
from target_zoho_crm.api.limits import CreditKind
from target_zoho_crm.api.plain_text import one_line

API_VERSION = "v8"
ATTEMPTS = API_CALLS.attempts
WHERE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How to reach Zoho. Times are in seconds.

    `read_seconds` limits the silence between two blocks, `answer_seconds` a whole answer. `max_attempts` counts the
    first one, None: until an outage is over; the pauses between them start at `first_pause_seconds` and double up to
    `longest_pause_seconds`.
    """

    endpoints: Endpoints
    credentials: Credentials
    cache_dir: Path | None = None
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    answer_seconds: float = 300.0
    max_attempts: int | None = ATTEMPTS
    max_connections: int = 10
    first_pause_seconds: float = API_CALLS.first_pause
    longest_pause_seconds: float = API_CALLS.longest_pause
    ledger: Callable[[], Ledger | None] = lambda: None
    """Gives the ledger, once it is open, by which workers on other hosts share the access token."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, decoded JSON (None when there is no body), and headers (names in any case) of an answer."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Repeat(Enum):
    """Whether a request may be sent again when nobody knows if it had its effect."""

    SAFE = "safe"
    ONCE = "once"


class Fence(Protocol):
    """What a call that writes passes, at each attempt, once its connection stands and right before its first byte goes.

    So nothing that may block or sleep for long lies between the check and what it allows.
    """

    def check(self) -> None:
        """Make sure that this run may send; raises where it may not."""

    def over(self, *, known: bool) -> None:
        """Take note that an attempt is over; `known` where it had no effect, or the answer tells of it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    `body` makes the body anew for each attempt. `credits` are counted as spent on `kind` before each attempt.
    `results` says that a `data` list is an answer, also with status 400. What writes passes `fence`. `splits` says
    that the caller sends parts of a call that fails and names no cause: such a failure is not met by repeating it.
    """

    method: str
    url: str
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], bytes | io.RawIOBase] | None = None
    repeat: Repeat = Repeat.SAFE
    upsert: bool = False
    results: bool = False
    credits: int = 0
    kind: CreditKind = CreditKind.OTHER
    fence: Fence | None = None
    splits: bool = False

    @property
    def where(self) -> str:
        """Method and path, for messages: neither query nor host credentials."""
        return f"{self.method} {one_line(urlsplit(self.url).path, WHERE_CHARACTERS)}"
