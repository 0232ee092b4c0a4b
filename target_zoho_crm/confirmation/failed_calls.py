"""Calls that failed as a whole after all retries: several in a row, with no success between, end the run."""

from __future__ import annotations

import threading


class FailedCalls:
    """The count of one stream's failed calls. Safe for threads."""

    IN_A_ROW = 3

    def __init__(self, *, continuous: bool = False) -> None:
        """Start with none. A `continuous` run does not end for them."""
        self._continuous = continuous
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._total = 0

    @property
    def total(self) -> int:
        """How many have failed in this run."""
        with self._lock:
            return self._total

    def failed(self, error: Exception, *, settled: bool = False) -> None:
        """Count a failed call; one whose orders are `settled` all the same makes no run incomplete.

        Raises:
            Exception: `error` itself, when nothing gets through any more.
        """
        with self._lock:
            self._total += not settled
            self._in_a_row += 1
            over = self._in_a_row >= self.IN_A_ROW and not self._continuous
        if over:
            raise error

    def left(self, orders: int) -> None:
        """Note orders of failed calls that are left to the next run, if any: this run is not complete."""
        with self._lock:
            self._total += bool(orders)

    def succeeded(self) -> None:
        """Note that a call got through."""
        with self._lock:
            self._in_a_row = 0
