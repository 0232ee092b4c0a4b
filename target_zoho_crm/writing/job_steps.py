"""One bulk write job through its steps: upload -> create -> wait for its end -> fetch its result -> outcomes.

Each step is journalled before the next begins, so that a run which finds a dead run's job goes on where it stopped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.retry_schedules import (
    JOB_CREATION,
    JOB_CREATION_HOURS,
    JOB_POLLS,
    JOB_POLLS_BESIDE_CALLBACKS,
    RESULT_READING,
    UNKNOWN_JOBS,
)
from sync_ledger.tables import JobStep
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.calls import Fence
from target_zoho_crm.api.client import JobAnswer, ZohoClient
from target_zoho_crm.api.code_kinds import Place
from target_zoho_crm.api.codes import CODES, JOB_OUTDATED, OF_EVERY_CALL, Family, OwnCode
from target_zoho_crm.api.costs import JOB_CREDITS
from target_zoho_crm.api.errors import (
    AnswerError,
    ConfigurationError,
    Gone,
    LostAnswer,
    TransientError,
    ZohoError,
    request_error,
)
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.api.places import Places
from target_zoho_crm.confirmation.laws import are_of_rows
from target_zoho_crm.confirmation.operation_outcomes import by_operation
from target_zoho_crm.confirmation.outcomes import Outcome, Status, ids_of
from target_zoho_crm.confirmation.stream_in_doubt import StreamInDoubt
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.references import parents_in_job
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.child_failures import with_failures
from target_zoho_crm.writing.csv_files import job_body, operation_in_job, with_callback
from target_zoho_crm.writing.given_up_jobs import GivenUpJobs, StillRunningError
from target_zoho_crm.writing.job_polling import Pauses, PollWakeup
from target_zoho_crm.writing.result_files import job_outcomes
from target_zoho_crm.writing.spool import spooling
from target_zoho_crm.writing.zipped_rows import ZippedRows, row_failures, rows_in_job

CREATE_ATTEMPTS = JOB_CREATION.attempts
"""A second job after a lost answer costs 500 credits, and both hold the same versions; the first one is in doubt."""

CREATION_MOST = timedelta(hours=JOB_CREATION_HOURS)
"""A job that no run could create by then, for no clear reason, would hold up its orders for ever."""

RESULT_ATTEMPTS = RESULT_READING.attempts
"""How often a result is fetched that cannot be read: a gateway's page passes, a damaged file stays what it is."""

CONTINUOUS_PAUSE_SECONDS = UNKNOWN_JOBS.first_pause
"""Before a lasting run checks again for a job of which it does not know enough."""

