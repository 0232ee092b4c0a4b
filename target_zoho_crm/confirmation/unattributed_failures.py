"""What a run knows of calls that failed as a whole for no clear reason: is it an outage, and may the search go on?

An outage is when nothing else gets through. It parks nobody, and is not searched through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sync_ledger.retry_schedules import GETS_THROUGH_WITHIN
from target_zoho_crm.api.errors import TransientError, UnattributedFailure


class UnattributedFailures:
    """What a run knows of calls that failed for no clear reason. Safe for threads."""

    IN_A_ROW = 20
    """A few searches at once may see so many fail; more, with none between that passed, look like an outage."""

    MOST_QUARANTINED = 100
    """Orders of a stream that one run puts in quarantine: at most 900 calls, which cost at most 2,800 credits."""

    def __init__(self, gets_through: Callable[[float], bool]) -> None:
        """Start with none; `gets_through` says whether any call has got through since a moment, or does now."""
        self._gets_through = gets_through
        self._lock = threading.Lock()
        self.probing = threading.Lock()
        """Held while one order is sent for all, to learn whether anything goes through."""
        self._passed = False
        self._in_a_row = 0
        self._quarantined = 0

    def passed(self) -> None:
        """Note a call that went through."""
        with self._lock:
            self._passed = True
            self._in_a_row = 0

    def failed(self) -> None:
        """Note a call that failed for no clear reason."""
        with self._lock:
            self._in_a_row += 1

    def quarantined(self) -> None:
        """Note that an order was put in quarantine."""
        with self._lock:
            self._quarantined += 1

    @property
    def maybe_outage(self) -> bool:
        """Whether writes may fail because none goes through at all."""
        with self._lock:
            return not self._passed or self._in_a_row > self.IN_A_ROW

    def check_outage(self, failure: UnattributedFailure, began: float | None = None) -> None:
        """Let a failure be somebody's: something else gets through since `began`, by default within the last minute.

        Raises:
            ZohoError: the plain failure, since nothing does; or what ends the run.
        """
        since = time.monotonic() - GETS_THROUGH_WITHIN if began is None else began
        if not self._gets_through(since):
            raise failure.plain

    def check_limit(self, failure: UnattributedFailure) -> None:
        """Let a search go on.

        Raises:
            TransientError: as many orders are in quarantine as one run may put there.
        """
        with self._lock:
            over = self._quarantined >= self.MOST_QUARANTINED
        if over:
            raise failure.turned(
                TransientError,
                f"This run has put {self.MOST_QUARANTINED} orders in quarantine with which calls fail, and searches "
                "for no more.",
            )
