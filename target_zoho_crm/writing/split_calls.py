"""A call that fails as a whole for no clear reason: its orders are sent in parts until the guilty ones are known.

An outage fails calls too, and must not be searched through. So there is a search only while calls of the stream do go
through; where none has, one order is first sent alone, with all patience. And a run singles out so many orders at most.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sync_ledger.retry_schedules import SPLIT_CALLS
from target_zoho_crm.api.codes import Family, OwnCode
from target_zoho_crm.api.errors import TransientError, UnattributedFailure, ZohoError
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.writing.bisect_failing import isolate

logger = logging.getLogger("target-zoho-crm")

Send = Callable[[Batch, bool], list[Outcome]]
"""Makes one call; with True it is not repeated where it fails for no clear reason: `UnattributedFailure`."""


@dataclass
class SplitCall:
    """The orders of one call that failed.

    `outcomes` are those of the orders sent since and of the guilty ones; `unsent` are the others.
    """

    to: Destination
    batch: Batch
    send: Send
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with all orders unsent."""
        self.unsent = dict(self.batch.entries)

    def search(self, failure: UnattributedFailure) -> None:
        """Send all orders but the guilty ones.

        Raises:
            ZohoError: what ended the search, an outage for one; what is unsent by then is nobody's fault.
        """
        if self.batch.one_by_one:
            for key in list(self.unsent):
                self._accuse(key, failure)
            return
        self._failed(failure)
        logger.warning("Stream %r: %s; its %d orders are sent in parts", self.to.stream, failure, len(self.unsent))
        wait_or_stop(self.to.stop, SPLIT_CALLS.pause_after(1))  # most failures pass
        for key in isolate(list(self.unsent), self._passes):
            if key in self.unsent:
                self._accuse(key, self._last)

    def _passes(self, keys: Sequence[str]) -> bool:
        calls = self.to.unattributed_failures
        calls.check_limit(self._last)
        with calls.probing:
            if calls.in_doubt and self.unsent:
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
        """Send one order alone, and if need be another one with all patience, to learn whether anything goes through.

        Any ones, by chance, so that orders which are guilty themselves do not stand in the way run after run.
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
                self._accuse(key, self._last)
            raise

    def _deliver(self, keys: Sequence[str], *, splits: bool) -> None:
        outcomes = self.send(replace(self.batch, entries={key: self.batch.entries[key] for key in keys}), splits)
        self.outcomes += outcomes
        for key in keys:
            del self.unsent[key]
        self.to.unattributed_failures.passed()
        self.to.failed_calls.succeeded()

    def _failed(self, failure: UnattributedFailure) -> None:
        self._last = failure
        self.to.unattributed_failures.failed()

    def _accuse(self, key: str, failure: UnattributedFailure) -> None:
        """Conclude an order as guilty. It is due again, alone, so an accusation that was wrong costs one more call."""
        self.to.unattributed_failures.accused()
        del self.unsent[key]
        self.outcomes.append(
            Outcome(
                key=key,
                version=self.batch.entries[key].version,
                status=Status.REJECTED,
                code=OwnCode.BREAKS_CALLS,
                message=f"calls with this order fail as a whole: {failure.code} (HTTP {failure.http_status})",
                family=Family.TRANSIENT,
            )
        )
