"""Bulk write jobs that belong to a job of orders: they write what no CSV of orders holds, and only then come the acks.

They are journalled all at once, before the first of them is sent, and name the orders' job. A run that adopts that job
goes on with theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from sync_ledger.job_journal import JournalledJob
from sync_ledger.tables import OPEN_STEPS, JobStep
from target_zoho_crm.api.errors import Gone, QuotaError, TransientError, blames_nobody
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.writing.child_failures import ChildFailure, ChildFailures, ChildKind, of_outcome
from target_zoho_crm.writing.job_steps import CREATE_ATTEMPTS, BulkFile, JobSteps, NotCreatedError


@dataclass(frozen=True, slots=True)
class ChildJob:
    """A job whose rows are lines or links of the orders of another job.

    `adds_rows`: a second job would add them once more, so that it is created once and by nobody again. `field` is the
    field of the orders that its rows are of, where these have no names of their own; `key_columns` says how many of the
    columns that its result repeats make up a row's key.
    """

    job: JournalledJob
    kind: ChildKind
    adds_rows: bool
    field: str | None = None
    key_columns: int = 1

    def owners(self) -> dict[str, str]:
        """The key of the order that each row is of, by the row's key: what the journal keeps as the job's manifest."""
        return self.job.manifest.texts()

    def failure(self, outcome: Outcome) -> ChildFailure:
        """Why one of its rows was not written."""
        return of_outcome(outcome, self.kind, self.field)


class ChildJobs:
    """Begins, ends and resumes the jobs that belong to jobs of one stream's orders."""

    def __init__(self, *, steps: JobSteps, ledger: StreamLedger, recorder: Recorder) -> None:
        """`steps` are those of the orders' jobs."""
        self._steps = steps
        self._ledger = ledger
        self._recorder = recorder

    def write(
        self,
        files: Iterable[tuple[ChildJob, BulkFile]],
        failures: ChildFailures,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        """Journal, send and await the jobs of these files; what is not written is added to `failures`.

        The files are made here, while no other job's rows are in memory. `turn` is held while the jobs are under way.

        Raises:
            ZohoError: what ends the run.
            LostAnswer, StillRunningError: what became of one is not known yet; the next run goes on with all of them.
        """
        with self._steps.rows_lock:
            children = list(files)
        self._ledger.intend_child_jobs([child.job for child, _ in children])
        with self._steps.at_zoho, turn or nullcontext():
            begun = [self._begin(child, file, failures) for child, file in children]
            for child in begun:
                if child is not None:
                    self._end(child, failures)

    def resume(self, child: ChildJob, failures: ChildFailures) -> bool:
        """Go on with a dead run's job; False where it is over, or nobody knows what became of its rows."""
        if child.job.step not in OPEN_STEPS:
            return False
        created = self._created(child)
        if created is None:
            return False
        self._end(created, failures)
        return True

    def _begin(self, child: ChildJob, file: BulkFile, failures: ChildFailures) -> ChildJob | None:
        """Create a job; None where Zoho surely has none, and its orders are due again."""
        attempts = 1 if child.adds_rows else CREATE_ATTEMPTS
        try:
            job = self._steps.create(self._steps.upload(child.job, file), may_exist=False, attempts=attempts)
        except NotCreatedError as failure:
            error = failure.error
            self._ledger.give_back(child.job, failure.code)
            if not isinstance(error, (TransientError, QuotaError)):
                raise error from None
            self._recorder.call_failed(error, settled=blames_nobody(error))
            failures.of_error(error, set(child.owners().values()), child.kind)
            return None
        return replace(child, job=job)

    def _created(self, child: ChildJob) -> ChildJob | None:
        """Create a job that is only uploaded; None where that is not safe: nobody knows whether it exists already."""
        if child.job.step is not JobStep.UPLOADED:
            return child
        if child.adds_rows:
            self._ledger.give_back(child.job, child.kind.unwritten)
            return None
        try:
            return replace(child, job=self._steps.create(child.job, may_exist=True))
        except Gone:
            self._ledger.give_back(child.job, child.kind.unwritten)
            return None

    def _end(self, child: ChildJob, failures: ChildFailures) -> None:
        """Wait for a job, and note what was not written."""
        result = self._steps.fetch(child.job, self._steps.wait_for_end(child.job))
        self._recorder.call_succeeded()
        with self._steps.rows_lock:
            outcomes = self._steps.outcomes(child.job, result, key_columns=child.key_columns)
            failed = [outcome for outcome in outcomes if outcome.status is not Status.SYNCED]
            if failed:
                owners = child.owners()
                for outcome in failed:
                    failures.add(child.failure(outcome), owners[outcome.key])
