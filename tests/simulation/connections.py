"""Connections to the CRM: made before the product checks what it sends, so that a process may sleep on either side."""

from __future__ import annotations

import random
from typing import NamedTuple

from simulation.http_messages import WRITING, refused
from simulation.scheduler import Scheduler

IDLE_SECONDS = 60.0
"""So long the CRM keeps a connection over which nothing is sent."""


class CallFault(NamedTuple):
    """What one call meets."""

    kind: str | None
    generator: random.Random


class Connection:
    """One, of one call; with as much of urllib3's interface as the product uses."""

    def __init__(self, scheduler: Scheduler, call: str, fault: CallFault) -> None:
        """It does not stand yet; `call` is one of `KINDS_OF_CALLS`."""
        self._scheduler = scheduler
        self._point = "connects to write" if call in WRITING else "connects"
        self._fault = fault
        self._since = 0.0
        self.sock: object | None = None

    def connect(self) -> None:
        """Take the time that it takes.

        Raises:
            ConnectionError: nobody listens.
        """
        process = self._scheduler.current.process
        self._scheduler.sleep(self._fault.generator.uniform(0.01, 0.3))
        if self._fault.kind == "no_connection":
            raise refused()
        self.sock, self._since = object(), self._scheduler.now
        if process.on_point is not None:
            process.on_point(process, self._point)

    @property
    def is_connected(self) -> bool:
        """Whether it stands still."""
        return self.sock is not None and self._scheduler.now - self._since < IDLE_SECONDS

    def close(self) -> None:
        """Let it go."""
        self.sock = None
