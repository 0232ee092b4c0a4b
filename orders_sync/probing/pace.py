"""Time, as the probe sees and spends it: one seam, so that tests need not wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Pace(Protocol):
    """A clock, and a way to wait."""

    def now(self) -> float:
        """Seconds since some point in time."""

    def wait(self, seconds: float) -> None:
        """Let so much time pass."""


@dataclass(frozen=True)
class RealPace:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds of the machine's steady clock."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)
