"""The two writers of a stream whose orders have lines, in place of those for orders alone."""

from __future__ import annotations

from pathlib import Path

from target_zoho_crm.bulk_write import BulkWriter
from target_zoho_crm.destination import Destination
from target_zoho_crm.lines.bulk_write import Sizes, WholeOrderJobs
from target_zoho_crm.lines.compiled import CompiledLines
from target_zoho_crm.lines.module_lines import ModuleLines
from target_zoho_crm.lines.subform_lines import SubformLines
from target_zoho_crm.lines.upsert import WholeOrderUpserts
from target_zoho_crm.routing import Channel
from target_zoho_crm.settings import Settings
from target_zoho_crm.upsert import UpsertWriter
from target_zoho_crm.workers import JobWorkers, Workers


def writers(
    destination: Destination,
    lines: CompiledLines | None,
    settings: Settings,
    *,
    channel: Channel,
    calls: Workers,
    jobs: JobWorkers,
    spool: Path,
) -> tuple[UpsertWriter, BulkWriter]:
    """The stream's writers; `lines` None: for orders alone."""
    wait = settings.job_wait_seconds
    if lines is None:
        return UpsertWriter(destination, calls), BulkWriter(destination, jobs, spool, job_wait_seconds=wait)
    by_calls = (SubformLines if lines.in_subform else ModuleLines)(destination, lines)
    sizes = Sizes(channel, settings.bulk_rows, settings.bulk_threshold)
    bulk = WholeOrderJobs(destination, jobs, spool, job_wait_seconds=wait, lines=by_calls, sizes=sizes)
    return WholeOrderUpserts(destination, calls, by_calls), bulk
