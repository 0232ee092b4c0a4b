"""The Bulk Write API: jobs of up to 25,000 orders that survive the run that made them.

The twin of `upsert.py`: what cannot be written is refused, the rest is sent and followed up, then come the acks.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from pathlib import Path

from msgspec import structs

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.tables import JobStep
from target_zoho_crm.api.codes import Family, OwnCode, ZohoCode
from target_zoho_crm.api.costs import JOB_CREDITS
from target_zoho_crm.api.errors import LostAnswer, TransientError, ZohoError, blames_nobody
from target_zoho_crm.batch import Batch, Channel, PendingRecords
from target_zoho_crm.confirmation.in_flight import Flight, InFlight
from target_zoho_crm.confirmation.outcomes import Outcome, own_refusals
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.csv_files import CsvFile, operation_in_job, write_bulk_zip
from target_zoho_crm.writing.follow_up import FollowUps
from target_zoho_crm.writing.given_up_jobs import StillRunningError
from target_zoho_crm.writing.insertion import Insertion
from target_zoho_crm.writing.job_steps import BulkFile, JobSteps, NotCreatedError, UnansweredError, upload_failed
from target_zoho_crm.writing.owned_fields import OwnedFields
from target_zoho_crm.writing.values_before import ValuesBefore
from target_zoho_crm.writing.workers import JobWorkers
from target_zoho_crm.writing.zipped_rows import ZippedRows

NOT_ALLOWED = frozenset({ZohoCode.FEATURE_NOT_SUPPORTED, ZohoCode.NO_PERMISSION})
"""What Zoho says where the org's edition, or the user's profile, has no bulk write."""

FOLLOWED_UP_AT_ONCE = 3
"""So many jobs are followed up at a time: the outcomes of their orders wait meanwhile, some megabytes a job."""

logger = logging.getLogger("target-zoho-crm")


class BulkWriter:
    """Writes batches by bulk write jobs, several in flight."""

    def __init__(
        self,
        policy: StreamPolicy,
        *,
        steps: JobSteps,
        ledger: StreamLedger,
        recorder: Recorder,
        in_flight: InFlight,
        insertion: Insertion,
        owned: OwnedFields,
        before: ValuesBefore,
        workers: JobWorkers,
        spool: Path,
        follow_ups: FollowUps,
    ) -> None:
        """Files lie in `spool` until they are uploaded."""
        self._policy = policy
        self._steps = steps
        self._ledger = ledger
        self._recorder = recorder
        self._in_flight = in_flight
        self._insertion = insertion
        self._owned = owned
        self._before = before
        self._workers = workers
        self._spool = spool
        self._follow_ups = follow_ups
        self._following_up = threading.BoundedSemaphore(FOLLOWED_UP_AT_ONCE)
        self._judged = threading.Event()
        """Set once the first job is created, or refused: until then no second one is begun, and its orders are kept."""
        self.refusal: ZohoError | None = None
        """Why the org, or the user's profile, may not use bulk write."""

    def start(self, batch: Batch) -> list[Batch]:
        """Send a batch as one job, or as several where the file would be too large; returns once it is under way.

        Gives what can go by no job, since the org may not use them (`refusal`); nothing of it was written.

        Raises:
            ZohoError, LedgerError, RejectedError: what ended an earlier job and so the run.
            SpoolError: the disk does not take its file.
        """
        batch, refused = self._follow_ups.refuse(batch)
        if refused:
            self._recorder.record(batch.pending, refused, Channel.BULK_WRITE)
        return self._start(batch) if batch.entries else []

    def resume(self, job: JournalledJob) -> None:
        """Go on with a dead run's job where it stopped."""
        self._workers.submit(self._deliver, None, job, self._in_flight.begin(job.manifest.texts()), None)

    def _start(self, batch: Batch) -> list[Batch]:
        if self.refusal is not None:
            return [batch]
        policy, job_id = self._policy, uuid.uuid4().hex
        path = self._spool / f"{job_id}.zip"
        # As the acks' index has them: written as they come, by their last change, each of its pages would be read and
        # written again and again.
        batch = batch.sorted()
        written, rows = self._written(path, batch)
        mapping = batch.mapping.in_file[0]
        if not written.fits and len(batch.entries) > 1:
            path.unlink()
            return [refused for half in _halves(batch) for refused in self._start(half)]
        if written.refusals:
            self._recorder.record(batch.pending, own_refusals(batch, written.refusals), Channel.BULK_WRITE)
        manifest = batch.manifest
        for key in written.refusals:
            del manifest[key]
        if not manifest:
            path.unlink()
            return []
        if mapping.has_rules:
            self._owned.inserting(batch.without(written.refusals), by_job=True)
        flight = self._in_flight.begin(manifest)
        job = JournalledJob(job_id, policy.stream, "", policy.module, JobStep.INTENT, Manifest.of(manifest), credits=0)
        only_new = mapping.has_rules or rows is not None
        file = BulkFile(
            path,
            mapping,
            policy.ignore_empty,
            Operation.INSERT if only_new else policy.operation,
            payload_hashes=Manifest.of(batch.payload_hashes) if batch.payload_hashes else None,
            rows=rows,
        )
        self._follow_ups.keep(job_id, batch)
        self._workers.submit(self._deliver, batch.pending, job, flight, file)
        self._judged.wait()
        return [batch.only(manifest)] if self.refusal is not None else []

    def _written(self, path: Path, batch: Batch) -> tuple[CsvFile, ZippedRows | None]:
        """Write the orders' file, with the rows that go with them, and say which these are."""
        mapping, positions = batch.mapping.in_file
        with self._steps.rows_lock:
            values = map(attrgetter("values"), batch.entries.values())
            written = write_bulk_zip(path, mapping, list(batch.entries), values, positions)
            rows = self._follow_ups.rows_in_zip(batch.without(written.refusals))
            if rows is None:
                return written, None
            added = rows.add_to(path)
            if added.refusals:
                raise AssertionError("rows were checked before their orders were sent")
            return replace(written, bytes=added.bytes), rows.about

    def _deliver(
        self, pending: PendingRecords | None, job: JournalledJob, flight: Flight, file: BulkFile | None
    ) -> None:
        """Take a job through all steps that are left; without a `file` it is a dead run's."""
        began = time.monotonic()
        try:
            if file is not None:
                with self._steps.rows_lock:
                    self._ledger.intend(job, file.payload_hashes.texts() if file.payload_hashes is not None else {})
                self._keep_before(job, file)
                job = self._steps.upload(job, file)
            judged = self._judged.set if file is not None else _nothing  # a dead run's job says nothing of today
            job, result = self._steps.result(job, may_exist=file is None, created=judged)
            self._recorder.call_succeeded()
            self._record(pending, job, result)
        except NotCreatedError as failure:
            if file is not None and failure.code in NOT_ALLOWED and not self._judged.is_set():
                self._ledger.give_back(job, failure.code)
                self._in_flight.end(flight)
                self.refusal = failure.error
                return
            if file is not None and self._fails_for_itself(failure.error, began):
                self._recorder.record(pending, upload_failed(job, failure.error), Channel.BULK_WRITE, job)
                self._in_flight.end(flight)
                return
            self._ledger.give_back(job, failure.code)
            self._recorder.due_again(pending, len(job.manifest))
            self._in_flight.end(flight)
            self._not_created(job, failure.error)
            return
        except UnansweredError as unanswered:
            logger.warning("%d orders of stream %r are due again: %s", len(job.manifest), job.stream, unanswered)
            self._recorder.record(pending, self._steps.outcomes(job, None), Channel.BULK_WRITE, job)
        except (LostAnswer, StillRunningError) as still:
            logger.warning(
                "The bulk write job %s of %d orders of stream %r (%s, ...) is left to the next run: %s "
                "`orders-sync jobs` lists it, and with `--abandon` its orders are sent again.",
                job.short_id,
                len(job.manifest),
                job.stream,
                ", ".join(repr(key) for key in islice(job.manifest.texts(), SAMPLE_KEYS)),
                still,
            )
            return  # its orders are in flight still
        finally:
            self._follow_ups.discard(job.job_id)
            if file is not None:
                self._judged.set()
        self._in_flight.end(flight)

    def _keep_before(self, job: JournalledJob, file: BulkFile) -> None:
        """Keep what the records of a job's orders hold; none is written where that cannot be read."""
        if file.operation is Operation.INSERT or not self._before.is_asked:
            return
        try:
            self._before.keep(file.mapping, job.manifest.texts())
        except ZohoError as error:
            file.path.unlink(missing_ok=True)
            raise NotCreatedError(error) from error

    def _fails_for_itself(self, error: ZohoError, began: float) -> bool:
        """Whether a file was not uploaded, or no job made of it, for no clear reason while other calls get through."""
        return blames_nobody(error) and self._steps.gets_through(began)

    def _record(self, pending: PendingRecords | None, job: JournalledJob, result: Path | None) -> None:
        """Turn a result into acks, once its orders are followed up."""
        # All orders of a job that was given up are sent again, with all that belongs to them.
        if not self._follow_ups or (result is None and job.step is JobStep.GIVEN_UP):
            with self._steps.rows_lock:
                self._recorder.record(pending, self._outcomes(job, result), Channel.BULK_WRITE, job)
            return
        with self._following_up:
            with self._steps.rows_lock:
                outcomes = self._ledger.without_conflicts(self._outcomes(job, result), job)
            outcomes = self._follow_ups.after_job(job, outcomes)
            with self._steps.rows_lock:
                self._recorder.record(pending, outcomes, Channel.BULK_WRITE, job)

    def _outcomes(self, job: JournalledJob, result: Path | None) -> list[Outcome]:
        outcomes = self._steps.outcomes(job, result)
        if operation_in_job(job.create_body) is not Operation.INSERT:
            return outcomes
        if self._policy.operation is Operation.UPSERT:
            return [_to_be_read(each) for each in outcomes]
        created_twice = job.credits > JOB_CREDITS
        return self._insertion.judge(outcomes, job) if created_twice else outcomes

    def _not_created(self, job: JournalledJob, error: ZohoError) -> None:
        """Note why Zoho has no such job, whose orders are due again.

        Raises:
            ZohoError: what ends the run.
        """
        if self._recorder.ends_budget(error):
            return
        if not isinstance(error, TransientError):
            raise error from None
        self._recorder.call_failed(error)
        logger.warning("%d orders of stream %r are due again: %s", len(job.manifest), job.stream, error)


def _to_be_read(outcome: Outcome) -> Outcome:
    """An order that was taken for new, and whose record is there: a call reads it before it writes."""
    if outcome.code != ZohoCode.DUPLICATE_DATA:
        return outcome
    return structs.replace(outcome, code=OwnCode.RECORD_NOT_AS_KNOWN, family=Family.TRANSIENT)


def _halves(batch: Batch) -> list[Batch]:
    entries = list(batch.entries.items())
    middle = len(entries) // 2
    return [replace(batch, entries=dict(part)) for part in (entries[:middle], entries[middle:])]


def _nothing() -> None: ...
