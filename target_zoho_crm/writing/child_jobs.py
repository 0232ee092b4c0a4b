"""Bulk write jobs that belong to a job of orders: they write what no CSV of orders holds, and only then come the acks.

They are journalled all at once, before the first of them is sent, and name the orders' job. A run that adopts that job
goes on with theirs.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sync_ledger.job_journal import JournalledJob
from sync_ledger.tables import JobStep
from target_zoho_crm.api.errors import Gone, QuotaError, TransientError
from target_zoho_crm.batch import Channel, PendingRecords
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.writing.bulk_write import CREATE_ATTEMPTS, BulkFile, BulkWriter, NotCreatedError
from target_zoho_crm.writing.child_failures import LINES, UNWRITTEN, Fault, Faults, of_error, of_outcome
from target_zoho_crm.writing.workers import JobWorkers

_ON_THEIR_WAY = 3
"""So many jobs have children on their way at a time: the outcomes of their orders wait, some megabytes a job."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How children are routed: as their orders."""

    channel: Channel
    bulk_rows: int
    bulk_threshold: int | None


class JobsWithChildren(BulkWriter, ABC):
    """Writes batches of orders that are synced only once their children are written too."""

    def __init__(self, destination: Destination, workers: JobWorkers, spool: Path, *, job_wait_seconds: float) -> None:
        """As for orders alone."""
        super().__init__(destination, workers, spool, job_wait_seconds=job_wait_seconds)
        self._on_their_way = threading.BoundedSemaphore(_ON_THEIR_WAY)

    @abstractmethod
    def _complete(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """Write what belongs to the orders that are in the CRM; the orders' outcomes with those of their children."""

    def _settle(self, pending: PendingRecords | None, job: JournalledJob, result: Path | None) -> None:
        """Turn the orders' result into acks, once their children are written."""
        with self._on_their_way:
            with self._by_row:
                outcomes = self._to.ledger.without_conflicts(self._outcomes(job, result), job)
            outcomes = self._complete(job, outcomes)
            with self._by_row:
                self._to.conclude(pending, outcomes, Channel.BULK_WRITE, job)

    def _begin(self, child: JournalledJob, file: BulkFile, faults: Faults, of: str = LINES) -> JournalledJob | None:
        """Create a child's job; None where Zoho surely has none, and its orders are due again."""
        try:
            # A job that adds rows is created once: a second one would add them again.
            attempts = 1 if isinstance(file, RowsFile) else CREATE_ATTEMPTS
            return self._create(self._upload(child, file), may_exist=False, attempts=attempts)
        except NotCreatedError as failure:
            self._to.ledger.give_back(child, failure.code)
            error = failure.error
            if not isinstance(error, (TransientError, QuotaError)):
                raise error from None
            self._to.call_failed(error)
            for order in set(child.manifest.texts().values()):
                faults.setdefault(order, []).append(of_error(error, of))
            return None

    def _end(self, child: JournalledJob, faults: Faults) -> None:
        """Wait for a child's job, and note what was not written."""
        result = self._await_result(child)
        self._to.failed_calls.succeeded()
        with self._by_row:
            for outcome in self._outcomes(child, result):
                if outcome.status is not Status.SYNCED:
                    faults.setdefault(outcome.version, []).append(self._fault(child, outcome))

    def _fault(self, _child: JournalledJob, outcome: Outcome) -> Fault:
        return of_outcome(outcome)

    def _created(self, child: JournalledJob, *, adds_rows: bool, of: str = LINES) -> JournalledJob | None:
        """Create a job that is uploaded; None where that is not safe: nobody knows whether it exists already."""
        if child.step is not JobStep.UPLOADED:
            return child
        if adds_rows:
            self._to.ledger.give_back(child, UNWRITTEN[of])
            return None
        try:
            return self._create(child, may_exist=True)
        except Gone:
            self._to.ledger.give_back(child, UNWRITTEN[of])
            return None


class RowsFile(BulkFile):
    """The file of a job that adds rows to records: of a subform, or links."""

    def body(self, module: str, file_id: str) -> str:
        """The JSON that creates the job: an insert, which finds no rows by any field."""
        body = msgspec.json.decode(super().body(module, file_id))
        body["operation"] = "insert"
        del body["resource"][0]["find_by"]
        return msgspec.json.encode(body).decode()
