"""The seam for time: by this alone a ledger waits before it tries again, and measures how long it has tried.

A test gives a ledger a clock of its own, which goes forward by what is waited for and by nothing else; so nothing waits
by the wall clock there. The simulation puts its own `time` and `threading` under this module as under every other.
"""

from __future__ import annotations

import threading
import time


class Clock:
    """The machine's own."""

    def seconds(self) -> float:
        """Seconds since some point in time; never goes back."""
        return time.monotonic()

    def wait(self, seconds: float, until: threading.Event | None = None) -> None:
        """Wait for so many seconds, or until the event is set."""
        (until or threading.Event()).wait(seconds)


CLOCK = Clock()
"""Used where no other one is given."""
