"""The Bulk Write API: jobs of up to 25,000 orders that survive the run that made them.

Each step is journalled before the next begins: intent -> uploaded -> created -> applied. A run that finds a dead
run's job goes on where it stopped: an uploaded file becomes a job, a created job is polled, and its result settled.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.retry_schedules import (
    JOB_CREATION,
    JOB_POLLS,
    JOB_POLLS_BESIDE_CALLBACKS,
    RESULT_READING,
    UNKNOWN_JOBS,
)
from sync_ledger.tables import JobStep
from target_zoho_crm.api.client import JobAnswer
from target_zoho_crm.api.codes import CODES, JOB_OUTDATED, Family, OwnCode
from target_zoho_crm.api.costs import BULK_JOB_CREDITS
from target_zoho_crm.api.errors import AnswerError, Gone, LostAnswer, TransientError, ZohoError, request_error
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.batch import Batch, Channel, PendingRecords
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.in_flight import Flight
from target_zoho_crm.confirmation.operation_outcomes import by_operation
from target_zoho_crm.confirmation.outcomes import Outcome, Status, own_refusals
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.references import parents_in_job
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.csv_files import job_body, operation_in_job, with_callback, write_bulk_zip
from target_zoho_crm.writing.insertion import Insertion
from target_zoho_crm.writing.job_polling import Pauses, Waking
from target_zoho_crm.writing.result_files import job_outcomes
from target_zoho_crm.writing.spool import spooling
from target_zoho_crm.writing.workers import JobWorkers

CREATE_ATTEMPTS = JOB_CREATION.attempts
"""A second job after a lost answer costs 500 credits and is harmless, since both hold the same versions."""

RESULT_ATTEMPTS = RESULT_READING.attempts
"""How often a result is fetched that cannot be read: a gateway's page passes, a damaged file stays what it is."""

CONTINUOUS_PAUSE_SECONDS = UNKNOWN_JOBS.first_pause
"""Before a lasting run looks again for a job of which it does not know enough."""

logger = logging.getLogger("target-zoho-crm")


