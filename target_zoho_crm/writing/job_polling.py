"""How long to wait before polling a job again: few calls, and little time lost after its end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from sync_ledger.retry_schedules import CALLBACK_CHECK_SECONDS, JOB_POLLS, PollSchedule
from target_zoho_crm.api.limits import wait_or_stop

FIRST_POLL = 0.7
"""Share of what the fastest of the last jobs took."""
LAST_POLL = 1.3
"""Share of what the slowest of them took: until then a job's end is likely at any time."""
REMEMBERED_JOBS = 8


class Pauses:
    """Fits the pauses to how long a run's jobs take. Safe for threads. Pure."""

    def __init__(self, schedule: PollSchedule = JOB_POLLS) -> None:
        """Start with nothing known."""
        self._schedule = schedule
        self._took: deque[float] = deque(maxlen=REMEMBERED_JOBS)

    def after(self, elapsed: float, polled: float = 0.0) -> float:
        """The pause in seconds before the next poll of a job that was created `elapsed` seconds ago.

        Pauses count from the beginning of the last poll, so one that took `polled` seconds is followed sooner. A job is
        first polled a good while before the fastest of the last ones had ended, since jobs may have become faster and
        only an early poll can tell.
        """
        took = list(self._took)
        soonest, latest = min(took, default=0.0) * FIRST_POLL, max(took, default=0.0) * LAST_POLL
        likely = elapsed <= latest
        share = self._schedule.share_when_likely if likely else self._schedule.share_of_elapsed
        pause = soonest - elapsed if elapsed < soonest else elapsed * share
        return max(0.0, min(max(pause, self._schedule.shortest), self._schedule.longest) - polled)

    def took(self, seconds: float) -> None:
        """Note how long a job took."""
        self._took.append(seconds)


class PollWakeup:
    """The waits for one job: each ends when its time is over, or when a further callback has come."""

    def __init__(self, stop: threading.Event, called_back: Callable[[], datetime | None] | None) -> None:
        """`called_back` gives the time of the last callback; None where no callback is asked for."""
        self._stop = stop
        self._called_back = called_back
        self._known: datetime | None = None

    def wait(self, seconds: float) -> None:
        """Wait for so long at most.

        Raises:
            Stopped: the run is to stop.
        """
        if self._called_back is None:
            wait_or_stop(self._stop, seconds)
            return
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            wait_or_stop(self._stop, min(left, CALLBACK_CHECK_SECONDS))
            latest = self._called_back()
            if latest != self._known:
                self._known = latest
                return
