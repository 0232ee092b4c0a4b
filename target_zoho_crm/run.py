"""One run of the target: what it owns (client, ledger, locks, threads, spool), how it begins, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from sync_ledger.ledger import Ledger
from sync_ledger.recovery import adopt
from sync_ledger.runs import RunLock, process_is_gone, process_space
from sync_ledger.tables import RUN_COUNTS
from target_zoho_crm.bulk_write import BulkWriter
from target_zoho_crm.client import ConnectionSettings, ZohoClient
from target_zoho_crm.confirmation import Confirmation
from target_zoho_crm.delivery import Delivery
from target_zoho_crm.destination import Destination, OnRejection
from target_zoho_crm.errors import configuration_error
from target_zoho_crm.key_folding import KeyFolding
from target_zoho_crm.limits import CreditKind, CreditMeter
from target_zoho_crm.mapping import Mapping as FieldMapping
from target_zoho_crm.mapping import compile_mapping
from target_zoho_crm.metadata import ModuleFields
from target_zoho_crm.outcomes import Status
from target_zoho_crm.problems import Problems
from target_zoho_crm.rows import VERSION_PROPERTY
from target_zoho_crm.settings import Settings, StreamSettings, default_ledger_url
from target_zoho_crm.settlement import DUE_AGAIN, READ, Settlement
from target_zoho_crm.upsert import UpsertWriter
from target_zoho_crm.workers import Workers

logger = logging.getLogger("target-zoho-crm")


SPOOL = "target-zoho-crm-"
"""Prefix of the temporary folders; the process id follows."""


class IncompleteError(Exception):
    """The run came to its end, and not all is well; the text says what."""


class Run:
    """From the first SCHEMA message to the summary line."""

    def __init__(self, settings: Settings, emit_state: Callable[[Mapping[str, Any]], None]) -> None:
        """`emit_state` writes one STATE message to stdout."""
        self.settings = settings
        self.stop = threading.Event()
        self.credits = CreditMeter()
        self.settlement = Settlement(emit_state)
        self.problems = Problems()
        connection = ConnectionSettings(
            endpoints=settings.endpoints,
            credentials=settings.credentials,
            max_connections=settings.max_connections,
        )
        self.client = ZohoClient(connection, credits=self.credits, stop=self.stop)
        self._calls = Workers("upsert", settings.max_connections, self.stop)
        self._jobs = Workers("bulk-write", settings.max_jobs, self.stop)
        remove_spools_of_the_dead()
        self._spool = tempfile.TemporaryDirectory(prefix=f"{SPOOL}{os.getpid()}-")
        self._ledger: Ledger | None = None
        self._locks: dict[str, RunLock] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._destinations: dict[str, Destination] = {}
        self._fields: dict[str, ModuleFields] = {}
        self._adopted = 0
        self._started = time.monotonic()

    def open_stream(
        self, stream: str, properties: Mapping[str, dict[str, Any]], key_properties: Sequence[str]
    ) -> tuple[Delivery, FieldMapping]:
        """Begin a stream, or go on with it under a changed schema.

        Raises:
            ConfigurationError: module, key field or mapping are of no use.
            LedgerError: the ledger cannot be written, or another run of the stream is live.
        """
        own = self.settings.stream(stream)
        self._refuse_mix_up(stream, own, properties)
        ledger = self._open_ledger()
        lock = self._locks.get(stream)
        if lock is None:
            lock = self._locks[stream] = RunLock.acquire(ledger, stream)
            lock.start_heartbeat()
        fields = self._fields.get(own.module)
        if fields is None:
            fields = self._fields[own.module] = ModuleFields.fetch(self.client, own.module)
        mapping = compile_mapping(
            properties,
            fields,
            key_field=own.key_field,
            key_properties=key_properties,
            overrides=own.fields,
            timezone=self.settings.timezone,
        )
        if mapping.unmapped:
            logger.warning(
                "Stream %r: no writable field of module %s for %s; these are not written (`fields` can map them)",
                stream,
                own.module,
                ", ".join(mapping.unmapped),
            )
        folding = KeyFolding(folds_case=not mapping.key_field.case_sensitive)
        if stream in self._deliveries:  # under a new schema: what came before it goes first
            self._deliveries[stream].flush()
        known = self._destinations.get(stream)
        destination = known or Destination(
            stream=stream,
            module=own.module,
            client=self.client,
            stop=self.stop,
            confirmation=Confirmation(ledger, lock, max_attempts=self.settings.max_attempts, folding=folding),
            folding=folding,
            settlement=self.settlement,
            problems=self.problems,
            on_rejection=self.settings.on_rejection,
            trigger=own.trigger,
        )
        bulk = BulkWriter(
            destination, self._jobs, Path(self._spool.name), job_wait_seconds=self.settings.job_wait_seconds
        )
        delivery = Delivery(
            destination,
            mapping,
            channel=self.settings.channel,
            bulk_rows=self.settings.bulk_rows,
            bulk_threshold=self.settings.bulk_threshold,
            upserts=UpsertWriter(destination, self._calls),
            bulk=bulk,
            jobs=self._jobs,
            calls=self._calls,
        )
        self._deliveries[stream], self._destinations[stream] = delivery, destination
        if known is None:
            self._adopt(ledger, lock, bulk)
        return delivery, mapping

    def _refuse_mix_up(self, stream: str, own: StreamSettings, properties: Mapping[str, Any]) -> None:
        """Refuse set-ups in which an order would be called synced that is not, or be sent for ever."""
        for other in self._destinations:
            theirs = self.settings.stream(other)
            if other != stream and (theirs.module, theirs.key_field) == (own.module, own.key_field):
                raise configuration_error(
                    "ONE_MODULE_TWO_STREAMS",
                    f"Streams {other!r} and {stream!r} both write to module {own.module} by {own.key_field}.",
                )
        if VERSION_PROPERTY in properties and self.settings.ack_url is None:
            raise configuration_error("NO_ACK_URL", f"Stream {stream!r} comes from tap-legacy-orders.")

    def finish(self) -> None:
        """Wait for all that is under way, end the run, and say what became of every record.

        Raises:
            IncompleteError: records were left unsynced by failures, or refused while `on_rejection` is fail.
        """
        self._calls.wait()
        self._jobs.wait()
        complaints = [self._sum_up(stream) for stream in self._locks]
        for line in self.problems.lines():
            logger.warning(line)
        self._close("finished")
        complaint = "; ".join(filter(None, complaints))
        if complaint:
            raise IncompleteError(complaint)

    def check(self) -> None:
        """Raise what ended a call or a job, without waiting."""
        self._calls.check()
        self._jobs.check()

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
            for stream, lock in self._locks.items():
                closing.callback(self._release, stream, lock, how_ended)
            closing.callback(self._jobs.close)
            closing.callback(self._calls.close)

    def _release(self, stream: str, lock: RunLock, how_ended: str) -> None:
        counts = self.settlement.counts(stream)
        try:
            lock.release(how_ended, {name: counts[name] for name in RUN_COUNTS}, self.credits.total)
        except SQLAlchemyError as error:
            logger.warning(
                "The end of the run of stream %r could not be noted (%s); the next run finds it dead",
                stream,
                type(error).__name__,
            )

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            url = self.settings.ack_url
            if url is None:
                url = default_ledger_url()
                logger.warning("No `ack_url` is set: the ledger is kept in %s", url.removeprefix("sqlite:///"))
            self._ledger = Ledger.open(url, self.settings.ack_schema)
            self._ledger.ensure_tables()
        return self._ledger

    def _adopt(self, ledger: Ledger, lock: RunLock, bulk: BulkWriter) -> None:
        jobs = adopt(ledger, lock)
        for job in jobs:
            logger.warning(
                "Adopting a bulk write job of %d orders that an earlier run left at step %s",
                len(job.manifest),
                job.step.value,
            )
            bulk.resume(job)
        self._adopted += sum(len(job.manifest) for job in jobs)

    def _sum_up(self, stream: str) -> str | None:
        """Write the summary line; returns what is wrong, if anything."""
        counts = self.settlement.counts(stream)
        parts = [(counts[status.value], _WORDS[status]) for status in Status]
        if counts[READ] != sum(number for number, _ in parts):
            raise AssertionError(f"stream {stream!r}: the outcomes do not add up to the records read: {counts}")
        seconds = time.monotonic() - self._started
        due = f" ({counts[DUE_AGAIN]:,} of them due again by themselves)" if counts[DUE_AGAIN] else ""
        adopted = f"; {self._adopted:,} adopted from earlier runs" if self._adopted else ""
        logger.info(
            "Stream %r: read %s = %s%s%s; credits: %s for bulk write, %s for upserts, %s for others; %.1f s",
            stream,
            f"{counts[READ]:,}",
            " + ".join(f"{number:,} {word}" for number, word in parts),
            due,
            adopted,
            *(f"{self.credits.spent(kind):,}" for kind in (CreditKind.BULK_WRITE, CreditKind.UPSERT, CreditKind.OTHER)),
            seconds,
        )
        refused = counts[Status.REJECTED.value] + counts[Status.PARKED.value] - counts[DUE_AGAIN]
        if self._destinations[stream].failed_calls.total:
            return f"stream {stream!r}: {counts[Status.UNSYNCED.value]} records are left unsynced after failed calls"
        policy = self.settings.on_rejection
        if refused and policy is not OnRejection.SKIP:
            return f"stream {stream!r}: {refused} orders were refused, and on_rejection is {policy.value}"
        return None


_WORDS = {status: "left unsynced" if status is Status.UNSYNCED else status.value for status in Status}


def remove_spools_of_the_dead() -> None:
    """Remove what killed runs of this user left of their files: they hold orders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SPOOL}*-*"):
        pid = folder.name.removeprefix(SPOOL).partition("-")[0]
        if pid.isdecimal() and process_is_gone(int(pid), process_space()) and os.access(folder, os.W_OK):
            shutil.rmtree(folder, ignore_errors=True)
