"""One stream's part of the ledger: outcomes become acks, and the journal moves with them, under the run's lease."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec import structs

from sync_ledger.acks import Acks, from_elsewhere, has_long_numbers, make_due, synced_at, write_acks
from sync_ledger.callback_notes import called_back_at
from sync_ledger.content_forms import keys_with_content
from sync_ledger.deleted_records import KnownRecord, count_in_crm, known_records, note_deleted
from sync_ledger.given_up_jobs import given_up_for
from sync_ledger.job_journal import (
    JournalledJob,
    Manifest,
    age_of,
    jobs_of_lines,
    journal_applied,
    journal_intent,
    journal_step,
)
from sync_ledger.keys_alike import KeysAlike, keys_alike
from sync_ledger.lease_check import LeaseCheck
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.made_again import MadeAgain, made_again_by
from sync_ledger.payload_hashes import ConfirmedPayload, confirmed_payloads
from sync_ledger.quarantine import Quarantine, quarantined
from sync_ledger.record_owners import Claim, claims_on, owners_in_module
from sync_ledger.sent_writes import SentWrite
from sync_ledger.statistics import AckStatistics
from sync_ledger.tables import AckStatus, JobStep
from sync_ledger.tries import tries_of
from sync_ledger.unconfirmed_inserts import unconfirmed_since
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation.ack_columns import columns_of, hash_column
from target_zoho_crm.confirmation.history_notes import HistoryNotes, SettlementNotes
from target_zoho_crm.confirmation.key_conflicts import Conflicts, Lost, log_lost
from target_zoho_crm.confirmation.laws import not_of_job
from target_zoho_crm.confirmation.outcomes import Confirmed, Outcome, Status
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS
from target_zoho_crm.confirmation.refusals import Refusals
from target_zoho_crm.confirmation.sent_contents import SentContents
from target_zoho_crm.mapping.key_folding import KeyFolding

_T = TypeVar("_T")
_KEY = attrgetter("key")
_IN_THE_CRM = (Status.SYNCED, Status.UNCHANGED)

logger = logging.getLogger("target-zoho-crm")


class StreamLedger:
    """One stream's part of the ledger: its acks and its journal, written under the run's lease."""

    def __init__(
        self,
        ledger: Ledger,
        lease: Lease,
        *,
        max_attempts: int,
        folding: KeyFolding,
        shares_module: bool = False,
        contents: SentContents | None = None,
    ) -> None:
        """`max_attempts` counts the tries of an order whose refusals pass by themselves.

        `shares_module`: other streams of the ledger write to the module too. `contents`: those of what is sent.
        """
        self._ledger, self._lease = ledger, lease
        self._contents = contents or SentContents(None)
        self._refusals = Refusals(ledger.tables.ack, lease, folding, self._contents, max_attempts=max_attempts)
        self._folding = folding
        self._statistics = AckStatistics(ledger)
        self._conflicts = Conflicts(ledger.tables, lease.stream, shares_module=shares_module)
        self._history = HistoryNotes(ledger.tables, lease)
        self._alone = lease.partition.is_whole and not shares_module
        self._wrote = False

    def sending(self, kind: WriteKind, versions: Mapping[str, str] | Manifest, job_id: str | None = None) -> SentWrite:
        """The fence of a call that brings orders at these versions, given by key; their acks settle it."""
        return self._lease.sending(kind, versions, job_id=job_id)

    def sending_without_orders(self) -> LeaseCheck:
        """The fence of a call that overwrites nothing, however late it lands: an upload, a parent of a new name."""
        return LeaseCheck(self._lease)

    # Questions

    def keys_alike(self, keys: Collection[str], folded: Mapping[str, str]) -> KeysAlike:
        """Find those of these keys that Zoho's unique field may take for another order's."""
        tables, lease, fold = self._ledger.tables, self._lease, self._folding.fold
        return self._read(lambda each: keys_alike(each, tables, lease.stream, lease.run_id, keys, folded, fold))

    def owners_in_module(self, keys: Collection[str], folded: Mapping[str, str]) -> dict[str, Claim]:
        """Find those of these keys that another stream has in the same module: key -> that stream's order."""
        tables, stream = self._ledger.tables, self._lease.stream
        return self._read(lambda connection: owners_in_module(connection, tables, stream, keys, folded))

    def quarantined(self, versions: Mapping[str, str]) -> Quarantine:
        """Look up which of these orders made earlier calls or jobs fail; `versions` by key."""
        ack, stream = self._ledger.tables.ack, self._lease.stream
        return self._read(lambda connection: quarantined(connection, ack, stream, versions))

    def synced_at(self, versions: Mapping[str, str]) -> set[str]:
        """Look up which orders are confirmed to be in the CRM at just these versions, by key, and contents."""
        ack, stream, form = self._ledger.tables.ack, self._lease.stream, self._contents.form
        contents = self._contents.among(versions)
        return self._read(lambda connection: synced_at(connection, ack, stream, versions, contents, form))

    def keys_with_content(self, keys: Collection[str]) -> set[str]:
        """Look up which of these orders were read while they could change without another version."""
        ack, stream = self._ledger.tables.ack, self._lease.stream
        return self._read(lambda connection: keys_with_content(connection, ack, stream, keys))

    def confirmed_payloads(self, keys: Collection[str]) -> dict[str, ConfirmedPayload]:
        """Look up what was last sent of orders that are confirmed to be in the CRM."""
        ack, stream = self._ledger.tables.ack, self._lease.stream
        return self._read(lambda connection: confirmed_payloads(connection, ack, stream, keys))

    def known_records(self, keys: Collection[str]) -> dict[str, KnownRecord]:
        """Look up what the ledger knows of these orders' records in the CRM."""
        ack, stream = self._ledger.tables.ack, self._lease.stream
        return self._read(lambda connection: known_records(connection, ack, stream, keys))

    def has_long_numbers(self) -> bool:
        """Look up whether a key of the ledger is a number that is not in its shortest form, as 7.0."""
        ack, stream = self._ledger.tables.ack, self._lease.stream
        return self._read(lambda connection: has_long_numbers(connection, ack, stream))

    def acked_keys(self, keys: Collection[str]) -> set[str]:
        """Look up which of these orders have an ack."""
        ack, stream = self._ledger.tables.ack, self._lease.stream
        return self._read(lambda connection: set(tries_of(connection, ack, stream, keys)))

    def other_owners(self, ids: Mapping[str, str]) -> dict[str, str]:
        """Look up which of these records, by key, are another order's by the ledger: key -> the other order's key."""
        claims = self._read(lambda connection: claims_on(connection, self._ledger.tables.ack, ids.values()))
        others = {
            key: [each.key for each in claims.get(zoho_id, ()) if each.key != key] for key, zoho_id in ids.items()
        }
        return {key: keys[0] for key, keys in others.items() if keys}

    def made_again(self) -> tuple[int, list[MadeAgain]]:
        """How many orders this run made again, and some of them; a run that wrote nothing is not asked."""
        if not self._wrote:
            return 0, []
        ack, lease = self._ledger.tables.ack, self._lease
        return self._read(
            lambda connection: made_again_by(connection, ack, lease.stream, lease.run_id, samples=SAMPLE_KEYS)
        )

    def count_in_crm(self) -> int:
        """Count the orders of this run's partition that have a record in the CRM."""
        ack, stream, partition = self._ledger.tables.ack, self._lease.stream, self._lease.partition
        return self._read(lambda connection: count_in_crm(connection, ack, stream, partition))

    def in_doubt(self, versions: Mapping[str, str]) -> dict[str, timedelta]:
        """How long ago the last write of these orders began that may have had its effect, by key."""

        def look_up(connection: sa.Connection) -> dict[str, timedelta]:
            now = self._ledger.now(connection)
            began = unconfirmed_since(connection, self._ledger.tables, self._lease.stream, versions)
            return {key: now - then for key, then in began.items()}

        return self._read(look_up)

    def age_of(self, job_id: str) -> timedelta:
        """How long ago a job, or an insert call, was journalled."""
        ledger = self._ledger
        return self._read(lambda connection: age_of(connection, ledger.tables.job, job_id, ledger.now(connection)))

    def given_up_for(self, job_id: str) -> timedelta | None:
        """How long ago a person gave a job up; None where nobody did."""
        ledger, job = self._ledger, self._ledger.tables.job
        return self._read(lambda connection: given_up_for(connection, job, job_id, ledger.now(connection)))

    def child_jobs(self, parent_job_id: str) -> list[JournalledJob]:
        """Look up the jobs that belong to one job of orders: those of their lines and links."""
        return self._read(lambda connection: jobs_of_lines(connection, self._ledger.tables.job, parent_job_id))

    def called_back(self, job_id: str) -> datetime | None:
        """When the last callback about a job came, if any has."""
        return self._read(lambda connection: called_back_at(connection, self._ledger.tables.job, job_id))

    # Jobs, before their orders have outcomes

    def intend(self, job: JournalledJob, payload_hashes: Mapping[str, str]) -> None:
        """Note a job and make its orders `submitted`, before anything of it is sent; `payload_hashes` by key."""
        versions = job.manifest.texts()

        def write(connection: sa.Connection, now: datetime) -> None:
            own = replace(job, run_id=self._lease.run_id)
            journal_intent(connection, self._ledger.tables.job, own, now)
            channel = Channel.UPSERT if job.step is JobStep.CALLING else Channel.BULK_WRITE
            facts = self._contents.facts()
            common = self._common(AckStatus.SUBMITTED, channel, now, job_id=job.job_id, attempts=0, **facts)
            differing = {"record_key": list(versions), "version": list(versions.values())}
            sent = hash_column(versions, payload_hashes) | self._contents.columns(list(versions))
            self._write(connection, common, differing | sent)

        self._transact(write)
        self._statistics.wrote(len(versions))

    def intend_child_jobs(self, jobs: Sequence[JournalledJob]) -> None:
        """Note all jobs that belong to one job of orders at once: a run that adopts it then sees all or none."""

        def write(connection: sa.Connection, now: datetime) -> None:
            for own in (replace(job, run_id=self._lease.run_id) for job in jobs):
                journal_intent(connection, self._ledger.tables.job, own, now)

        self._transact(write)

    def step(self, job_id: str, step: JobStep, **facts: Any) -> None:
        """Note how far a job has come."""
        self._transact(
            lambda connection, now: journal_step(connection, self._ledger.tables.job, job_id, step, now, **facts)
        )

    def make_due(self, job: JournalledJob, keys: Collection[str], code: str) -> None:
        """Make some orders of an insert call due again; the others get their outcomes."""
        self._transact_noted(lambda connection, now, notes: self._make_due(connection, job, keys, code, now, notes))

    def give_back(self, job: JournalledJob, code: str) -> None:
        """Make the orders of a job due again that surely was not created."""

        def write(connection: sa.Connection, now: datetime, notes: SettlementNotes) -> None:
            self._make_due(connection, job, job.manifest.texts(), code, now, notes)
            facts = {"due_again_count": len(job.manifest), "error_message": code}
            journal_step(connection, self._ledger.tables.job, job.job_id, JobStep.ABANDONED, now, **facts)

        self._transact_noted(write)

    def _make_due(
        self,
        connection: sa.Connection,
        job: JournalledJob,
        keys: Collection[str],
        code: str,
        now: datetime,
        notes: SettlementNotes,
    ) -> None:
        ack, stream = self._ledger.tables.ack, self._lease.stream
        make_due(connection, ack, stream=stream, keys=keys, job_id=job.job_id, now=now, code=code)
        notes.acks(connection, now, keys, job)

    # Outcomes

    def confirm(
        self,
        outcomes: Sequence[Outcome],
        channel: Channel | None,
        job: JournalledJob | None = None,
        payload_hashes: Mapping[str, str] | None = None,
    ) -> Confirmed:
        """Write what became of records; with `job`, note in the same transaction that it is applied.

        `payload_hashes` are of what was sent, by key; those of a job are in the ledger since it was intended.
        Outcomes with status UNSYNCED blame no record: their acks stay as they were, or are due again after a job.
        """
        own = outcomes
        good: list[Outcome] = []
        others: list[Outcome] = []
        refused: list[Outcome] = []
        lost: list[Lost] = []
        elsewhere: set[str] = set()
        due = 0

        def write(connection: sa.Connection, now: datetime, notes: SettlementNotes) -> None:
            nonlocal own, good, others, refused, lost, elsewhere, due
            own = self._conflicts.refuse(connection, own, look_at_new=job is not None and job.is_adopted)
            lost = self._conflicts.disown(connection, own, now) or lost  # none where a commit's answer was lost
            good = [outcome for outcome in own if outcome.status in _IN_THE_CRM]
            bad = [outcome for outcome in own if outcome.status not in _IN_THE_CRM] if len(good) < len(own) else []
            others = [outcome for outcome in bad if outcome.status is not Status.UNSYNCED]
            unknown = [outcome.key for outcome in bad if outcome.status is Status.UNSYNCED]
            every = True
            if good:
                facts, columns = columns_of(good, now)
                common = self._common(AckStatus.SYNCED, channel, now, job_id=job and job.job_id, attempts=1, **facts)
                columns |= hash_column(columns["record_key"], payload_hashes or {})
                if job is None:  # a job's are in the ledger since it was intended
                    common |= self._contents.facts(written=channel is not None)
                    columns |= self._contents.columns(columns["record_key"])
                every = self._write(connection, common, columns, of_job=job is not None)
            acks = self._refusals.acks(connection, others, channel, job, now)
            every &= write_acks(connection, self._ledger.tables.ack, Acks.of(acks), of_job=job is not None)
            if job is not None and not every:
                elsewhere = from_elsewhere(connection, self._ledger.tables.ack, job.stream, job.job_id, map(_KEY, own))
                good = [outcome for outcome in good if outcome.key not in elsewhere]
                others = [outcome for outcome in others if outcome.key not in elsewhere]
                acks = [ack for ack in acks if ack.record_key not in elsewhere]
            due = sum(ack.next_attempt_at is not None for ack in acks)
            refused = [
                structs.replace(outcome, status=Status.PARKED) if ack.status is AckStatus.PARKED else outcome
                for outcome, ack in zip(others, acks, strict=True)
            ]
            notes.outcomes(connection, now, good, others, channel, job)
            if job is not None:
                self._make_due(connection, job, unknown, OwnCode.STOPPED_BY_ZOHO.value, now, notes)
                counts = (len(good), len(others) - due, due)
                journal_applied(connection, self._ledger.tables.job, job.job_id, counts, now)

        self._transact_noted(write)
        self._wrote = self._wrote or bool(good)
        if job is None:  # else they were counted when the job was intended
            self._statistics.wrote(len(good) + len(others))
        if job is not None and elsewhere:
            logger.error("%s", not_of_job(job, elsewhere))
        log_lost(self._lease.stream, lost)
        confirmed = self._looked_beside(Confirmed(good, refused, due), channel)
        self._contents.settled(map(_KEY, outcomes))
        return confirmed

    def _looked_beside(self, confirmed: Confirmed, channel: Channel | None) -> Confirmed:
        """The same, without orders in whose record a run beside this one has put one of its own at this very moment.

        Neither run's transaction sees the other's acks; whichever commits last does, when it looks after that.
        """
        if self._alone or not confirmed.in_the_crm:
            return confirmed
        found = self._read(
            lambda connection: self._conflicts.refuse(connection, confirmed.in_the_crm, look_at_new=True)
        )
        conflicts = [each for each in found if each.conflict_id]
        if not conflicts:
            return confirmed
        refused = [*confirmed.refused, *self.confirm(conflicts, channel).refused]
        return Confirmed([each for each in found if not each.conflict_id], refused, confirmed.due_again)

    def note_deleted(self, versions: Mapping[str, str], action: str) -> None:
        """Note that the CRM knows of these orders' deletion: `versions` by key, `action` delete or mark."""
        ack, stream = self._ledger.tables.ack, self._lease.stream

        def write(connection: sa.Connection, now: datetime, notes: SettlementNotes) -> None:
            note_deleted(connection, ack, stream, versions, action, now)
            notes.acks(connection, now, versions)

        if versions:
            self._transact_noted(write)

    def without_conflicts(self, outcomes: Sequence[Outcome], job: JournalledJob | None = None) -> list[Outcome]:
        """The outcomes, where orders whose record is another order's are refused: before lines or links go to it.

        `confirm` looks once more, since another order may have been written meanwhile.
        """
        if not any(outcome.zoho_id for outcome in outcomes):
            return list(outcomes)
        adopted = job is not None and job.is_adopted
        return self._read(lambda connection: self._conflicts.refuse(connection, outcomes, look_at_new=adopted))

    def _common(self, status: AckStatus, channel: Channel | None, now: datetime, **facts: Any) -> dict[str, Any]:
        return {
            "stream": self._lease.stream,
            "status": status,
            "acked_at": now,
            "channel": channel.value if channel else None,
            "run_id": self._lease.run_id,
            **facts,
        }

    def _write(
        self,
        connection: sa.Connection,
        common: Mapping[str, Any],
        differing: dict[str, Sequence[Any]],
        *,
        of_job: bool = False,
    ) -> bool:
        folded = self._folding.changed(differing["record_key"])
        if folded:
            differing["folded_key"] = [folded.get(key) for key in differing["record_key"]]
        return write_acks(connection, self._ledger.tables.ack, Acks(common, differing), of_job=of_job)

    def _read(self, ask: Callable[[sa.Connection], _T]) -> _T:
        def look_up() -> _T:
            with self._ledger.connect() as connection:
                return ask(connection)

        return self._ledger.with_retries(look_up)

    def _transact_noted(self, write: Callable[[sa.Connection, datetime, SettlementNotes], None]) -> None:
        notes = self._history.begin()
        self._transact(lambda connection, now: write(connection, now, notes.of_attempt(connection)))

    def _transact(self, write: Callable[[sa.Connection, datetime], None]) -> None:
        def once() -> None:
            with self._lease.timed_transaction() as (connection, now):
                write(connection, now)

        self._ledger.with_retries(once)
