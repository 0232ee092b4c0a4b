"""What a worker of a split stream leaves to the one that comes last: `auto` reckons with the load of all of them.

Each worker sends its full jobs by itself. Alone, what is left of each share would go by calls, or by a job that is not
full; together it fills jobs. So it costs what one worker would pay for all orders, but for a fiftieth at most.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.pooled_orders import PooledOrders
from sync_ledger.tables import JobStep
from target_zoho_crm.api.costs import upsert_credits
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.sent_contents import SentContents
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.delivery.order_sealing import OrderSealing
from target_zoho_crm.delivery.router import Router
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.record_decoding import Rows
from target_zoho_crm.stream_policy import StreamPolicy

NEGLIGIBLE = 0.02
"""A share of the credits that is not worth the wait for others."""

UNEVEN = 2
"""So many times its own size another share may have, for all that a worker knows."""

logger = logging.getLogger("target-zoho-crm")


class SharedLoad:
    """One worker's part in what all workers of a stream send together at the end."""

    def __init__(
        self,
        policy: StreamPolicy,
        pool: PooledOrders,
        sealing: OrderSealing,
        *,
        workers: int,
        batch_orders: int,
        ledger: StreamLedger,
        contents: SentContents,
        state_gate: StateGate,
        credits: CreditMeter,  # noqa: A002 - the field's word
    ) -> None:
        """`workers` is how many shares there are; a job is full with `batch_orders`."""
        self._policy = policy
        self._pool = pool
        self._sealing = sealing
        self._workers = workers
        self._batch_orders = batch_orders
        self._ledger = ledger
        self._contents = contents
        self._state_gate = state_gate
        self._credits = credits
        self._taken: list[JournalledJob] = []

    def others_come(self) -> bool:
        """Whether another worker is still to come to its end."""
        return self._pool.others_come()

    def leave(self, batch: Batch, mapping: FieldMapping, router: Router) -> bool:
        """Leave what this worker would send last to the one that comes last; False where it is to be sent now.

        `mapping` is that of whole orders: those of another one are not left.
        """
        count = len(batch.entries)
        if batch.mapping is not mapping or not self._pays(count, router):
            return False
        # What an earlier failure asks of orders stands in their acks, which forget it once they are left.
        if self._pool.were_released(batch.entries) or self._ledger.quarantined(batch.versions):
            return False
        versions = Manifest.of(batch.manifest)
        job = JournalledJob(
            uuid.uuid4().hex, self._policy.stream, "", self._policy.module, JobStep.INTENT, versions, credits=0
        )
        sealed = self._sealing.seal(batch.entries)
        self._ledger.intend(job, batch.payload_hashes)
        self._pool.leave(job, sealed, self._mark(mapping))
        self._contents.settled(batch.entries)
        self._state_gate.handed_over(batch.pending, count)
        logger.info(
            "Stream %r: %s orders are left to the worker that comes last, so that all share full jobs (`channel` auto)",
            self._policy.stream,
            f"{count:,}",
        )
        return True

    def collected(self, mapping: FieldMapping) -> Iterator[Rows]:
        """Note that this worker is at its end; if it is the last one, give what the others left, as records to send."""
        if not self._pool.come_to_end():
            return
        for job in self._pool.left(self._mark(mapping)):
            rows, count = self._sealing.opened(self._pool.sealed(job)), f"{len(job.manifest):,}"
            if rows is None:
                logger.warning(
                    "Stream %r: %s orders that another worker left cannot be opened: workers share full jobs only with "
                    "one refresh token and client secret; the next run of that worker sends them",
                    self._policy.stream,
                    count,
                )
                continue
            if len(rows.keys) != len(job.manifest) or not self._pool.take(job):
                continue
            self._taken.append(job)
            logger.info("Stream %r: sends %s orders that another worker left", self._policy.stream, count)
            yield rows

    def settle(self) -> None:
        """Give back what was taken and not sent, once all that was sent has its outcome."""
        while self._taken:
            self._pool.close(self._taken[-1])
            self._taken.pop()

    def _pays(self, count: int, router: Router) -> bool:
        """Whether so many orders are worth the wait: they fill no job by themselves, and together they may."""
        if not count or count >= (1 - NEGLIGIBLE) * self._batch_orders or not router.goes_by_jobs(self._batch_orders):
            return False
        planned = self._credits.planned
        return router.goes_by_jobs(UNEVEN * count * self._workers) or 0 < planned * NEGLIGIBLE < upsert_credits(count)

    def _mark(self, mapping: FieldMapping) -> str:
        """What the values of orders are, as a fingerprint."""
        policy = self._policy
        columns = [(column.source, column.field.api_name) for column in mapping.columns]
        facts = (policy.module, policy.mapping_number, policy.content_form, columns)
        return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()
