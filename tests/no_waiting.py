"""A clock for ledgers, by which nothing waits."""

from __future__ import annotations

import threading

from sync_databases.waiting import Clock


class NoWaiting(Clock):
    """Goes forward by what is waited for, at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def seconds(self) -> float:
        return self.now

    def wait(self, seconds: float, until: threading.Event | None = None) -> None:
        del until
        self.now += seconds
        self.waits.append(seconds)