logger = logging.getLogger("target-zoho-crm")


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A job's zip, the mapping that says what its columns are, and the hashes of its orders by key, if asked for.

    Without `finds_records` the job matches no record by its key: it only adds rows, such as those of a subform. `rows`
    are those of a subform that lie in the zip too.
    """

    path: Path
    mapping: FieldMapping
    ignore_empty: bool
    operation: Operation = Operation.UPSERT
    finds_records: bool = True
    payload_hashes: Manifest | None = None
    rows: ZippedRows | None = None

    def body(self, module: str, file_id: str) -> str:
        """The JSON that creates the job, once the file is uploaded."""
        return job_body(
            module,
            file_id,
            self.mapping,
            ignore_empty=self.ignore_empty,
            operation=self.operation,
            finds_records=self.finds_records,
            further=[self.rows.resource(file_id, ignore_empty=self.ignore_empty)] if self.rows is not None else (),
        ).decode()


class NotCreatedError(Exception):
    """Zoho surely has no such job: its orders are due again."""

    def __init__(self, error: ZohoError) -> None:
        super().__init__(str(error))
        self.error = error
        self.code = error.code


class UnansweredError(Exception):
    """Zoho may have such a job, or even two, and nobody can find it: it is in doubt, and its orders are due again."""


class JobSteps:
    """Takes the jobs of one stream from step to step. Safe for threads."""

    def __init__(
        self,
        policy: StreamPolicy,
        *,
        client: ZohoClient,
        ledger: StreamLedger,
        in_doubt: StreamInDoubt,
        spool: Path,
        job_wait_seconds: float,
        at_zoho: Places,
    ) -> None:
        """Results lie in `spool` until they are read; a job that takes longer than `job_wait_seconds` is left."""
        self._policy = policy
        self._client = client
        self._ledger = ledger
        self._in_doubt = in_doubt
        self._spool = spool
        self._job_wait_seconds = job_wait_seconds
        self.at_zoho = at_zoho
        """Held from a job's creation to its end: Zoho may have only so many at a time."""
        self._pauses = Pauses(JOB_POLLS if policy.callback_url is None else JOB_POLLS_BESIDE_CALLBACKS)
        self._given_up = GivenUpJobs(client, ledger, self.fetch)
        self.rows_lock = threading.Lock()
        """Held while a job's rows are in memory: those of one job at a time, however many are in flight."""

    def gets_through(self, since: float) -> bool:
        """Whether calls get through: any has since that moment of `time.monotonic`, or does now."""
        return self._client.gets_through(since)

    def result(
        self, job: JournalledJob, *, may_exist: bool, created: Callable[[], None] = lambda: None
    ) -> tuple[JournalledJob, Path | None]:
        """Create a job where it is only uploaded, and wait for its result; a lasting run does so until it has it.

        `created` is called once the job is there.

        Raises:
            NotCreatedError: Zoho surely has no such job.
            UnansweredError: it may have one, and nobody can find it.
            LostAnswer, StillRunningError: what became of it is not known yet; the next run goes on with it.
        """
        told = ""
        while True:
            try:
                if may_exist and (given_up := self._ledger.given_up_for(job.job_id)) is not None:
                    return replace(job, step=JobStep.GIVEN_UP), self._given_up.result(job, given_up)
                with self.at_zoho:
                    if job.step is JobStep.UPLOADED:
                        job = self._created(job, may_exist=may_exist)
                    created()
                    ended = self.wait_for_end(job)
                return job, self.fetch(job, ended)
            except Gone as error:
                logger.warning("A dead run's job of stream %r cannot be created any more: %s", job.stream, error)
                return job, None
            except (LostAnswer, StillRunningError) as error:
                if not self._policy.continuous:
                    raise
                created()  # for all that is known
                if str(error) != told:
                    logger.warning("A bulk write job of stream %r is looked for again: %s", job.stream, error)
                told, may_exist = str(error), True
            wait_or_stop(self._client.stop, CONTINUOUS_PAUSE_SECONDS)

    def upload(self, job: JournalledJob, file: BulkFile) -> JournalledJob:
        """Upload a job's file, which is removed from the disk.

        Raises:
            NotCreatedError: it did not arrive.
        """
        try:
            file_id = self._client.upload(file.path, self._ledger.sending_without_orders())
        except ZohoError as error:
            raise NotCreatedError(error) from error
        finally:
            file.path.unlink(missing_ok=True)
        body = file.body(job.module, file_id)
        self._ledger.step(job.job_id, JobStep.UPLOADED, file_id=file_id, create_body=body)
        return replace(job, step=JobStep.UPLOADED, file_id=file_id, create_body=body)

    def _created(self, job: JournalledJob, *, may_exist: bool) -> JournalledJob:
        try:
            return self.create(job, may_exist=may_exist)
        except LostAnswer as error:
            raise UnansweredError(str(error)) from error

    def create(self, job: JournalledJob, *, may_exist: bool, attempts: int = CREATE_ATTEMPTS) -> JournalledJob:
        """Create the job. What may exist after a lost answer stays journalled as uploaded, for the next run, for a day.

        `may_exist`: an earlier run may have created it already, which a refusal now does not tell.

        Raises:
            NotCreatedError: Zoho surely has no such job.
            Gone: an earlier run's job can never be created any more.
            LostAnswer: nobody knows whether it exists.
        """
        callback_url = self._policy.callback_url
        body = job.create_body or ""
        if callback_url is not None:
            body = with_callback(body, callback_url)
        before = JOB_CREDITS if may_exist else 0
        for attempt in range(1, attempts + 1):
            try:
                zoho_job_id = self._client.create_job(body.encode(), self._fence(job))
                break
            except LostAnswer as error:
                may_exist = True
                self._in_doubt.job_may_exist()
                if attempt == attempts:
                    if before and self._ledger.age_of(job.job_id) >= CREATION_MOST:
                        raise error.turned(Gone) from error
                    raise
            except ZohoError as error:
                if not may_exist:
                    raise NotCreatedError(error) from error
                if before and error.code in JOB_OUTDATED:
                    raise error.turned(Gone) from error
                if isinstance(error, TransientError) or _of_this_job(error):
                    raise error.turned(LostAnswer) from error
                raise
        what = "orders" if job.parent_job_id is None else f"rows of {job.module}"
        credits_spent = before + attempt * JOB_CREDITS
        self._ledger.step(job.job_id, JobStep.CREATED, zoho_job_id=zoho_job_id, credits=credits_spent)
        logger.info("Bulk write job %s: %d %s of stream %r", zoho_job_id, len(job.manifest), what, job.stream)
        return replace(job, step=JobStep.CREATED, zoho_job_id=zoho_job_id, credits=credits_spent)

    def _fence(self, job: JournalledJob) -> Fence:
        """The fence of a job's creation. Of a job of lines or links their orders are noted, which are written again."""
        if job.parent_job_id is None:
            return self._ledger.sending(WriteKind.JOB, job.manifest, job_id=job.job_id)
        if self._policy.operation is Operation.INSERT:  # nothing writes such orders again
            return self._ledger.sending_without_orders()
        orders = dict.fromkeys(job.manifest.texts().values(), "")
        return self._ledger.sending(WriteKind.LINES, orders, job_id=job.job_id)

    def wait_for_end(self, job: JournalledJob) -> JobAnswer | None:
        """Poll until the job ends; None where Zoho does not know it any more.

        Raises:
            StillRunningError: its end was not seen.
        """
        with left_for_later():
            try:
                return self._poll(job)
            except Gone as error:
                logger.warning("Bulk write job %s of stream %r: %s", job.zoho_job_id, job.stream, error)
                return None

    def fetch(self, job: JournalledJob, ended: JobAnswer | None) -> Path | None:
        """Fetch the result of a job that has ended; None where there is none and its orders are due again.

        Raises:
            ConfigurationError: the job failed for a fault of the set-up; its orders are given back.
            StillRunningError: the result cannot be had now; the next run fetches it.
            SpoolError: the disk does not take the result; the next run fetches it.
        """
        if ended is None:
            return None
        if ended.download_url is not None:
            result = self._spool / f"{job.job_id}.result.zip"
            with left_for_later():
                try:
                    with spooling():
                        self._client.download(ended.download_url, result)
                except Gone as error:
                    logger.warning("Bulk write job %s of stream %r: %s", job.zoho_job_id, job.stream, error)
                    return None
                return result
        code = ended.code or "no code"
        if code in CODES and CODES[code].family is Family.CONFIGURATION:
            self._ledger.give_back(job, code)
            raise request_error(code, where=f"bulk write job {ended.job_id}", place=Place.JOB)
        logger.warning("Bulk write job %s of stream %r: %s, %s", ended.job_id, job.stream, ended.status.value, code)
        return None

    def outcomes(self, job: JournalledJob, result: Path | None, *, key_columns: int = 1) -> list[Outcome]:
        """Read a result; without one nothing is known, and an upsert by key may be repeated.

        `key_columns`: how many of the columns that the result repeats make up a row's key.

        Raises:
            StillRunningError: the outcomes are not those of the job's rows; it is left to the next run.
        """
        sent = job.manifest.texts()
        outcomes = self._read(job, sent, result, key_columns)
        attempts = 1
        while outcomes is None:
            result = self.fetch(job, self.wait_for_end(job)) if attempts < RESULT_ATTEMPTS else None
            attempts += 1
            outcomes = self._read(job, sent, result, key_columns)
        if not are_of_rows(outcomes, sent):
            raise StillRunningError(f"the result of job {job.zoho_job_id} was read as of other rows than it has")
        operation = operation_in_job(job.create_body)
        return outcomes if operation is Operation.UPSERT else by_operation(outcomes, operation)

    def _read(
        self, job: JournalledJob, sent: Mapping[str, str], result: Path | None, key_columns: int
    ) -> list[Outcome] | None:
        """The outcomes in a result; None where it cannot be read. A job without one leaves its orders due."""
        if result is None:
            return _all_due_again(job)
        try:
            parents, rows = parents_in_job(job.create_body), rows_in_job(job.create_body)
            found = job_outcomes(result, sent, parents, key_columns=key_columns, with_rows=rows is not None)
            return found if rows is None else with_failures(found, row_failures(result, ids_of(found), rows))
        except AnswerError as error:
            logger.warning("Bulk write job %s of stream %r: %s", job.zoho_job_id, job.stream, error)
            return None
        finally:
            result.unlink(missing_ok=True)

    def _poll(self, job: JournalledJob) -> JobAnswer:
        zoho_job_id, asked = job.zoho_job_id or "", self._policy.callback_url is not None
        wakeup = PollWakeup(self._client.stop, partial(self._ledger.called_back, job.job_id) if asked else None)
        began = time.monotonic()
        before = self._ledger.age_of(job.job_id).total_seconds()  # an earlier run, or an earlier turn, has waited too
        polled = 0.0
        while True:
            wakeup.wait(self._pauses.after(time.monotonic() - began, polled))
            asking_since = time.monotonic()
            answer = self._client.job(zoho_job_id)
            elapsed, polled = time.monotonic() - began, time.monotonic() - asking_since
            if answer.status.ended:
                self._pauses.took(elapsed)
                return answer
            if before + elapsed + self._pauses.after(elapsed) > self._job_wait_seconds:
                raise StillRunningError(f"job {zoho_job_id} is still {answer.status.value} after job_wait_seconds")


@contextmanager
def left_for_later() -> Iterator[None]:
    """What keeps failing while a job exists leaves the job to be looked for again: its trouble is its own."""
    try:
        yield
    except LostAnswer:
        raise
    except ZohoError as error:
        if isinstance(error, TransientError) or _of_this_job(error):
            raise StillRunningError(str(error)) from error
        raise


def _of_this_job(error: ZohoError) -> bool:
    return isinstance(error, ConfigurationError) and error.code not in OF_EVERY_CALL


def upload_failed(job: JournalledJob, error: ZohoError) -> list[Outcome]:
    """The outcomes of a job's orders whose file did not arrive: they go by calls from now on."""
    return _all_due_again(job, OwnCode.UPLOAD_FAILED.value, error.happened)


def _all_due_again(
    job: JournalledJob, code: str = OwnCode.JOB_WITHOUT_RESULT.value, message: str | None = None
) -> list[Outcome]:
    return [
        Outcome(key=key, version=version, status=Status.REJECTED, code=code, message=message, family=Family.TRANSIENT)
        for key, version in job.manifest.texts().items()
    ]
