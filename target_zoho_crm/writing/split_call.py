"""A call that fails as a whole for no clear reason: its orders are sent in parts until those that fail it are known.

An outage fails calls too, and must not be searched through. So there is a search only while calls of the stream do go
through; where none has, one order is first sent alone, with all retries. And a run puts only so many orders in
quarantine.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence

from sync_ledger.retry_schedules import SPLIT_CALLS
from target_zoho_crm.api.codes import Family, OwnCode
from target_zoho_crm.api.errors import TransientError, UnattributedFailure, ZohoError
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.unattributed_failures import UnattributedFailures
from target_zoho_crm.writing.split_search import find_failing

logger = logging.getLogger("target-zoho-crm")

Send = Callable[[Batch, bool], list[Outcome]]
"""Makes one call; with True it is not repeated where it fails for no clear reason: `UnattributedFailure`."""


class SplitCall:
    """The orders of one call that failed.

    `outcomes` are those of the orders sent since and of those in quarantine; `unsent` are the others.
    """

    def __init__(
        self,
        batch: Batch,
        send: Send,
        *,
        recorder: Recorder,
        unattributed: UnattributedFailures,
        stop: threading.Event,
    ) -> None:
        """Begin with all orders unsent; `unattributed` is what the run knows of such calls."""
        self.outcomes: list[Outcome] = []
        self.unsent = dict(batch.entries)
        self._batch = batch
        self._send = send
        self._recorder = recorder
        self._unattributed = unattributed
        self._stop = stop

    def search(self, failure: UnattributedFailure) -> None:
        """Send all orders but those that fail the call.

        Raises:
            ZohoError: what ended the search, an outage for one; what is unsent by then is nobody's fault.
        """
        if self._batch.one_by_one:
            for key in list(self.unsent):
                self._quarantine(key, failure)
            return
        self._failed(failure)
        stream, orders = self._batch.pending.stream, len(self.unsent)
        logger.warning("Stream %r: %s; its %d orders are sent in parts", stream, failure, orders)
        wait_or_stop(self._stop, SPLIT_CALLS.pause_after(1))
        for key in find_failing(list(self.unsent), self._passes):
            if key in self.unsent:
                self._quarantine(key, self._last)

    def _passes(self, keys: Sequence[str]) -> bool:
        self._unattributed.check_limit(self._last)
        with self._unattributed.probing:
            if self._unattributed.maybe_outage and self.unsent:
                self._probe()
        part = [key for key in keys if key in self.unsent]
        try:
            if part:
                self._deliver(part, splits=True)
        except UnattributedFailure as failure:
            self._failed(failure)
            return False
        return True

    def _probe(self) -> None:
        """Send one order alone, and if need be another one with all retries, to learn whether anything goes through.

        Any two, by chance, so that orders which fail calls themselves do not stand in the way run after run.
        """
        first, *others = random.sample(list(self.unsent), min(2, len(self.unsent)))
        try:
            self._deliver([first], splits=True)
        except UnattributedFailure:
            key = others[0] if others else first
        else:
            return
        try:
            self._deliver([key], splits=False)
        except ZohoError as error:
            plain = self._last.plain
            if isinstance(error, TransientError) and (error.code, error.http_status) == (plain.code, plain.http_status):
                self._quarantine(key, self._last)
            raise

    def _deliver(self, keys: Sequence[str], *, splits: bool) -> None:
        self.outcomes += self._send(self._batch.only(keys), splits)
        for key in keys:
            del self.unsent[key]
        self._unattributed.passed()
        self._recorder.call_succeeded()

    def _failed(self, failure: UnattributedFailure) -> None:
        self._last = failure
        self._unattributed.failed()

    def _quarantine(self, key: str, failure: UnattributedFailure) -> None:
        """Put an order in quarantine: it is due again, alone, so that a wrong finding costs one more call."""
        self._unattributed.quarantined()
        del self.unsent[key]
        self.outcomes.append(
            Outcome(
                key=key,
                version=self._batch.entries[key].version,
                status=Status.REJECTED,
                code=OwnCode.BREAKS_CALLS,
                message=f"calls with this order fail as a whole: {failure.code} (HTTP {failure.http_status})",
                family=Family.TRANSIENT,
            )
        )
