"""Whole orders by bulk write jobs: a job for the orders, then jobs for their lines, and only then the orders' acks.

The jobs of lines are journalled all at once, before the first of them is sent, and name the orders' job. A run that
adopts that job goes on with theirs. Where it cannot know whether all lines of an order are written, the order is due
again, with all its lines: to write it once more doubles nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from sync_databases.chunks import chunks_of
from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.tables import OPEN_STEPS, JobStep
from target_zoho_crm.batch import Batch, Channel
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, ids_of
from target_zoho_crm.lines.line_calls import LinesByCalls
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.lines.line_spool import LinesSpool
from target_zoho_crm.lines.line_upserts import lines_of, refusals, without
from target_zoho_crm.links.link_jobs import LinkedOrderJobs
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.writing.bulk_write import BulkFile
from target_zoho_crm.writing.child_failures import Faults, unwritten, whole
from target_zoho_crm.writing.child_jobs import RowsFile, Sizes
from target_zoho_crm.writing.csv_files import write_bulk_zip
from target_zoho_crm.writing.routing import LineCounts, lines_way
from target_zoho_crm.writing.workers import JobWorkers

_ORDERS_AT_ONCE = 2_500


class WholeOrderJobs(LinkedOrderJobs):
    """Writes batches of orders with their lines."""

    def __init__(
        self,
        destination: Destination,
        workers: JobWorkers,
        spool: Path,
        *,
        job_wait_seconds: float,
        mapping: FieldMapping,
        sizes: Sizes,
        lines: LinesByCalls,
    ) -> None:
        """As for orders with links; `lines` writes those that go by calls."""
        super().__init__(destination, workers, spool, job_wait_seconds=job_wait_seconds, mapping=mapping, sizes=sizes)
        self._lines = lines
        self._kept_lines: dict[str, LinesSpool] = {}

    def start(self, batch: Batch) -> None:
        """Send a batch, without the orders that have a line which cannot be written."""
        refused: dict[str, Refusal] = {}
        owners: dict[str, str] = {}
        for part in chunks_of(lines_of(batch).items(), _ORDERS_AT_ONCE):
            refused.update(self._lines.lines.check(self._lines.lines.read(dict(part), owners)))
        if refused:
            self._to.conclude(batch.pending, refusals(batch, refused), Channel.BULK_WRITE)
        rest = without(batch, refused)
        if rest.entries:
            super().start(rest)

    def _keep(self, job: JournalledJob, batch: Batch) -> None:
        super()._keep(job, batch)
        self._kept_lines[job.job_id] = LinesSpool.write(self._spool / f"{job.job_id}.lines", lines_of(batch))

    def _complete(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """Write links, then lines."""
        outcomes = super()._complete(job, outcomes)
        kept = self._kept_lines.pop(job.job_id, None)
        if kept is None:
            return self._resumed(job, outcomes)
        try:
            return self._write_lines(job, outcomes, kept)
        finally:
            kept.remove()

    # Lines of this run

    def _write_lines(self, job: JournalledJob, outcomes: list[Outcome], kept: LinesSpool) -> list[Outcome]:
        """Write the lines by jobs or by calls, as costs less.

        Rows of a subform go by a job only where the order is new: a job adds rows, so there must be none.
        """
        lines = self._lines.lines
        ids = ids_of(outcomes)
        new = {outcome.key for outcome in outcomes if outcome.action == CREATED}
        counts = kept.counts()
        able = {order: id_ for order, id_ in ids.items() if order in new} if lines.in_subform else ids
        by_job = dict(islice(able.items(), self._by_jobs([counts.get(order, 0) for order in able])))
        if not by_job:
            return self._by_calls(outcomes, kept)
        faults: Faults = {}
        self._by_lines_jobs(job, by_job, kept, faults)
        by_calls = [outcome for outcome in outcomes if outcome.key in ids and outcome.key not in by_job]
        if by_calls:
            written = {outcome.key: outcome for outcome in self._by_calls(by_calls, kept)}
            outcomes = [written.get(outcome.key, outcome) for outcome in outcomes]
        if not lines.in_subform:
            others = [outcome for outcome in outcomes if outcome.key in by_job and outcome.key not in new]
            for rows in kept.read({outcome.key for outcome in others}, lines):
                self._lines.take_away(others, rows, faults)
        return whole(outcomes, faults)

    def _by_jobs(self, counts: Sequence[int]) -> int:
        """Of how many of the orders the lines go by jobs; `counts` are their lines."""
        sizes = self._sizes
        return lines_way(
            LineCounts(counts, self._lines.lines.in_subform),
            0,
            len(counts),
            channel=sizes.channel,
            bulk_rows=sizes.bulk_rows,
            bulk_threshold=sizes.bulk_threshold,
        ).records

    def _by_calls(self, outcomes: list[Outcome], kept: LinesSpool) -> list[Outcome]:
        by_key = {outcome.key: outcome for outcome in outcomes}
        for rows in kept.read(ids_of(outcomes), self._lines.lines):
            written = self._lines.write([by_key[order] for order in rows.stated], rows)
            by_key.update((outcome.key, outcome) for outcome in written)
        return list(by_key.values())

    def _by_lines_jobs(self, job: JournalledJob, ids: Mapping[str, str], kept: LinesSpool, faults: Faults) -> None:
        to = self._to
        begun: list[tuple[JournalledJob, BulkFile]] = []
        with self._by_row:
            for rows in kept.in_portions(ids, self._lines.lines, self._sizes.bulk_rows):
                begun += self._files(job, ids, rows)
        to.ledger.intend_child_jobs([child for child, _ in begun])
        with self._workers.at_zoho, self._lines.traffic.writing():
            created = [self._begin(child, file, faults) for child, file in begun]
            for child in created:
                if child is not None:
                    self._end(child, faults)

    def _files(
        self, job: JournalledJob, ids: Mapping[str, str], rows: LineRows
    ) -> Iterator[tuple[JournalledJob, BulkFile]]:
        """Write the file of a job of lines, or two where it would be too large."""
        lines = self._lines.lines
        child_id = uuid.uuid4().hex
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
        kind = RowsFile if lines.in_subform else BulkFile
        yield child, kind(path, lines.with_order, self._to.ignore_empty)

    # Lines of a dead run

    def _resumed(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        module = self._lines.lines.module
        children = [each for each in self._to.ledger.child_jobs(job.job_id) if each.module == module]
        faults: Faults = {}
        keys: dict[str, set[str]] = {}
        lost = not children
        for child in children:
            adds_rows = self._lines.lines.in_subform
            created = self._created(child, adds_rows=adds_rows) if child.step in OPEN_STEPS else None
            if created is None:
                lost = True
                continue
            self._end(created, faults)
            for key, order in child.manifest.texts().items():
                keys.setdefault(order, set()).add(key)
        for outcome in outcomes:
            # An order that is in no job of lines has none, or was to have them written by calls.
            if lost or outcome.key not in keys:
                faults.setdefault(outcome.key, []).append(unwritten("the run ended before they were written"))
        rows = LineRows()
        for order, of_order in keys.items():
            rows.add(LineRows([order] * len(of_order), list(of_order), [], [order]))
        self._lines.take_away(outcomes, rows, faults)
        return whole(outcomes, faults)
