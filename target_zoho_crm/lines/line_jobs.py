"""Bulk write jobs of lines, which belong to a job of orders: records of the lines' module, or rows of a subform."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.tables import JobStep
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_move_lock import LineMoveLock
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.lines.line_spool import LineSpool
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.child_failures import LINES, ChildFailures
from target_zoho_crm.writing.child_jobs import ChildJob, ChildJobs
from target_zoho_crm.writing.csv_files import write_bulk_zip
from target_zoho_crm.writing.job_steps import BulkFile


class LineJobs:
    """The jobs of one stream's lines."""

    def __init__(
        self,
        policy: StreamPolicy,
        lines: CompiledLines,
        *,
        ledger: StreamLedger,
        child_jobs: ChildJobs,
        move_lock: LineMoveLock,
        spool: Path,
        rows: int,
    ) -> None:
        """`rows` is the most that one job has; files lie in `spool` until they are uploaded."""
        self._policy = policy
        self._lines = lines
        self._ledger = ledger
        self._child_jobs = child_jobs
        self._move_lock = move_lock
        self._spool = spool
        self._rows = rows

    def write(self, job: JournalledJob, ids: Mapping[str, str], kept: LineSpool, failures: ChildFailures) -> None:
        """Write the lines of a job's orders, whose ids are given by key; what is not written is added to `failures`."""
        files = (
            file for rows in kept.in_portions(ids, self._lines, self._rows) for file in self._files(job, ids, rows)
        )
        self._child_jobs.write(files, failures, self._move_lock.writing())

    def of_parent(self, job_id: str) -> list[ChildJob]:
        """The jobs that the journal has of the lines of one job's orders."""
        return [self._child(job) for job in self._ledger.child_jobs(job_id) if job.module == self._lines.module]

    def resume(self, child: ChildJob, failures: ChildFailures) -> bool:
        """As `ChildJobs.resume`."""
        return self._child_jobs.resume(child, failures)

    def _files(self, job: JournalledJob, ids: Mapping[str, str], rows: LineRows) -> Iterator[tuple[ChildJob, BulkFile]]:
        """Write the file of a job, or two where it would be too large."""
        lines, child_id = self._lines, uuid.uuid4().hex
        path = self._spool / f"{child_id}.zip"
        values = ((ids[order], *row) for order, row in zip(rows.orders, rows.values, strict=True))
        written = write_bulk_zip(path, lines.with_order, rows.keys, values)
        if written.refusals:
            raise AssertionError("lines were checked before their orders were sent")
        if not written.fits and len(rows.keys) > 1:
            path.unlink()
            half = rows.take(len(rows.keys) // 2)
            yield from self._files(job, ids, half)
            yield from self._files(job, ids, rows)
            return
        manifest = Manifest.of(dict(zip(rows.keys, rows.orders, strict=True)))
        child = JournalledJob(
            child_id, job.stream, "", lines.module, JobStep.INTENT, manifest, credits=0, parent_job_id=job.job_id
        )
        operation = Operation.INSERT if lines.in_subform else Operation.UPSERT
        file = BulkFile(
            path, lines.with_order, self._policy.ignore_empty, operation, finds_records=not lines.in_subform
        )
        yield self._child(child), file

    def _child(self, job: JournalledJob) -> ChildJob:
        return ChildJob(job, LINES, adds_rows=self._lines.in_subform)
