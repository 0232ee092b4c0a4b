"""One run of the target: what it owns (client, ledger, locks, threads, spool), how it begins, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sync_databases.database_errors import DatabaseUnavailableError
from sync_databases.flags import FlaggedTable
from sync_ledger.credit_usage import credits_of_a_day
from sync_ledger.first_load import first_load_is_over
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.recovery import adopt
from sync_ledger.stream_contract import VERSION_PROPERTY
from sync_ledger.tables import RUN_COUNTS
from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import QuotaError, configuration_error
from target_zoho_crm.api.layouts import KnownFields
from target_zoho_crm.api.limits import CreditKind, CreditMeter
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.api.transport import ATTEMPTS
from target_zoho_crm.batch import Channel
from target_zoho_crm.config_schema import payload_settings
from target_zoho_crm.confirmation.destination import Destination, OnRejection
from target_zoho_crm.confirmation.failed_calls import FailedCalls
from target_zoho_crm.confirmation.in_flight import InFlight
from target_zoho_crm.confirmation.outcomes import Status
from target_zoho_crm.confirmation.problem_summary import Problems
from target_zoho_crm.confirmation.state_gate import DUE_AGAIN, READ, StateGate
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.confirmation.sync_flags import SyncFlags
from target_zoho_crm.delivery.deletions import Deletions
from target_zoho_crm.delivery.delivery import Delivery
from target_zoho_crm.delivery.flush_timer import FlushTimer
from target_zoho_crm.delivery.payload_hasher import PayloadHasher
from target_zoho_crm.delivery.unchanged import UnchangedOrders
from target_zoho_crm.lines.existing_lines import ExistingLines
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.mapping.user_directory import UserDirectory
from target_zoho_crm.settings import Settings, StreamSettings, default_ledger_url
from target_zoho_crm.stream_mapping import only_by_calls, stream_lines, stream_mapping, warn_of_gaps
from target_zoho_crm.write_settings import Automations, Operation, WriteSettings
from target_zoho_crm.writers import writers
from target_zoho_crm.writing.bulk_write import BulkWriter
from target_zoho_crm.writing.lookup_resolver import LookupDirectories, LookupResolver
from target_zoho_crm.writing.records_by_key import RecordsByKey
from target_zoho_crm.writing.routing import possible_channel
from target_zoho_crm.writing.spool import new_spool
from target_zoho_crm.writing.workers import JobWorkers, Workers, at_once

logger = logging.getLogger("target-zoho-crm")


class IncompleteError(Exception):
    """The run came to its end, and not all is well; the text says what."""


class Run:
    """From the first SCHEMA message to the summary line."""

    def __init__(self, settings: Settings, emit_state: Callable[[Mapping[str, Any]], None]) -> None:
        """`emit_state` writes one STATE message to stdout."""
        self.settings = settings
        self.stop = threading.Event()
        self.credits = CreditMeter(settings.credit_budget, settings.credit_reserve)
        self.state_gate = StateGate(emit_state)
        self.problems = Problems()
        connection = ConnectionSettings(
            endpoints=settings.endpoints,
            credentials=settings.credentials,
            max_connections=settings.max_connections,
            max_attempts=None if settings.continuous else ATTEMPTS,
        )
        self.client = ZohoClient(connection, credits=self.credits, stop=self.stop)
        self._calls = Workers("upsert", settings.max_connections, self.stop)
        self._jobs = JobWorkers(settings.max_jobs, self.stop)
        self._spool = new_spool()
        self._ledger: Ledger | None = None
        self._locks: dict[str, Lease] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._destinations: dict[str, Destination] = {}
        self._flags: dict[str, SyncFlags] = {}
        self._fields = KnownFields(self.client)
        self._parents = LookupDirectories(self.client)
        self._users = UserDirectory(self.client)
        self._adopted = 0
        self._started = time.monotonic()

    def open_stream(
        self,
        stream: str,
        properties: Mapping[str, dict[str, Any]],
        key_properties: Sequence[str],
        read_since: datetime | None = None,
        partition: Partition = WHOLE,
        sync_flag: FlaggedTable | None = None,
    ) -> tuple[Delivery, FieldMapping]:
        """Begin a stream, or go on with it under a changed schema; the last three are as the tap announced them.

        Raises:
            ConfigurationError: module, key field or mapping are of no use.
            DatabaseError: the ledger cannot be written, or another run of the stream is live, or was since that time.
        """
        own = self.settings.stream(stream)
        self._refuse_mix_up(stream, own, properties)
        ledger = self._open_ledger()
        lock = self._locks.get(stream)
        if lock is None:
            lock = Lease.acquire(ledger, stream, partition, continuous=self.settings.continuous)
            if not self._locks:  # the run's credits are noted once, however many streams it has
                lock.spent = lambda: self.credits.total
                self._log_credits(ledger)
            self._locks[stream] = lock
            if read_since is not None:
                lock.refuse_outdated(read_since)
            lock.start_heartbeat()
        if stream not in self._deliveries:
            self._ask_for_set_up(own)
        fields_of = self._fields_with_demands(own)
        lines = stream_lines(self.settings, own, properties, fields_of=fields_of)
        mapping = stream_mapping(
            self.settings,
            own,
            properties,
            key_properties,
            fields_of=fields_of,
            users=self._users.users,
        )
        warn_of_gaps(stream, own, mapping, lines)
        folding = KeyFolding(folds_case=not mapping.key_field.case_sensitive)
        mark = own.deletes.mark(self._fields.of(own.module))
        lookups = deletions = None
        if stream in self._deliveries:  # under a new schema: what came before it goes first
            self._deliveries[stream].flush()
            lookups, deletions = self._deliveries[stream].lookups, self._deliveries[stream].deletions
        known = self._destinations.get(stream)
        automations = known.automations if known else self._automations(ledger, lock, own.writes)
        channel = own.writes.channel(self.settings.channel, automations)
        if channel is not self.settings.channel:
            logger.info("Stream %r: by upsert calls only, since a job cannot be told to run %s", stream, automations)
        destination = known or Destination(
            stream=stream,
            module=own.module,
            client=self.client,
            stop=self.stop,
            ledger=StreamLedger(ledger, lock, max_attempts=self.settings.max_attempts, folding=folding),
            folding=folding,
            in_flight=InFlight(folding),
            state_gate=self.state_gate,
            problems=self.problems,
            on_rejection=self.settings.on_rejection,
            credits=self.credits,
            automations=automations,
            ignore_empty=own.writes.ignore_empty,
            continuous=self.settings.continuous,
            failed_calls=FailedCalls(continuous=self.settings.continuous),
            callback_url=self.settings.callback_url,
            operation=own.writes.operation,
            records=RecordsByKey(self.client, own.module, own.key_field, folding),
            flags=self._open_flags(stream, sync_flag),
        )
        upserts, bulk = writers(
            destination,
            mapping,
            lines,
            self.settings,
            channel=channel,
            calls=self._calls,
            jobs=self._jobs,
            spool=Path(self._spool.name),
        )
        delivery = Delivery(
            destination,
            mapping,
            channel=self._channel(stream, only_by_calls(mapping, lines, own.writes.operation), channel),
            bulk_rows=self.settings.bulk_rows,
            bulk_threshold=self.settings.bulk_threshold,
            lookups=lookups or LookupResolver(destination, self._parents, self._calls),
            upserts=upserts,
            bulk=bulk,
            jobs=self._jobs,
            calls=self._calls,
            lines=lines,
            deletions=deletions
            or Deletions(
                destination,
                own.deletes,
                mark=mark,
                lines=None if lines is None or lines.in_subform else ExistingLines(self.client, lines),
                calls=self._calls,
            ),
            unchanged=self._unchanged(destination),
            flush_timer=None if self.settings.max_age_seconds is None else FlushTimer(self.settings.max_age_seconds),
        )
        self._deliveries[stream], self._destinations[stream] = delivery, destination
        if known is None:
            self._adopt(ledger, lock, bulk)
        return delivery, mapping

    @staticmethod
    def _log_credits(ledger: Ledger) -> None:
        def look_up() -> int:
            with ledger.connect() as connection:
                return credits_of_a_day(connection, ledger.tables.run, ledger.now(connection))

        spent = f"{ledger.with_retries(look_up):,}"
        logger.info("Credits that this ledger's runs spent in the last 24 hours: %s", spent)

    @staticmethod
    def _automations(ledger: Ledger, lock: Lease, writes: WriteSettings) -> Automations:
        if writes.first_load == writes.later:
            return writes.later
        stream = lock.stream
        with ledger.connect() as connection:
            over = first_load_is_over(connection, ledger.tables.run, stream, lock.partition)
        chosen = writes.later if over else writes.first_load
        logger.info("Stream %r: this run %s the first load: %s", stream, "comes after" if over else "is of", chosen)
        return chosen

    def _unchanged(self, destination: Destination) -> UnchangedOrders | None:
        if not self.settings.skip_unchanged:
            return None
        return UnchangedOrders(destination, PayloadHasher(payload_settings(self.settings.config), destination.stream))

    def _ask_for_set_up(self, own: StreamSettings) -> None:
        """Ask the CRM at once for all that must be known before an order can be sent."""
        questions: list[Callable[[], object]] = [partial(self._fields.of, own.module)]
        if self.settings.validate:
            questions.append(partial(self._fields.demands_of, own.module))
        if self.settings.channel is Channel.BULK_WRITE:
            questions.append(self.client.org)
        at_once(questions, self.stop)

    def _fields_with_demands(self, own: StreamSettings) -> Callable[[str], ModuleFields]:
        """The fields of a module; in the stream's own those are mandatory too that its layouts demand."""
        if not self.settings.validate:
            return self._fields.of
        layout = own.fields.get("Layout")
        constant = str(layout.default) if layout is not None and layout.default is not None else None
        demanding = self._fields.demanding(own.module, constant)
        return lambda module: demanding if module == own.module else self._fields.of(module)

    @staticmethod
    def _channel(stream: str, why: Sequence[str], wanted: Channel) -> Channel:
        channel = possible_channel(wanted, stream, why)
        if channel is not wanted:
            logger.info("Stream %r goes by upsert calls alone: %s", stream, "; ".join(why))
        return channel

    def _refuse_mix_up(self, stream: str, own: StreamSettings, properties: Mapping[str, Any]) -> None:
        """Refuse set-ups in which an order would be called synced that is not, or be sent for ever."""
        for other in self._destinations:
            theirs = self.settings.stream(other)
            if other != stream and (theirs.module, theirs.key_field) == (own.module, own.key_field):
                raise configuration_error(
                    OwnCode.ONE_MODULE_TWO_STREAMS,
                    f"Streams {other!r} and {stream!r} both write to module {own.module} by {own.key_field}.",
                )
        if own.lines is not None and own.writes.operation is Operation.INSERT:
            what = f"Stream {stream!r}: `operation` is insert, and `lines` is set; whole orders cannot be inserted."
            raise configuration_error(OwnCode.INSERT_WITH_LINES, what)
        if VERSION_PROPERTY in properties and self.settings.ack_url is None:
            raise configuration_error(OwnCode.NO_ACK_URL, f"Stream {stream!r} comes from tap-legacy-orders.")

    def finish(self) -> None:
        """Wait for all that is under way, end the run, and say what became of every record.

        Raises:
            IncompleteError: records were left unsynced by failures, or refused while `on_rejection` is fail.
        """
        self._calls.wait()
        self._jobs.wait()
        for delivery in self._deliveries.values():
            delivery.deletions.carry_out()
        complaints = [self._sum_up(stream) for stream in self._locks]
        left_out = [line for delivery in self._deliveries.values() for line in delivery.lookups.lines()]
        for line in [*self.problems.lines(), *left_out]:
            logger.warning(line)
        self._close("finished")
        complaint = "; ".join(filter(None, complaints))
        if complaint:
            raise IncompleteError(complaint)

    def check(self) -> None:
        """Raise what ended a call or a job, without waiting."""
        self._calls.check()
        self._jobs.check()
        if self.settings.continuous and self.credits.short:
            raise QuotaError(OwnCode.CREDIT_BUDGET, "Nothing more can be sent; what is left goes with the next run.")

    def flush_aged(self, *, input_pending: bool) -> float | None:
        """Send what has waited long enough; returns after how many seconds to look again, None where nothing waits."""
        pauses = [delivery.flush_aged(input_pending=input_pending) for delivery in self._deliveries.values()]
        return min((pause for pause in pauses if pause is not None), default=None)

    def abort(self, how_ended: str) -> None:
        """End at once: what waits stops waiting, what is under way is handed over to the next run."""
        self.stop.set()
        self._close(how_ended)

    def _close(self, how_ended: str) -> None:
        with contextlib.ExitStack() as closing:
            closing.callback(self._spool.cleanup)
            closing.callback(self.client.close)
            if self._ledger is not None:
                closing.callback(self._ledger.close)
            for flags in self._flags.values():
                closing.callback(flags.close)
            for stream, lock in self._locks.items():
                closing.callback(self._release, stream, lock, how_ended)
            closing.callback(self._jobs.close)
            closing.callback(self._calls.close)

    def _release(self, stream: str, lock: Lease, how_ended: str) -> None:
        counts = self.state_gate.counts(stream)
        try:
            counts[Status.SYNCED.value] += counts[Status.DELETED.value]  # the CRM agrees with the source
            lock.release(how_ended, {name: counts[name] for name in RUN_COUNTS}, lock.spent())
        except DatabaseUnavailableError as error:
            logger.warning("The end of stream %r is not noted, the next run finds it dead: %s", stream, error)

    def _open_flags(self, stream: str, announced: FlaggedTable | None) -> SyncFlags | None:
        if announced is None:
            return None
        url, column = self.settings.flags_url, self.settings.sync_flag_column
        flags = self._flags[stream] = SyncFlags.open(url, column, stream, announced)
        if self.settings.continuous:
            flags.retry_until(self.stop)
        return flags

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            url = self.settings.ack_url
            if url is None:
                url = default_ledger_url()
                logger.warning("No `ack_url` is set: the ledger is kept in %s", url.removeprefix("sqlite:///"))
            self._ledger = Ledger.open(url, self.settings.ack_schema, logger)
            self._ledger.ensure_tables()
            self._ledger.retries_until = self.stop if self.settings.continuous else None
        return self._ledger

    def _adopt(self, ledger: Ledger, lock: Lease, bulk: BulkWriter) -> None:
        # Jobs of lines go on with that of their orders.
        jobs = [job for job in adopt(ledger, lock) if job.parent_job_id is None]
        for job in jobs:
            rows, step = len(job.manifest), job.step.value
            logger.warning("Adopting a bulk write job of %d orders that an earlier run left at step %s", rows, step)
            bulk.resume(job)
        self._adopted += sum(len(job.manifest) for job in jobs)

    def _sum_up(self, stream: str) -> str | None:
        """Write the summary line; returns what is wrong, if anything."""
        counts = self.state_gate.counts(stream)
        parts = [(counts[status.value], word) for status, word in _WORDS.items()]
        if counts[READ] != sum(number for number, _ in parts):
            raise AssertionError(f"stream {stream!r}: the outcomes do not add up to the records read: {counts}")
        seconds = time.monotonic() - self._started
        due = f" ({counts[DUE_AGAIN]:,} of them due again by themselves)" if counts[DUE_AGAIN] else ""
        adopted = f"; {self._adopted:,} adopted from earlier runs" if self._adopted else ""
        logger.info(
            "Stream %r: read %s = %s%s%s; credits: %s for bulk write, %s for upserts, %s for others; %.1f s",
            stream,
            f"{counts[READ]:,}",
            " + ".join(f"{number:,} {word}" for number, word in parts if number or word != Status.DELETED.value),
            due,
            adopted,
            *(f"{self.credits.spent(kind):,}" for kind in (CreditKind.BULK_WRITE, CreditKind.UPSERT, CreditKind.OTHER)),
            seconds,
        )
        if self.credits.short:
            logger.warning(
                "Stream %r: %s records are left to the next run: this one may spend no more credits (%s spent)",
                stream,
                f"{counts[Status.UNSYNCED.value] + counts[DUE_AGAIN]:,}",
                f"{self.credits.total:,}",
            )
        refused = counts[Status.REJECTED.value] + counts[Status.PARKED.value] - counts[DUE_AGAIN]
        refusal = self._deliveries[stream].deletions.refusal
        if refusal is not None:
            return (
                f"stream {stream!r}: {refusal}; none is deleted or marked, all else is done. Check the source; if it "
                "is right, raise `max_delete_percent` for one run"
            )
        if self._destinations[stream].failed_calls.total:
            return f"stream {stream!r}: {counts[Status.UNSYNCED.value]} records are left unsynced after failed calls"
        policy = self.settings.on_rejection
        if refused and policy is not OnRejection.SKIP:
            return f"stream {stream!r}: {refused} orders were refused, and on_rejection is {policy.value}"
        return None


_WORDS = {status: "left unsynced" if status is Status.UNSYNCED else status.value for status in Status}
