"""The two writers of a stream, by what its orders have beside their plain fields: lines, links, or nothing."""

from __future__ import annotations

from pathlib import Path

from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.lines.line_jobs import WholeOrderJobs
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_upserts import WholeOrderUpserts
from target_zoho_crm.lines.module_lines import ModuleLines
from target_zoho_crm.lines.subform_lines import SubformLines
from target_zoho_crm.links.link_jobs import LinkedOrderJobs
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.settings import Settings
from target_zoho_crm.writing.bulk_write import BulkWriter
from target_zoho_crm.writing.child_jobs import Sizes
from target_zoho_crm.writing.upsert import UpsertWriter
from target_zoho_crm.writing.workers import JobWorkers, Workers


def writers(
    destination: Destination,
    mapping: FieldMapping,
    lines: CompiledLines | None,
    settings: Settings,
    *,
    channel: Channel,
    calls: Workers,
    jobs: JobWorkers,
    spool: Path,
) -> tuple[UpsertWriter, BulkWriter]:
    """The stream's writers; `lines` None: for orders alone."""
    wait, sizes = settings.job_wait_seconds, Sizes(channel, settings.bulk_rows, settings.bulk_threshold)
    if lines is not None:
        by_calls = (SubformLines if lines.in_subform else ModuleLines)(destination, lines)
        bulk = WholeOrderJobs(
            destination, jobs, spool, job_wait_seconds=wait, mapping=mapping, sizes=sizes, lines=by_calls
        )
        return WholeOrderUpserts(destination, calls, by_calls), bulk
    upserts = UpsertWriter(destination, calls)
    if mapping.apart:
        linked = LinkedOrderJobs(destination, jobs, spool, job_wait_seconds=wait, mapping=mapping, sizes=sizes)
        return upserts, linked
    return upserts, BulkWriter(destination, jobs, spool, job_wait_seconds=wait)
