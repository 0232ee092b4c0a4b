"""The lines of orders, written once their orders are in the CRM: by calls, or by jobs that belong to the orders' job.

Where it cannot be known whether all lines of an order are written, the order is due again, with all its lines: to write
it once more doubles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from sync_databases.chunks import chunks_of
from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, ids_of, own_refusals
from target_zoho_crm.lines.line_calls import LineCalls
from target_zoho_crm.lines.line_jobs import LineJobs
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.lines.line_spool import LineSpool
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.writing.child_failures import LINES, ChildFailures, unknown, with_failures
from target_zoho_crm.writing.routing import LineCounts, Routing, lines_way
from target_zoho_crm.writing.zipped_rows import RowsToZip, ZippedRows, rows_in_job

_ORDERS_AT_ONCE = 2_500


class LineFollowUp:
    """Follows orders up by their lines."""

    def __init__(
        self, lines: CompiledLines, *, calls: LineCalls, jobs: LineJobs, spool: Path, routing: Routing
    ) -> None:
        """Lines lie in `spool` until their orders are in the CRM."""
        self._lines = lines
        self._calls = calls
        self._jobs = jobs
        self._spool = spool
        self._routing = routing
        self._kept: dict[str, LineSpool] = {}

    def refuse(self, batch: Batch) -> tuple[Batch, list[Outcome]]:
        """Take out orders that have a line which cannot be written; the message names it."""
        refused: dict[str, Refusal] = {}
        owners: dict[str, str] = {}
        rows = LineRows()
        for part in chunks_of(encoded_lines(batch).items(), _ORDERS_AT_ONCE):
            rows = self._lines.read(dict(part), owners)
            refused.update(self._lines.check(rows))
        refusals = [
            structs.replace(outcome, message=refused[outcome.key].message) for outcome in own_refusals(batch, refused)
        ]
        rest = batch.without(refused)
        # The rows of one part are all there are, as those of a call, so that they need not be read again.
        return (replace(rest, lines=rows) if len(batch.entries) <= _ORDERS_AT_ONCE else rest), refusals

    @property
    def comes_with_new(self) -> bool:
        """Whether the CRM demands lines of a new order."""
        return self._lines.demanded

    def with_new(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """The lines of new orders, where they go with them."""
        return self._calls.with_new(batch.lines.of(batch.entries)) if self._lines.demanded else {}

    def rows_in_zip(self, batch: Batch) -> RowsToZip | None:
        """The lines of orders that a job makes, where they go with them."""
        lines = self._lines
        if not lines.demanded:
            return None
        rows = LineRows()
        for part in chunks_of(encoded_lines(batch).items(), _ORDERS_AT_ONCE):
            rows.add(lines.read(dict(part)))
        about = ZippedRows(lines.module, lines.in_zip, len(rows.keys))
        values = [(order, *row) for order, row in zip(rows.orders, rows.values, strict=True)]
        return RowsToZip(about, rows.keys, values)

    # After a call

    def after_call(self, batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:
        """Write the lines of a call's orders. Those that our own budget has no credits for are left as if unsent."""
        return [
            outcome
            for outcome in self._calls.write(outcomes, batch.lines, splits=True)
            if outcome.code != OwnCode.CREDIT_BUDGET
        ]

    # After a job

    def keep(self, job_id: str, batch: Batch) -> None:
        """Keep the lines of a job's orders, unless they go with them."""
        if self._lines.demanded:
            return
        self._kept[job_id] = LineSpool.write(self._spool / f"{job_id}.lines", encoded_lines(batch))

    def discard(self, job_id: str) -> None:
        """Remove them."""
        kept = self._kept.pop(job_id, None)
        if kept is not None:
            kept.remove()

    def after_job(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """Write the lines of a job's orders by jobs or by calls, as costs less.

        Rows of a subform go by a job only where the order is new: a job adds rows, so there must be none. What came in
        the zip of the orders is judged with them.
        """
        if rows_in_job(job.create_body) is not None:
            return outcomes
        kept = self._kept.get(job.job_id)
        if kept is None:
            return self._after_adopted_job(job, outcomes)
        ids = ids_of(outcomes)
        new = {outcome.key for outcome in outcomes if outcome.action == CREATED}
        counts = kept.counts()
        able = ids
        if self._lines.in_subform:
            most = self._routing.child_rows.most
            able = {order: id_ for order, id_ in ids.items() if order in new and counts.get(order, 0) <= most}
        by_job = dict(islice(able.items(), self._by_jobs([counts.get(order, 0) for order in able])))
        if not by_job:
            return self._by_calls(outcomes, kept)
        failures = ChildFailures()
        self._jobs.write(job, by_job, kept, failures)
        by_calls = [outcome for outcome in outcomes if outcome.key in ids and outcome.key not in by_job]
        if by_calls:
            written = {outcome.key: outcome for outcome in self._by_calls(by_calls, kept)}
            outcomes = [written.get(outcome.key, outcome) for outcome in outcomes]
        if not self._lines.in_subform:
            others = [outcome for outcome in outcomes if outcome.key in by_job and outcome.key not in new]
            for rows in kept.read({outcome.key for outcome in others}, self._lines):
                self._calls.delete_surplus(others, rows, failures)
        return with_failures(outcomes, failures)

    def _by_jobs(self, counts: Sequence[int]) -> int:
        """Of how many of the orders the lines go by jobs; `counts` are their lines."""
        return lines_way(LineCounts(counts, self._lines.in_subform), 0, len(counts), self._routing).records

    def _by_calls(self, outcomes: list[Outcome], kept: LineSpool) -> list[Outcome]:
        by_key = {outcome.key: outcome for outcome in outcomes}
        for rows in kept.read(ids_of(outcomes), self._lines):
            written = self._calls.write([by_key[order] for order in rows.stated], rows)
            by_key.update((outcome.key, outcome) for outcome in written)
        return list(by_key.values())

    def _after_adopted_job(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """Go on with the jobs of lines that a dead run began; what they do not tell makes orders due again."""
        children = self._jobs.of_parent(job.job_id)
        failures = ChildFailures()
        keys: dict[str, set[str]] = {}
        lost = not children
        for child in children:
            if not self._jobs.resume(child, failures):
                lost = True
                continue
            for key, order in child.owners().items():
                keys.setdefault(order, set()).add(key)
        for outcome in outcomes:
            # An order that is in no job of lines has none, or was to have them written by calls.
            if lost or outcome.key not in keys:
                failures.add(unknown("the run ended before they were written", LINES), outcome.key)
        rows = LineRows()
        for order, of_order in keys.items():
            rows.add(LineRows([order] * len(of_order), list(of_order), [], [order]))
        self._calls.delete_surplus(outcomes, rows, failures)
        return with_failures(outcomes, failures)


def encoded_lines(batch: Batch) -> Mapping[str, bytes | None]:
    """Each order's lines as JSON, by the order's key; None where its record does not state them.

    They stand behind the values of the mapped columns.
    """
    at = len(batch.mapping.columns)
    return {key: _stated(entry.values[at]) if len(entry.values) > at else None for key, entry in batch.entries.items()}


def _stated(value: Any) -> bytes | None:
    return None if value is msgspec.UNSET else value