class BulkWriter:
    """Writes batches by bulk write jobs, several in flight."""

    def __init__(self, destination: Destination, workers: JobWorkers, spool: Path, *, job_wait_seconds: float) -> None:
        """Files lie in `spool` until they are uploaded."""
        self._to = destination
        self._workers = workers
        self._spool = spool
        self._job_wait_seconds = job_wait_seconds
        # What takes memory by the row is done for one job at a time, however many are in flight.
        self._by_row = threading.Lock()
        self._pauses = Pauses(JOB_POLLS if destination.callback_url is None else JOB_POLLS_BESIDE_CALLBACKS)

    def start(self, batch: Batch) -> None:
        """Send a batch as one job, or as several where the file would be too large; returns once it is under way.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ended an earlier job and so the run.
        """
        to = self._to
        job_id = uuid.uuid4().hex
        path = self._spool / f"{job_id}.zip"
        mapping, positions = batch.mapping.in_file
        with self._by_row:
            # As the acks' index has them: written as they come, by their last change, each of its pages would be read
            # and written again and again.
            keys = sorted(batch.entries)
            batch = replace(batch, entries=dict(zip(keys, map(batch.entries.__getitem__, keys), strict=True)))
            values = map(attrgetter("values"), batch.entries.values())
            written = write_bulk_zip(path, mapping, keys, values, positions)
        if not written.fits and len(batch.entries) > 1:
            path.unlink()
            for half in _halves(batch):
                self.start(half)
            return
        if written.refusals:
            to.conclude(batch.pending, own_refusals(batch, written.refusals), Channel.BULK_WRITE)
        manifest = batch.manifest
        for key in written.refusals:
            del manifest[key]
        if not manifest:
            path.unlink()
            return
        flight = to.in_flight.begin(manifest)
        job = JournalledJob(job_id, to.stream, "", to.module, JobStep.INTENT, Manifest.of(manifest), credits=0)
        hashes = Manifest.of(batch.payload_hashes) if batch.payload_hashes else None
        file = BulkFile(path, mapping, to.ignore_empty, to.operation, hashes)
        self._keep(job, batch)
        self._workers.submit(self._deliver, batch.pending, job, flight, file)

    def _keep(self, job: JournalledJob, batch: Batch) -> None:
        """Keep what is to be written once the job's orders are in the CRM: here nothing."""

    def resume(self, job: JournalledJob) -> None:
        """Go on with a dead run's job where it stopped."""
        self._workers.submit(self._deliver, None, job, self._to.in_flight.begin(job.manifest.texts()), None)

    def _deliver(
        self, pending: PendingRecords | None, job: JournalledJob, flight: Flight, file: BulkFile | None
    ) -> None:
        """Take a job through all steps that are left."""
        to = self._to
        try:
            if file is not None:
                with self._by_row:
                    to.ledger.intend(job, file.payload_hashes.texts() if file.payload_hashes is not None else {})
                job = self._upload(job, file)
            job, result = self._result(job, may_exist=file is None)
            to.failed_calls.succeeded()
            self._settle(pending, job, result)
        except NotCreatedError as failure:
            to.ledger.give_back(job, failure.code)
            to.due_again(pending, len(job.manifest))
            to.in_flight.end(flight)
            if to.ends_budget(failure.error):
                return
            if not isinstance(failure.error, TransientError):
                raise failure.error from None
            to.failed_calls.failed(failure.error)
            logger.warning("%d orders of stream %r are due again: %s", len(job.manifest), to.stream, failure.error)
            return
        except (LostAnswer, StillRunningError) as still:
            logger.warning(
                "The bulk write job of %d orders of stream %r is left to the next run: %s",
                len(job.manifest),
                to.stream,
                still,
            )
            return
        to.in_flight.end(flight)

    def _result(self, job: JournalledJob, *, may_exist: bool) -> tuple[JournalledJob, Path | None]:
        """Create the job where it is only uploaded, and wait for its result; a lasting run does so until it has it."""
        while True:
            try:
                with self._workers.at_zoho:
                    if job.step is JobStep.UPLOADED:
                        job = self._create(job, may_exist=may_exist)
                    ended = self._await_end(job)
                return job, self._fetch(job, ended)
            except Gone as gone:
                logger.warning("A dead run's job of stream %r cannot be created any more: %s", self._to.stream, gone)
                return job, None
            except (LostAnswer, StillRunningError) as error:
                if not self._to.continuous:
                    raise
                logger.warning("A bulk write job of stream %r is looked for again: %s", self._to.stream, error)
                may_exist = True
            wait_or_stop(self._to.stop, CONTINUOUS_PAUSE_SECONDS)

    def _settle(self, pending: PendingRecords | None, job: JournalledJob, result: Path | None) -> None:
        """Turn a result into acks."""
        with self._by_row:
            self._to.conclude(pending, self._outcomes(job, result), Channel.BULK_WRITE, job)

    def _outcomes(self, job: JournalledJob, result: Path | None) -> list[Outcome]:
        """Read a result; without one nothing is known, and an upsert by key may be repeated."""
        outcomes = self._read(job, result)
        attempts = 1
        while outcomes is None:
            result = self._await_result(job) if attempts < RESULT_ATTEMPTS else None
            attempts += 1
            outcomes = self._read(job, result)
        if len(outcomes) != len(job.manifest):
            raise AssertionError(f"{len(outcomes)} outcomes for {len(job.manifest)} rows")
        operation = operation_in_job(job.create_body)
        if operation is Operation.UPSERT:
            return outcomes
        outcomes = by_operation(outcomes, operation)
        created_twice = job.credits > BULK_JOB_CREDITS
        if operation is Operation.INSERT and created_twice:
            return Insertion(self._to).judge(outcomes, job)
        return outcomes

    def _read(self, job: JournalledJob, result: Path | None) -> list[Outcome] | None:
        """The outcomes that a result tells; None where it cannot be read. A job without one leaves its orders due."""
        if result is None:
            return _all_due_again(job)
        try:
            parents = parents_in_job(job.create_body)
            return job_outcomes(result, job.manifest.texts(), parents, key_columns=self._key_columns(job))
        except AnswerError as error:
            logger.warning("Bulk write job %s of stream %r: %s", job.zoho_job_id, job.stream, error)
            return None
        finally:
            result.unlink(missing_ok=True)

    def _key_columns(self, _job: JournalledJob) -> int:
        """How many of the columns that the result repeats make up a row's key."""
        return 1

    def _upload(self, job: JournalledJob, file: BulkFile) -> JournalledJob:
        to = self._to
        try:
            to.ledger.guard()
            file_id = to.client.upload(file.path)
        except ZohoError as error:
            raise NotCreatedError(error) from error
        finally:
            file.path.unlink(missing_ok=True)
        body = file.body(job.module, file_id)
        to.ledger.step(job.job_id, JobStep.UPLOADED, file_id=file_id, create_body=body)
        return replace(job, step=JobStep.UPLOADED, file_id=file_id, create_body=body)

    def _create(self, job: JournalledJob, *, may_exist: bool, attempts: int = CREATE_ATTEMPTS) -> JournalledJob:
        """Create the job. What may exist after a lost answer stays journalled as uploaded, for the next run.

        `may_exist`: an earlier run may have created it already; a refusal now does not tell.

        Raises:
            Gone: an earlier run's job can never be created any more.
        """
        to = self._to
        body = job.create_body or ""
        if to.callback_url is not None:
            body = with_callback(body, to.callback_url)
        before = BULK_JOB_CREDITS if may_exist else 0
        for attempt in range(1, attempts + 1):
            try:
                zoho_job_id = to.client.create_job(body.encode(), guard=to.ledger.guard)
                break
            except LostAnswer:
                may_exist = True
                if attempt == attempts:
                    raise
            except ZohoError as error:
                if not may_exist:
                    raise NotCreatedError(error) from error
                if before and error.code in JOB_OUTDATED:
                    raise error.turned(Gone) from error
                if isinstance(error, TransientError):
                    raise error.turned(LostAnswer) from error
                raise
        what = "orders" if job.parent_job_id is None else f"rows of {job.module}"
        credits_spent = before + attempt * BULK_JOB_CREDITS
        to.ledger.step(job.job_id, JobStep.CREATED, zoho_job_id=zoho_job_id, credits=credits_spent)
        logger.info("Bulk write job %s: %d %s of stream %r", zoho_job_id, len(job.manifest), what, to.stream)
        return replace(job, step=JobStep.CREATED, zoho_job_id=zoho_job_id, credits=credits_spent)

    def _await_result(self, job: JournalledJob) -> Path | None:
        """Wait until the job ends, and fetch its result."""
        return self._fetch(job, self._await_end(job))

    def _await_end(self, job: JournalledJob) -> JobAnswer | None:
        """Poll until the job ends; None where Zoho does not know it any more."""
        with _left_for_later():
            try:
                return self._poll(job)
            except Gone as gone:
                logger.warning("Bulk write job %s of stream %r: %s", job.zoho_job_id, job.stream, gone)
                return None

    def _fetch(self, job: JournalledJob, ended: JobAnswer | None) -> Path | None:
        """Fetch the result of a job that has ended; None where there is none and its orders are due again.

        Raises:
            ConfigurationError: the job failed for a fault of the set-up; its orders are given back.
            SpoolError: the disk does not take the result; the next run fetches it.
        """
        to = self._to
        if ended is None:
            return None
        if ended.download_url is not None:
            result = self._spool / f"{job.job_id}.result.zip"
            with _left_for_later():
                try:
                    with spooling():
                        to.client.download(ended.download_url, result)
                except Gone as gone:
                    logger.warning("Bulk write job %s of stream %r: %s", job.zoho_job_id, job.stream, gone)
                    return None
                return result
        code = ended.code or "no code"
        if code in CODES and CODES[code].family is Family.CONFIGURATION:
            to.ledger.give_back(job, code)
            raise request_error(code, where=f"bulk write job {ended.job_id}")
        logger.warning("Bulk write job %s of stream %r: %s, %s", ended.job_id, job.stream, ended.status.value, code)
        return None

    def _poll(self, job: JournalledJob) -> JobAnswer:
        to, zoho_job_id = self._to, job.zoho_job_id or ""
        asked = to.callback_url is not None
        waking = Waking(to.stop, partial(to.ledger.called_back, job.job_id) if asked else None)
        began = time.monotonic()
        looked = 0.0
        while True:
            waking.wait(self._pauses.after(time.monotonic() - began, looked))
            asking_since = time.monotonic()
            answer = to.client.job(zoho_job_id)
            elapsed, looked = time.monotonic() - began, time.monotonic() - asking_since
            if answer.status.ended:
                self._pauses.took(elapsed)
                return answer
            if elapsed + self._pauses.after(elapsed) > self._job_wait_seconds:
                raise StillRunningError(f"job {zoho_job_id} is still {answer.status.value} after job_wait_seconds")


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A job's zip, the mapping that says what its columns are, and the hashes of its orders by key, if asked for."""

    path: Path
    mapping: FieldMapping
    ignore_empty: bool
    operation: Operation = Operation.UPSERT
    payload_hashes: Manifest | None = None

    def body(self, module: str, file_id: str) -> str:
        """The JSON that creates the job, once the file is uploaded."""
        return job_body(
            module, file_id, self.mapping, ignore_empty=self.ignore_empty, operation=self.operation
        ).decode()


class NotCreatedError(Exception):
    """Zoho surely has no such job: its orders are due again."""

    def __init__(self, error: ZohoError) -> None:
        super().__init__(str(error))
        self.error = error
        self.code = error.code


class StillRunningError(Exception):
    """The job exists and its end was not seen: the next run adopts it."""


@contextmanager
def _left_for_later() -> Iterator[None]:
    """What keeps failing while a job exists leaves the job to be looked for again."""
    try:
        yield
    except LostAnswer:
        raise
    except TransientError as error:
        raise StillRunningError(str(error)) from error


def _halves(batch: Batch) -> list[Batch]:
    entries = list(batch.entries.items())
    middle = len(entries) // 2
    return [replace(batch, entries=dict(part)) for part in (entries[:middle], entries[middle:])]


def _all_due_again(job: JournalledJob) -> list[Outcome]:
    return [
        Outcome(
            key=key, version=version, status=Status.REJECTED, code=OwnCode.JOB_WITHOUT_RESULT, family=Family.TRANSIENT
        )
        for key, version in job.manifest.texts().items()
    ]
