"""A line a minute on what a long run has done so far; a run that lasts for good (`follow`) says nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from sync_ledger.retry_schedules import PROGRESS_SECONDS
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.confirmation.outcomes import Status
from target_zoho_crm.confirmation.state_gate import READ, StateGate

logger = logging.getLogger("target-zoho-crm")


class Progress:
    """Says in the log how far a run has come."""

    def __init__(self, gate: StateGate, meter: CreditMeter, *, continuous: bool) -> None:
        """Begin to count the time."""
        self._gate, self._credits, self._continuous = gate, meter, continuous
        self._said_at = time.monotonic()
        self._settled = dict[str, int]()

    def in_time(self, streams: Collection[str]) -> None:
        """Write a line for each stream, if the last ones are a while ago."""
        now = time.monotonic()
        passed = now - self._said_at
        if self._continuous or passed < PROGRESS_SECONDS:
            return
        self._said_at = now
        for stream in streams:
            counts = self._gate.counts(stream)
            waiting = counts[Status.UNSYNCED.value]
            settled = counts[READ] - waiting
            rate = (settled - self._settled.get(stream, 0)) * 60 / passed
            self._settled[stream] = settled
            logger.info(
                "Stream %r so far: %s read, %s have their outcome (%s a minute), %s wait for it; %s credits",
                stream,
                *(f"{count:,.0f}" for count in (counts[READ], settled, rate, waiting, self._credits.total)),
            )
