"""The emulator's clock: real time with an offset, or a manual clock that moves only when it is advanced.

Everything Zoho measures (token life, the credit window, job durations, record times) reads this clock, so a test
can let an hour pass in no time. All times are milliseconds since the epoch.
"""

from __future__ import annotations

import threading
import time
from typing import Literal

ClockMode = Literal["real", "manual"]

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock:
    """A clock that can be stopped and moved forward; it never runs backwards."""

    def __init__(self, mode: ClockMode = "real", start: int | None = None) -> None:
        self.mode: ClockMode = mode
        self._lock = threading.Lock()
        wall = self._wall()
        self._offset = max(0, start - wall) if start is not None else 0
        self._manual = max(start or 0, wall)

    @staticmethod
    def _wall() -> int:
        return time.time_ns() // 1_000_000

    def now(self) -> int:
        """Milliseconds since the epoch by this clock."""
        with self._lock:
            return self._manual if self.mode == "manual" else self._wall() + self._offset

    def advance(self, seconds: float) -> int:
        """Move the clock forward by `seconds` and return the new time; raises ValueError for a negative step."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        with self._lock:
            self._manual += int(seconds * SECOND)
            self._offset += int(seconds * SECOND)
        return self.now()

    def set_mode(self, mode: ClockMode) -> None:
        """Stop the clock where it stands, or let it run on from there."""
        now = self.now()
        with self._lock:
            self._manual = now
            self._offset = max(0, now - self._wall())
            self.mode = mode

    def reset(self, mode: ClockMode) -> None:
        """Return to the wall clock's time, in the given mode."""
        with self._lock:
            self._offset = 0
            self._manual = self._wall()
            self.mode = mode
