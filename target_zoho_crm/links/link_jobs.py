"""Bulk write jobs of the linking module: each row links one order to one other record."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from sync_databases.chunks import chunks_of
from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.tables import JobStep
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.links.link_rows import link_of
from target_zoho_crm.mapping.converters import SecondStep
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.child_failures import LINKS, ChildFailures
from target_zoho_crm.writing.child_jobs import ChildJob, ChildJobs
from target_zoho_crm.writing.csv_files import write_bulk_zip
from target_zoho_crm.writing.job_steps import BulkFile
from target_zoho_crm.writing.result_files import KEY_SEPARATOR

LinksToAdd = dict[str, dict[str, tuple[str, ...]]]
"""By field and order, the ids of the other records."""

KEY_COLUMNS = 2
"""A link has no key of its own: a job's result names it by the ids at both its ends."""


class LinkJobs:
    """The jobs of one stream's links."""

    def __init__(
        self,
        policy: StreamPolicy,
        mapping: FieldMapping,
        *,
        ledger: StreamLedger,
        child_jobs: ChildJobs,
        spool: Path,
        rows: int,
    ) -> None:
        """`rows` is the most that one job has; files lie in `spool` until they are uploaded."""
        self._policy = policy
        self._ledger = ledger
        self._child_jobs = child_jobs
        self._spool = spool
        self._rows = rows
        columns = [column for column in mapping.second_step.values() if column.second_step is SecondStep.LINKS]
        self._fields = {column.field.api_name: column.field for column in columns}
        self._by_module = {column.field.linking_module or "": column.field for column in columns}

    def add(self, job: JournalledJob, ids: Mapping[str, str], links: LinksToAdd, failures: ChildFailures) -> None:
        """Add links of a job's orders, whose ids are given by key; what is not written is added to `failures`."""
        files = (
            self._file(job, self._fields[name], part)
            for name, of_field in links.items()
            for part in chunks_of(_rows(ids, of_field), self._rows)
        )
        self._child_jobs.write(files, failures)

    def of_parent(self, job_id: str) -> list[ChildJob]:
        """The jobs that the journal has of the links of one job's orders."""
        return [self._child(job) for job in self._ledger.child_jobs(job_id) if job.module in self._by_module]

    def resume(self, child: ChildJob) -> None:
        """Wait for a dead run's job, whatever comes of it: its orders are due again."""
        self._child_jobs.resume(child, ChildFailures())

    def _file(
        self, job: JournalledJob, field: Field, rows: Collection[tuple[str, str, str]]
    ) -> tuple[ChildJob, BulkFile]:
        """Write the file of a job, of rows (order's key, order's id, the other's id)."""
        child_id = uuid.uuid4().hex
        path = self._spool / f"{child_id}.zip"
        mapping = _mapping_of_links(field)
        write_bulk_zip(path, mapping, [order for _, order, _ in rows], [(other,) for _, _, other in rows])
        manifest = Manifest.of({f"{order}{KEY_SEPARATOR}{other}": key for key, order, other in rows})
        child = JournalledJob(
            child_id,
            job.stream,
            "",
            field.linking_module or "",
            JobStep.INTENT,
            manifest,
            credits=0,
            parent_job_id=job.job_id,
        )
        ignore_empty = self._policy.ignore_empty
        return self._child(child), BulkFile(path, mapping, ignore_empty, Operation.INSERT, finds_records=False)

    def _child(self, job: JournalledJob) -> ChildJob:
        name = self._by_module[job.module].api_name
        return ChildJob(job, LINKS, adds_rows=True, field=name, key_columns=KEY_COLUMNS)


def _rows(ids: Mapping[str, str], links: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, str]]:
    return ((key, ids[key], other) for key, others in links.items() for other in others)


def _mapping_of_links(field: Field) -> FieldMapping:
    """The mapping of rows of the linking module, whose key is the order's id."""
    order = Field(field.linking_parent or "", "lookup")
    other = Field(link_of(field), "lookup", lookup_module=field.linked_module)
    return FieldMapping(order, (MappedColumn("", other, None, None, None, csv_find_by="id"),), ())
