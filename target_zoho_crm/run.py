"""One run of the target: what it owns (client, ledger, leases, threads, spool), how it begins, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sync_databases.database_errors import DatabaseUnavailableError
from sync_ledger.first_load import has_synced
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.moves import take_over_alias
from sync_ledger.recovery import adopt
from sync_ledger.run_facts import RunFacts
from sync_ledger.runs import FOLLOWING
from sync_ledger.state_contract import StateMark, bookmark_of, stamped
from sync_ledger.worker_shares import Limit
from target_zoho_crm.api.calls import ATTEMPTS
from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import QuotaError
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.worker_limits import WorkerLimits
from target_zoho_crm.batch import Channel
from target_zoho_crm.config_schema import settings_mark
from target_zoho_crm.confirmation.problem_summary import Problems
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.sync_flags import SyncFlags
from target_zoho_crm.delivery.contact_report import FirstContactError
from target_zoho_crm.delivery.delivery import Delivery
from target_zoho_crm.history_keeping import HistoryPruning
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.progress import Progress
from target_zoho_crm.run_report import RunReport
from target_zoho_crm.run_summary import StreamSummary, complaint, kept_counts, log_credits, log_summary
from target_zoho_crm.settings import Settings, StreamSettings, default_ledger_url
from target_zoho_crm.stream_binding import automations_of, bind_stream, refuse_foreign_records, refuse_mix_up
from target_zoho_crm.stream_compiler import CompiledStream, StreamCompiler
from target_zoho_crm.stream_mapping import column_summary, only_by_calls, refuse_lacking
from target_zoho_crm.stream_parts import SharedParts, StreamParts
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.stream_request import StreamRequest
from target_zoho_crm.write_settings import Operation, WriteSettings
from target_zoho_crm.writing.bulk_write import BulkWriter
from target_zoho_crm.writing.routing import possible_channel
from target_zoho_crm.writing.spool import new_spool
from target_zoho_crm.writing.workers import RunWorkers

logger = logging.getLogger("target-zoho-crm")


class IncompleteError(Exception):
    """The run came to its end, and not all is well; the text says what."""


@dataclass(frozen=True)
class OpenedStream:
    """A stream that takes records; behind the columns of `mapping` a row holds `lines_property`, if there is one."""

    delivery: Delivery
    mapping: FieldMapping
    lines_property: str | None


class Run:
    """From the first SCHEMA message to the summary line."""

    def __init__(self, settings: Settings, emit_state: Callable[[Mapping[str, Any]], None]) -> None:
        """`emit_state` writes one STATE message to stdout."""
        self.settings = settings
        self.stop = threading.Event()
        self.asked_to_end = threading.Event()
        self.credits = CreditMeter(settings.credit_budget, settings.credit_reserve)
        self._emit_state = emit_state
        self.state_gate = StateGate(self._emit_stamped)
        self._problems = Problems()
        self._progress = Progress(self.state_gate, self.credits, continuous=settings.continuous)
        connection = ConnectionSettings(
            endpoints=settings.endpoints,
            credentials=settings.credentials,
            max_connections=settings.max_connections,
            max_attempts=None if settings.continuous else ATTEMPTS,
            ledger=lambda: self._ledger,
        )
        self.client = ZohoClient(connection, credits=self.credits, stop=self.stop)
        self._workers = RunWorkers(calls=settings.max_connections, jobs=settings.max_jobs, stop=self.stop)
        self._spool = new_spool()
        self._shared = SharedParts(
            settings,
            client=self.client,
            credits=self.credits,
            state_gate=self.state_gate,
            problems=self._problems,
            workers=self._workers,
            spool=Path(self._spool.name),
            asked_to_end=self.asked_to_end,
        )
        self._compiler = StreamCompiler(settings, self.client, self.stop)
        self._ledger: Ledger | None = None
        self._pruning: HistoryPruning | None = None
        self._leases: dict[str, Lease] = {}
        self._named: dict[str, str] = {}
        self._read_by: dict[str, str | None] = {}
        self._mapping_numbers: dict[str, int | None] = {}
        self._bookmarks: dict[str, str | None] = {}
        self._streams: dict[str, StreamParts] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._flags: list[SyncFlags] = []
        self._complaints: dict[str, str | None] = {}
        self._adopted = 0
        self._limits = WorkerLimits({Limit.UPSERTS: self.client.upserts, Limit.JOBS: self._workers.jobs.at_zoho})
        self._compiled: dict[str, CompiledStream] = {}
        known = RunFacts(settings_mark(settings.config), settings.history.run_group)
        self._report = RunReport(settings.history.summary_file, known, self.credits)

    def _emit_stamped(self, state: Mapping[str, Any]) -> None:
        """Let a STATE out, which says how far this run has settled by now."""
        for stream, lease in list(self._leases.items()):
            before, mark = state, StateMark(lease.ledger.ledger_id, lease.run_id, lease.settlements)
            state = stamped(state, stream, mark, self._read_by[stream])
            if state is not before:
                self._bookmarks[stream] = bookmark_of(state, stream)
        self._emit_state(state)

    # The beginning of a stream

    def open_stream(self, request: StreamRequest) -> OpenedStream:
        """Begin a stream, or go on with it under a changed schema.

        Raises:
            ConfigurationError: module, key field or mapping are of no use.
            DatabaseError: the ledger cannot be written, or another run of the stream is live, or was since that time,
                or the ledger speaks of another set-up.
        """
        stream, own = request.stream, self.settings.stream(request.named)
        refuse_mix_up(request, own, self._named, self.settings)
        refuse_foreign_records(request, self._open_ledger(), is_open=stream in self._leases)
        lease = self._leases.get(stream) or self._acquire(request)
        if stream not in self._streams:
            if request.named != stream:
                take_over_alias(lease, request.named)
            self._compiler.prefetch(own)
        compiled = self._compiler.compile(request, own)
        self._compiled[stream] = compiled
        if stream not in self._streams:
            if self.settings.validate and not has_synced(lease.ledger, stream):
                refuse_lacking(stream, own, compiled.mapping, request.key_properties)
            self._mapping_numbers[stream] = bind_stream(lease, request, own, compiled, self._compiler.org_id)
            self._named[stream] = request.named
            self._limits.start(lease, self._compiler.org_id or "")
        delivery = self._build(request, own, lease, compiled)
        lines = compiled.lines
        return OpenedStream(delivery, compiled.mapping, None if lines is None else lines.settings.property)

    def _acquire(self, request: StreamRequest) -> Lease:
        """Acquire the stream's lease, and make sure that nobody has written since its records were read."""
        ledger, first = self._open_ledger(), not self._leases
        lease = Lease.acquire(
            ledger,
            request.stream,
            request.announced.partition,
            lasting=FOLLOWING if self.settings.continuous else None,
            # The run's credits are noted once, however many streams it has.
            spent=(lambda: self.credits.total) if first else int,
            so_far=lambda: kept_counts(self.state_gate.counts_so_far(request.stream)),
            known=replace(self._report.known, in_part=request.announced.share),
        )
        if first:
            log_credits(ledger)
        self._read_by[request.stream] = request.announced.ledger_id
        self._leases[request.stream] = lease
        if request.announced.by_hand:
            self._problems.note_by_hand(request.stream)
        if request.announced.read_after is not None:
            lease.refuse_outdated(request.announced.read_after)
        lease.start_heartbeat((lambda: self._progress.in_time(list(self._leases))) if first else None)
        return lease

    def _policy(
        self, request: StreamRequest, own: StreamSettings, lease: Lease, compiled: CompiledStream
    ) -> StreamPolicy:
        return StreamPolicy(
            stream=request.stream,
            module=own.module,
            folding=KeyFolding(folds_case=not compiled.mapping.key_field.case_sensitive, numbers=request.key_is_number),
            operation=own.writes.operation,
            automations=automations_of(lease, own.writes),
            ignore_empty=own.writes.ignore_empty,
            on_rejection=self.settings.on_rejection,
            continuous=self.settings.continuous,
            due_by_ledger=self.settings.continuous or request.announced.read_after is not None,
            mapping_number=self._mapping_numbers[request.stream],
            content_form=None if request.announced.content_form is None else request.announced.content_form.id,
            callback_url=self.settings.callback_url,
        )

    def _build(self, request: StreamRequest, own: StreamSettings, lease: Lease, compiled: CompiledStream) -> Delivery:
        """Make the stream's delivery under one schema; under the first one, adopt what dead runs left."""
        stream, known = request.stream, self._streams.get(request.stream)
        if known is not None:  # what came before the new schema goes first
            self._deliveries[stream].flush()
            known.contents.forget_mapping()
        policy = known.policy if known is not None else self._policy(request, own, lease, compiled)
        wanted = self._channel_for(policy, own.writes)
        if compiled.mapping.lacking and policy.operation is not Operation.UPDATE:
            wanted = Channel.UPSERT  # Zoho makes no job without them, and known orders go on
        channel = self._possible_channel(
            stream, only_by_calls(*compiled, policy.operation, self.settings.child_rows), wanted
        )
        parts = known or self._shared.parts_of(
            policy,
            own,
            lease,
            compiled,
            fields=self._compiler.fields_of(own.module),
            flags=self._open_flags(request),
            announced=request.announced,
        )
        delivery, bulk = self._shared.delivery(parts, compiled, request, wanted=wanted, channel=channel)
        self._streams[stream], self._deliveries[stream] = parts, delivery
        if known is None:
            parts.verification.in_doubt.look()
            self._adopt(lease, bulk)
        return delivery

    def _channel_for(self, policy: StreamPolicy, writes: WriteSettings) -> Channel:
        channel = writes.channel(self.settings.channel, policy.automations)
        if channel is not self.settings.channel:
            asked = policy.automations
            logger.info("Stream %r: by upsert calls only, since a job cannot be asked to run %s", policy.stream, asked)
        return channel

    @staticmethod
    def _possible_channel(stream: str, why: Sequence[str], wanted: Channel) -> Channel:
        channel = possible_channel(wanted, stream, why)
        if channel is not wanted:
            logger.info("Stream %r goes by upsert calls alone: %s", stream, "; ".join(why))
        return channel

    def end_input(self) -> None:
        """Send what is buffered when all records have come; of several workers the last one sends what is left of all.

        Raises as `Delivery.add`.
        """
        for delivery in self._deliveries.values():
            delivery.end()

    def finish(self, cut_short: str | None = None) -> None:
        """Wait for all that is under way, end the run, and say what became of every record.

        `cut_short`: why the records are not all that there were to read. Such a run has failed, for those that go by
        the last one that did not.

        Raises:
            FirstContactError: the first orders, fewer than ten, are not in the CRM as they were sent.
            IncompleteError: it was cut short, records were left unsynced by failures, or refused while `on_rejection`
                is fail.
        """
        self._workers.wait()
        for parts in self._streams.values():
            if parts.shared is not None:
                parts.shared.settle()
            parts.deletions.carry_out()
        contacts = (parts.contact.at_end(whole=cut_short is None) for parts in self._streams.values())
        differing = FirstContactError([line for lines in contacts for line in lines])
        self._complaints = {stream: self._sum_up(stream) for stream in self._streams}
        complaints = [*self._complaints.values(), cut_short]
        left_out = [line for parts in self._streams.values() for line in parts.lookups.lines()]
        for line in [*self._problems.lines(), *left_out]:
            logger.warning(line)
        if self._pruning is not None:
            self._pruning.at_end()
        why = "; ".join(filter(None, (cut_short, str(differing)))) or None
        self._close("finished" if cut_short is None else "failed", why)
        if differing.lines:
            raise differing
        if any(complaints):
            raise IncompleteError("; ".join(filter(None, complaints)))

    def check(self) -> None:
        """Raise what ended a call or a job, without waiting."""
        self._workers.check()
        if self.settings.continuous and self.credits.short:
            raise QuotaError(OwnCode.CREDIT_BUDGET, "Nothing more can be sent; what is left goes with the next run.")

    def flush_aged(self, *, input_pending: bool) -> float | None:
        """Send what has waited long enough; returns after how many seconds to check again, None where nothing waits."""
        if self._pruning is not None:
            self._pruning.in_time()
        for parts in self._streams.values():
            parts.verification.in_doubt.look_in_time()
        pauses = [delivery.flush_aged(input_pending=input_pending) for delivery in self._deliveries.values()]
        return min((pause for pause in pauses if pause is not None), default=None)

    def abort(self, how_ended: str, error: str | None = None) -> None:
        """End at once: what waits stops waiting, what is under way is handed over to the next run."""
        self.stop.set()
        self._close(how_ended, error)

    def _close(self, how_ended: str, error: str | None = None) -> None:
        with contextlib.ExitStack() as closing:
            runs = {stream: lease.run_id for stream, lease in self._leases.items()}
            closing.callback(self._report.write, how_ended, error, runs, self.state_gate, self._problems)
            closing.callback(self._spool.cleanup)
            closing.callback(self.client.close)
            if self._ledger is not None:
                closing.callback(self._ledger.close)
            for flags in self._flags:
                closing.callback(flags.close)
            for stream, lease in self._leases.items():
                closing.callback(self._release, stream, lease, how_ended, error)
            closing.callback(self._limits.close)
            closing.callback(self._workers.close)

    def _release(self, stream: str, lease: Lease, how_ended: str, error: str | None) -> None:
        why = "; ".join(filter(None, (error, self._complaints.get(stream)))) or None
        try:
            counts = kept_counts(self.state_gate.counts(stream))
            bookmark, causes = self._bookmarks.get(stream), self._problems.causes(stream)
            lease.release(how_ended, counts, lease.spent(), bookmark=bookmark, causes=causes, error=why)
        except DatabaseUnavailableError as failure:
            logger.warning("The end of stream %r is not noted, the next run finds it dead: %s", stream, failure)

    def _open_flags(self, request: StreamRequest) -> SyncFlags | None:
        if request.announced.sync_flag is None:
            return None
        flags = SyncFlags.open(
            self.settings.flags_url,
            self.settings.sync_flag_column,
            request.stream,
            request.announced.sync_flag,
            retries_until=self._retries_until,
        )
        self._flags.append(flags)
        return flags

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            url = self.settings.ack_url
            if url is None:
                url = default_ledger_url()
                logger.warning("No `ack_url` is set: the ledger is kept in %s", url.removeprefix("sqlite:///"))
            self._ledger = Ledger.open(url, self.settings.ack_schema, retries_until=self._retries_until)
            self._ledger.ensure_tables()
            self._pruning = HistoryPruning(self.settings.history, self._ledger)
        return self._ledger

    @property
    def _retries_until(self) -> threading.Event | None:
        """What ends the retries of database statements, where no next run is to be waited for."""
        return self.stop if self.settings.continuous else None

    def _adopt(self, lease: Lease, bulk: BulkWriter) -> None:
        jobs = [job for job in adopt(lease.ledger, lease) if job.parent_job_id is None]  # lines go with their orders
        for job in jobs:
            rows, step = len(job.manifest), job.step.value
            logger.warning("Adopting a bulk write job of %d orders that an earlier run left at step %s", rows, step)
            bulk.resume(job)
        self._adopted += sum(len(job.manifest) for job in jobs)

    def _sum_up(self, stream: str) -> str | None:
        """Write the summary line; returns what is wrong, if anything."""
        parts = self._streams[stream]
        summary = StreamSummary(
            stream,
            self.state_gate.counts(stream),
            self._report.seconds,
            adopted=self._adopted,
            made_again=parts.ledger.made_again(),
            verified=parts.verification.verified,
            kept=parts.writers.owned.kept,
            in_doubt=parts.verification.in_doubt.left(),
            of_columns=column_summary(*self._compiled[stream]),
        )
        log_summary(summary, self.credits)
        wrong = complaint(
            stream,
            summary.counts,
            deletions_refused=parts.deletions.refusal,
            calls_failed=parts.recorder.calls_failed,
            on_rejection=self.settings.on_rejection,
        )
        self._report.add(summary, wrong)
        return wrong
