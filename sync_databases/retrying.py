"""How often something is tried again, and after which pauses. The schedules themselves stand elsewhere."""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from enum import Enum

UNLIMITED = sys.maxsize

DOUBLINGS_MOST = 16
"""Further ones only make larger numbers: every schedule has reached its longest pause by then."""


class Growth(Enum):
    """How pauses grow from one failure to the next."""

    SAME = "the same"
    BY_THE_FIRST = "by the first one each time"
    DOUBLING = "doubling"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """When something that failed is tried again. Times are in seconds."""

    attempts: int
    """How often in all, the first one among them; `UNLIMITED`: until it works, or the run is to stop."""
    first_pause: float = 0.0
    growth: Growth = Growth.SAME
    longest_pause: float = math.inf
    shortest_share: float = 1.0
    """Each pause is drawn between this share of it and all of it: those that failed together do not return together."""
    none_begun_after: float = math.inf
    """Seconds after the first attempt began, from which on no further one is begun."""

    def is_over(self, failures: int, seconds: float = 0.0) -> bool:
        """Whether to give up after so many failures, `seconds` after the first attempt began."""
        return failures >= self.attempts or seconds >= self.none_begun_after

    def pause_after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row; at least one."""
        pause = self.full_pause_after(failures)
        return pause if self.shortest_share == 1 else pause * random.uniform(self.shortest_share, 1)  # noqa: S311 - no secret

    def full_pause_after(self, failures: int) -> float:
        """The same before a share of it is drawn."""
        if self.growth is Growth.DOUBLING:
            pause = self.first_pause * (1 << min(failures - 1, DOUBLINGS_MOST))
        elif self.growth is Growth.BY_THE_FIRST:
            pause = self.first_pause * failures
        else:
            pause = self.first_pause
        return min(pause, self.longest_pause)
