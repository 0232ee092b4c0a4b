"""Puts the two writers of a stream together, with what follows its orders up: links, lines, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.confirmation.in_flight import InFlight
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_in_doubt import StreamInDoubt
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.confirmation.unattributed_failures import UnattributedFailures
from target_zoho_crm.lines.line_calls import LineCalls
from target_zoho_crm.lines.line_follow_up import LineFollowUp
from target_zoho_crm.lines.line_jobs import LineJobs
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.module_lines import ModuleLines
from target_zoho_crm.lines.subform_lines import SubformLines
from target_zoho_crm.lines.total_check import TotalCheck
from target_zoho_crm.links.link_calls import LinkCalls
from target_zoho_crm.links.link_follow_up import LinkFollowUp, has_links
from target_zoho_crm.links.link_jobs import LinkJobs
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.bulk_write import BulkWriter
from target_zoho_crm.writing.child_jobs import ChildJobs
from target_zoho_crm.writing.follow_up import FollowUp, FollowUps
from target_zoho_crm.writing.insertion import Insertion
from target_zoho_crm.writing.job_steps import JobSteps
from target_zoho_crm.writing.owned_fields import OwnedFields
from target_zoho_crm.writing.records_by_key import RecordsByKey
from target_zoho_crm.writing.records_read import RecordsRead
from target_zoho_crm.writing.routing import Routing
from target_zoho_crm.writing.upsert import UpsertWriter
from target_zoho_crm.writing.values_before import Besides, ValuesBefore, lines_to_keep
from target_zoho_crm.writing.workers import RunWorkers
from target_zoho_crm.writing.writer_pair import WriterPair


@dataclass(frozen=True)
class WriterParts:
    """What the writers of one stream are made of, whatever its schema; used here and handed to nobody."""

    policy: StreamPolicy
    client: ZohoClient
    ledger: StreamLedger
    in_doubt: StreamInDoubt
    recorder: Recorder
    in_flight: InFlight
    unattributed: UnattributedFailures
    records: RecordsByKey
    insertion: Insertion
    owned: OwnedFields
    before: ValuesBefore
    workers: RunWorkers
    spool: Path
    job_wait_seconds: float

    def writers(self, mapping: FieldMapping, lines: CompiledLines | None, routing: Routing) -> WriterPair:
        """The writers under one schema; `lines` None: for orders alone. `routing` is that of the follow-ups."""
        steps = JobSteps(
            self.policy,
            client=self.client,
            ledger=self.ledger,
            in_doubt=self.in_doubt,
            spool=self.spool,
            job_wait_seconds=self.job_wait_seconds,
            at_zoho=self.workers.jobs.at_zoho,
        )
        child_jobs = ChildJobs(steps=steps, ledger=self.ledger, recorder=self.recorder)
        each: list[FollowUp] = []
        if has_links(mapping):
            each.append(self._links(mapping, routing, child_jobs))
        if lines is not None:
            each.append(self._lines(lines, routing, child_jobs))
            if lines.settings.total_field is not None:
                each.append(self._totals(lines.settings.total_field, lines))
        follow_ups, before = FollowUps(tuple(each)), self.before_of(mapping, lines)
        upserts = UpsertWriter(
            self.policy,
            client=self.client,
            ledger=self.ledger,
            recorder=self.recorder,
            in_flight=self.in_flight,
            insertion=self.insertion,
            owned=self.owned,
            before=before,
            records=self.records,
            unattributed=self.unattributed,
            workers=self.workers.calls,
            follow_ups=follow_ups,
        )
        bulk = BulkWriter(
            self.policy,
            steps=steps,
            ledger=self.ledger,
            recorder=self.recorder,
            in_flight=self.in_flight,
            insertion=self.insertion,
            owned=self.owned,
            before=before,
            workers=self.workers.jobs,
            spool=self.spool,
            follow_ups=follow_ups,
        )
        return WriterPair(upserts, bulk)

    def before_of(self, mapping: FieldMapping, lines: CompiledLines | None) -> ValuesBefore:
        """What keeps the values that orders and their lines hold before they are written."""
        return replace(self.before, besides=_besides(mapping, lines))

    def _links(self, mapping: FieldMapping, routing: Routing, child_jobs: ChildJobs) -> LinkFollowUp:
        return LinkFollowUp(
            self.policy,
            mapping,
            client=self.client,
            recorder=self.recorder,
            calls=LinkCalls(self.policy, mapping.key_field.api_name, client=self.client, ledger=self.ledger),
            jobs=LinkJobs(
                self.policy,
                mapping,
                ledger=self.ledger,
                child_jobs=child_jobs,
                spool=self.spool,
                rows=routing.bulk_rows,
            ),
            spool=self.spool,
            routing=routing,
        )

    def _totals(self, field: str, lines: CompiledLines) -> TotalCheck:
        records = RecordsRead(self.client, self.policy.module)
        return TotalCheck(self.policy.stream, field, lines.settings.on_total_mismatch, records)

    def _lines(self, lines: CompiledLines, routing: Routing, child_jobs: ChildJobs) -> LineFollowUp:
        kind: type[LineCalls] = SubformLines if lines.in_subform else ModuleLines
        calls = kind(self.policy, lines, client=self.client, ledger=self.ledger, recorder=self.recorder)
        jobs = LineJobs(
            self.policy,
            lines,
            ledger=self.ledger,
            child_jobs=child_jobs,
            move_lock=calls.move_lock,
            spool=self.spool,
            rows=routing.line_rows(in_subform=lines.in_subform),
        )
        return LineFollowUp(lines, calls=calls, jobs=jobs, spool=self.spool, routing=routing)


def _besides(mapping: FieldMapping, lines: CompiledLines | None) -> Besides:
    """What is written of an order besides its own fields, as far as undo needs to know of it."""
    links = "links" if has_links(mapping) else None
    if lines is None:
        return Besides(partly=links)
    subform = lines.settings.subform if lines.in_subform else None
    fields = [each.field for each in lines.mapping.written]
    besides = lines_to_keep(lines.module, subform, lines.mapping.key_field, lines.order.field, fields)
    return Besides(besides.lines, links or besides.partly)
