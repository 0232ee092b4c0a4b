"""What a run knows of calls that failed as a whole for no clear reason: is it an outage, and may the search go on?"""

from __future__ import annotations

import threading

from target_zoho_crm.api.errors import TransientError, UnattributedFailure


class UnattributedFailures:
    """What a run knows of calls that failed for no clear reason. Safe for threads."""

    IN_A_ROW = 20
    """A few searches at once may see so many fail; more, with none between that passed, look like an outage."""

    MOST_QUARANTINED = 100
    """Orders of a stream that one run puts in quarantine: at most 800 calls, which cost at most 2,700 credits."""

    def __init__(self) -> None:
        """Start with none."""
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
        """Whether calls may fail because nothing goes through at all."""
        with self._lock:
            return not self._passed or self._in_a_row > self.IN_A_ROW

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
