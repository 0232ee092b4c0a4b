"""Bulk write jobs of orders some of whose fields no CSV holds: these are written next, and only then come the acks.

The links of orders that have none yet go by jobs of the linking module, or by calls where these cost less. Links that
an order has no more are taken away by a call. A job adds links, so it is created once and by nobody again: after a lost
answer its orders are due again, and what they have is read anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from sync_databases.chunks import chunks_of
from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.tables import OPEN_STEPS, JobStep
from target_zoho_crm.api.codes import Family
from target_zoho_crm.api.costs import UPSERT_MAX_RECORDS
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, Status, ids_of
from target_zoho_crm.links.link_calls import Changes, change_fields
from target_zoho_crm.links.link_rows import Held, filled, gone, link_of, links_held, missing
from target_zoho_crm.links.link_spool import Kept, LinksSpool
from target_zoho_crm.mapping.converters import SecondStep
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn
from target_zoho_crm.writing.bulk_write import BulkFile
from target_zoho_crm.writing.child_failures import LINKS, UNWRITTEN, Fault, Faults, of_error, unwritten, whole
from target_zoho_crm.writing.child_jobs import JobsWithChildren, RowsFile, Sizes
from target_zoho_crm.writing.csv_files import write_bulk_zip
from target_zoho_crm.writing.result_files import KEY_SEPARATOR
from target_zoho_crm.writing.routing import links_way
from target_zoho_crm.writing.workers import JobWorkers

_ToAdd = dict[str, dict[str, tuple[str, ...]]]
"""The links to add: by field and order, the ids of the other records."""


class LinkedOrderJobs(JobsWithChildren):
    """Writes batches of orders, then their links, and clears their fields that hold nothing."""

    def __init__(
        self,
        destination: Destination,
        workers: JobWorkers,
        spool: Path,
        *,
        job_wait_seconds: float,
        mapping: FieldMapping,
        sizes: Sizes,
    ) -> None:
        """As for orders alone; `mapping` is the stream's."""
        super().__init__(destination, workers, spool, job_wait_seconds=job_wait_seconds)
        self._sizes = sizes
        self._key_field = mapping.key_field.api_name
        self._apart = {column.field.api_name: column for column in mapping.apart.values()}
        self._linking = {
            column.field.linking_module or "": column.field
            for column in self._apart.values()
            if column.apart is SecondStep.LINKS
        }
        self._kept_links: dict[str, LinksSpool] = {}

    def _keep(self, job: JournalledJob, batch: Batch) -> None:
        if self._apart:
            self._kept_links[job.job_id] = LinksSpool.write(self._spool / f"{job.job_id}.links", batch)

    def _complete(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        if not self._apart:
            return outcomes
        spool = self._kept_links.pop(job.job_id, None)
        if spool is None:
            return self._links_unknown(job, outcomes)
        try:
            return self._write_links(job, outcomes, spool.read())
        finally:
            spool.remove()

    def _write_links(self, job: JournalledJob, outcomes: list[Outcome], kept: Kept) -> list[Outcome]:
        in_the_crm = {outcome.key: outcome for outcome in outcomes if outcome.status is Status.SYNCED}
        faults: Faults = {}
        changes: dict[str, Changes] = {}
        to_add: _ToAdd = {}
        for name in kept.fields:
            column = self._apart[name]
            if not column.field.linking_module:
                continue
            wanted = {key: links[name] for key, links in kept.links.items() if name in links and key in in_the_crm}
            old = [
                outcome
                for key, outcome in in_the_crm.items()
                if outcome.action != CREATED and (key in wanted or not self._to.ignore_empty)
            ]
            held = self._held(column, old, faults)
            for key in {**dict.fromkeys(wanted), **held}:
                there, links = held.get(key, {}), wanted.get(key, ())
                if key in faults:
                    continue
                if not there:
                    to_add.setdefault(name, {})[key] = links
                elif rows := [*gone(there, links), *missing(column.field, there, links)]:
                    changes.setdefault(key, {})[name] = rows
        if not self._to.ignore_empty:
            old = [outcome for outcome in in_the_crm.values() if outcome.action != CREATED]
            self._clear(
                [name for name in kept.fields if not self._apart[name].field.linking_module], old, changes, faults
            )
        self._add(job, ids_of(outcomes), to_add, changes, faults)
        self._change([in_the_crm[key] for key in changes], changes, faults)
        return whole(outcomes, faults)

    def _held(self, column: MappedColumn, orders: Collection[Outcome], faults: Faults) -> dict[str, Held]:
        """The links that orders have, by their key; what cannot be asked for is a fault of theirs."""
        key_of = {outcome.zoho_id or "": outcome.key for outcome in orders}
        try:
            held = links_held(self._to.client, column.field, key_of)
        except (TransientError, QuotaError) as error:
            self._failed(error, key_of.values(), faults)
            return {}
        return {key_of[order]: links for order, links in held.items()}

    def _clear(
        self, names: Collection[str], orders: Collection[Outcome], changes: dict[str, Changes], faults: Faults
    ) -> None:
        """Clear fields of orders that hold something in the CRM: their legacy orders have nothing there."""
        if not names:
            return
        key_of = {outcome.zoho_id or "": outcome.key for outcome in orders}
        try:
            found = filled(self._to.client, self._to.module, names, key_of)
        except (TransientError, QuotaError) as error:
            self._failed(error, key_of.values(), faults)
            return
        for order, key in key_of.items():
            if found[order]:
                changes.setdefault(key, {}).update(dict.fromkeys(found[order]))

    def _add(
        self, job: JournalledJob, ids: Mapping[str, str], to_add: _ToAdd, changes: dict[str, Changes], faults: Faults
    ) -> None:
        """Add links by jobs, or put them into the calls."""
        counts = [sum(map(len, links.values())) for links in to_add.values()]
        orders = {key for links in to_add.values() for key in links}
        sizes = self._sizes
        way = links_way(
            counts,
            len(orders),
            channel=sizes.channel,
            bulk_rows=sizes.bulk_rows,
            bulk_threshold=sizes.bulk_threshold,
        )
        if way.jobs:
            self._add_by_jobs(job, ids, to_add, faults)
            return
        for name, links in to_add.items():
            for key, others in links.items():
                changes.setdefault(key, {})[name] = missing(self._apart[name].field, {}, others)

    def _add_by_jobs(self, job: JournalledJob, ids: Mapping[str, str], to_add: _ToAdd, faults: Faults) -> None:
        with self._by_row:
            begun = [
                self._file(job, field, part)
                for name, links in to_add.items()
                for field in [self._apart[name].field]
                for part in chunks_of(_rows(ids, links), self._sizes.bulk_rows)
            ]
        self._to.ledger.intend_child_jobs([child for child, _ in begun])
        with self._workers.at_zoho:
            created = [self._begin(child, file, faults, LINKS) for child, file in begun]
            for child in created:
                if child is not None:
                    self._end(child, faults)

    def _file(
        self, job: JournalledJob, field: Field, rows: Collection[tuple[str, str, str]]
    ) -> tuple[JournalledJob, BulkFile]:
        """Write the file of a job of links, given as (order's key, order's id, the other's id)."""
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
        return child, RowsFile(path, mapping, self._to.ignore_empty)

    def _change(self, orders: Collection[Outcome], changes: Mapping[str, Changes], faults: Faults) -> None:
        for call in chunks_of(orders, UPSERT_MAX_RECORDS):
            try:
                told = change_fields(self._to, self._key_field, call, [changes[order.key] for order in call])
            except (TransientError, QuotaError) as error:
                self._failed(error, [order.key for order in call], faults)
                continue
            self._to.failed_calls.succeeded()
            for outcome in told:
                if outcome.status is not Status.SYNCED:
                    faults.setdefault(outcome.key, []).append(_fault_of(outcome, outcome.field))

    def _failed(self, error: TransientError | QuotaError, orders: Collection[str], faults: Faults) -> None:
        self._to.call_failed(error)
        for order in orders:
            faults.setdefault(order, []).append(of_error(error, LINKS))

    def _key_columns(self, job: JournalledJob) -> int:
        """A link has no key of its own: it is named by the ids at both its ends."""
        return 2 if self._is_of_links(job) else 1

    def _fault(self, child: JournalledJob, outcome: Outcome) -> Fault:
        if not self._is_of_links(child):
            return super()._fault(child, outcome)
        return _fault_of(outcome, self._linking[child.module].api_name)

    def _is_of_links(self, job: JournalledJob) -> bool:
        return job.parent_job_id is not None and job.module in self._linking

    def _links_unknown(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """A dead run's job: once its jobs of links are over, its orders are due again, whose links nobody knows."""
        for child in self._to.ledger.child_jobs(job.job_id):
            if self._is_of_links(child) and child.step in OPEN_STEPS:
                created = self._created(child, adds_rows=True, of=LINKS)
                if created is not None:
                    self._end(created, {})
        unknown = unwritten("the run ended before they were written", LINKS)
        return whole(outcomes, {outcome.key: [unknown] for outcome in outcomes})


def _rows(ids: Mapping[str, str], links: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, str]]:
    return ((key, ids[key], other) for key, others in links.items() for other in others)


def _mapping_of_links(field: Field) -> FieldMapping:
    """The mapping of rows of the linking module, whose key is the order's id."""
    order = Field(field.linking_parent or "", "lookup")
    other = Field(link_of(field), "lookup", lookup_module=field.linked_module)
    return FieldMapping(order, (MappedColumn("", other, None, None, None, csv_find_by="id"),), ())


def _fault_of(outcome: Outcome, field: str | None) -> Fault:
    code = outcome.code or UNWRITTEN[LINKS]
    return Fault(code, outcome.family or Family.TRANSIENT, field, outcome.message, of=LINKS)
