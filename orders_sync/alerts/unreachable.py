"""A ledger that cannot be read: what was sent of it is known to this process alone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from orders_sync.alerts.channels import Channel, Message
from orders_sync.output import say

SECONDS_LEAST = 45.0
"""A database that starts anew is no alert."""


class Unreachable:
    """Sends by each channel once that the ledger cannot be read, and once that it can again."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = channels
        self._since: float | None = None
        self._message: Message | None = None
        self._sent_to = set[str]()

    def seen(self, why: str) -> None:
        """A look failed, for this reason."""
        if self._since is None:
            self._since = time.monotonic()
            now = datetime.now(timezone.utc).replace(tzinfo=None)
            self._message = Message(uuid.uuid4().hex, "wrong", "(all)", "ledger out of reach", why, now)
            say(why, err=True, colour="red")
        if self._message is not None and time.monotonic() - self._since >= SECONDS_LEAST:
            due = [channel for channel in self._channels if channel.key not in self._sent_to]
            self._sent_to |= {channel.key for channel in due if not _failed(channel, self._message)}

    def over(self) -> None:
        """A look was possible."""
        if self._message is not None:
            over = replace(self._message, event="over")
            self._sent_to = {
                channel.key for channel in self._channels if channel.key in self._sent_to and _failed(channel, over)
            }
        if not self._sent_to:
            self._since = self._message = None


def _failed(channel: Channel, message: Message) -> str:
    why = channel.send(message)
    if why:
        say(f"{message.condition} could not be sent by {channel.name}: {why}", err=True, colour="red")
    return why
