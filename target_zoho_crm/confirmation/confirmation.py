"""Confirmation: outcomes become acks, and the journal moves with them, in transactions that hold the run's lock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import structs

from sync_ledger.acks import Ack, Acks, attempts_of, keys_folded_alike, make_due, synced_at, write_acks
from sync_ledger.callback_notes import called_back_at
from sync_ledger.deleted_records import KnownRecord, count_in_crm, known_records, note_deleted
from sync_ledger.in_doubt import in_doubt_since
from sync_ledger.job_journal import JournalledJob, close_jobs_of_lines, jobs_of_lines, journal_intent, journal_step
from sync_ledger.ledger import Ledger
from sync_ledger.payload_hashes import confirmed_payloads
from sync_ledger.quarantine import Quarantine, suspects
from sync_ledger.runs import RunLock
from sync_ledger.statistics import AckStatistics
from sync_ledger.tables import AckStatus, JobStep
from target_zoho_crm.api.errors import Family
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS
from target_zoho_crm.confirmation.retries import next_attempt_at
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.settling.conflicts import Conflicts, Lost, written_too
from target_zoho_crm.writing.routing import Channel

STOPPED_BY_ZOHO = "STOPPED_BY_ZOHO"
"""Our own code of an order in a job that Zoho stopped for a reason that no order is to blame for."""

_ACK_STATUS = {
    Status.REJECTED: AckStatus.REJECTED,
    Status.PARKED: AckStatus.PARKED,
}

_IN_THE_CRM = (Status.SYNCED, Status.UNCHANGED)

logger = logging.getLogger("target-zoho-crm")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was written: the outcomes as the ledger took them, and how many are due again by themselves."""

    in_the_crm: Sequence[Outcome]
    refused: Sequence[Outcome]
    due_again: int


class Confirmation:
    """Writes one stream's acks and journal."""

    def __init__(self, ledger: Ledger, lock: RunLock, *, max_attempts: int, folding: KeyFolding) -> None:
        """`max_attempts` counts the tries of an order whose refusals pass by themselves."""
        self._ledger = ledger
        self._lock = lock
        self._max_attempts = max_attempts
        self._folding = folding
        self._statistics = AckStatistics(ledger)
        self._conflicts = Conflicts(ledger.tables.ack, lock.stream)

    def guard(self) -> None:
        """Make sure, before something is sent, that this run still owns the stream."""
        self._ledger.patiently(self._lock.guard)

    def twins(self, keys: Collection[str], folded: Mapping[str, str]) -> dict[str, str]:
        """Find orders of the ledger that Zoho's unique field would take for one of these: key -> other key."""

        def look_up() -> dict[str, str]:
            with self._ledger.connect() as connection:
                return keys_folded_alike(connection, self._ledger.tables.ack, self._lock.stream, keys, folded)

        return self._ledger.patiently(look_up)

    def suspects(self, versions: Mapping[str, str]) -> Quarantine:
        """Look up which of these orders made earlier calls or jobs fail; `versions` by key."""

        def look_up() -> Quarantine:
            with self._ledger.connect() as connection:
                return suspects(connection, self._ledger.tables.ack, self._lock.stream, versions)

        return self._ledger.patiently(look_up)

    def synced_at(self, versions: Mapping[str, str]) -> set[str]:
        """Look up which orders are confirmed to be in the CRM at just these versions, given by key."""

        def look_up() -> set[str]:
            with self._ledger.connect() as connection:
                return synced_at(connection, self._ledger.tables.ack, self._lock.stream, versions)

        return self._ledger.patiently(look_up)

    def payloads(self, keys: Collection[str]) -> dict[str, str]:
        """Look up the payload hashes of orders that are confirmed to be in the CRM."""

        def look_up() -> dict[str, str]:
            with self._ledger.connect() as connection:
                return confirmed_payloads(connection, self._ledger.tables.ack, self._lock.stream, keys)

        return self._ledger.patiently(look_up)

    def called_back(self, job_id: str) -> datetime | None:
        """When the last callback about a job came, if any has."""

        def look_up() -> datetime | None:
            with self._ledger.connect() as connection:
                return called_back_at(connection, self._ledger.tables.job, job_id)

        return self._ledger.patiently(look_up)

    def known_records(self, keys: Collection[str]) -> dict[str, KnownRecord]:
        """Look up what the ledger says of these orders' records in the CRM."""

        def look_up() -> dict[str, KnownRecord]:
            with self._ledger.connect() as connection:
                return known_records(connection, self._ledger.tables.ack, self._lock.stream, keys)

        return self._ledger.patiently(look_up)

    def count_in_crm(self) -> int:
        """Count the orders of this run's partition that have a record in the CRM."""

        def count() -> int:
            with self._ledger.connect() as connection:
                return count_in_crm(connection, self._ledger.tables.ack, self._lock.stream, self._lock.partition)

        return self._ledger.patiently(count)

    def note_deleted(self, versions: Mapping[str, str], action: str) -> None:
        """Note that the CRM knows of these orders' deletion: `versions` by key, `action` delete or mark."""
        ack, stream = self._ledger.tables.ack, self._lock.stream
        if versions:
            self._transact(lambda connection, now: note_deleted(connection, ack, stream, versions, action, now))

    def intend(self, job: JournalledJob, payloads: Mapping[str, str]) -> None:
        """Note a job and make its orders `submitted`, before anything of it is sent. `payloads`: hashes by key."""
        versions = job.manifest.texts()

        def write(connection: sa.Connection, now: datetime) -> None:
            own = replace(job, run_id=self._lock.run_id)
            journal_intent(connection, self._ledger.tables.job, own, now)
            channel = Channel.UPSERT if job.step is JobStep.CALLING else Channel.BULK_WRITE
            common = self._common(AckStatus.SUBMITTED, channel, now, job_id=job.job_id, attempts=0)
            differing = {"record_key": list(versions), "version": list(versions.values())}
            self._write(connection, common, differing | _payload_column(versions, payloads))

        self._transact(write)
        self._statistics.wrote(len(versions))

    def intend_lines(self, jobs: Sequence[JournalledJob]) -> None:
        """Note all jobs of one job's lines at once: a run that adopts them then knows whether it sees them all."""

        def write(connection: sa.Connection, now: datetime) -> None:
            for job in jobs:
                journal_intent(connection, self._ledger.tables.job, replace(job, run_id=self._lock.run_id), now)

        self._transact(write)

    def jobs_of_lines(self, parent_job_id: str) -> list[JournalledJob]:
        """Look up the jobs of the lines of one job's orders."""

        def look_up() -> list[JournalledJob]:
            with self._ledger.connect() as connection:
                return jobs_of_lines(connection, self._ledger.tables.job, parent_job_id)

        return self._ledger.patiently(look_up)

    def step(self, job_id: str, step: JobStep, **facts: Any) -> None:
        """Note how far a job has come."""
        self._transact(
            lambda connection, now: journal_step(connection, self._ledger.tables.job, job_id, step, now, **facts)
        )

    def doubtful(self, versions: Mapping[str, str]) -> dict[str, timedelta]:
        """How long ago the last write of these orders began that may have had its effect, by key."""

        def look_up() -> dict[str, timedelta]:
            with self._ledger.connect() as connection:
                now = self._ledger.now(connection)
                began = in_doubt_since(connection, self._ledger.tables, self._lock.stream, versions)
                return {key: now - moment for key, moment in began.items()}

        return self._ledger.patiently(look_up)

    def since(self, job_id: str) -> timedelta:
        """How long ago a job, or an insert call, was journalled."""
        job = self._ledger.tables.job

        def look_up() -> timedelta:
            with self._ledger.connect() as connection:
                query = sa.select(job.c.intended_at).where(job.c.job_id == job_id)
                began: datetime = connection.execute(query).scalar_one()
                return self._ledger.now(connection) - began

        return self._ledger.patiently(look_up)

    def let_go(self, job: JournalledJob, keys: Collection[str], code: str) -> None:
        """Make some orders of an insert call due again; the others get their outcomes."""
        self._transact(lambda connection, now: self._make_due(connection, job, keys, code, now))

    def give_back(self, job: JournalledJob, code: str) -> None:
        """Make the orders of a job due again that surely was not created."""

        def write(connection: sa.Connection, now: datetime) -> None:
            self._make_due(connection, job, job.manifest.texts(), code, now)
            facts = {"due_again_count": len(job.manifest), "error_message": code}
            journal_step(connection, self._ledger.tables.job, job.job_id, JobStep.ABANDONED, now, **facts)

        self._transact(write)

    def _make_due(
        self, connection: sa.Connection, job: JournalledJob, keys: Iterable[str], code: str, now: datetime
    ) -> None:
        ack, stream = self._ledger.tables.ack, self._lock.stream
        make_due(connection, ack, stream=stream, keys=keys, job_id=job.job_id, now=now, code=code)

    def confirm(
        self,
        outcomes: Sequence[Outcome],
        channel: Channel | None,
        job: JournalledJob | None = None,
        payloads: Mapping[str, str] | None = None,
    ) -> Confirmed:
        """Write what became of records; with `job`, note in the same transaction that it is applied.

        `payloads` holds the hashes of what was sent, by key; those of a job are in the ledger since it was intended.
        Outcomes with status UNSYNCED blame no record: their acks stay as they were, or are due again after a job.
        """
        own = outcomes
        good: list[Outcome] = []
        others: list[Outcome] = []
        refused: list[Outcome] = []
        lost: list[Lost] = []
        due = 0

        def write(connection: sa.Connection, now: datetime) -> None:
            nonlocal own, good, others, refused, lost, due
            own = self._conflicts.refuse(connection, own, look_at_new=_is_adopted(job))
            lost = self._conflicts.disown(connection, own, now) or lost  # none where a commit's answer was lost
            good = [outcome for outcome in own if outcome.status in _IN_THE_CRM]
            bad = [outcome for outcome in own if outcome.status not in _IN_THE_CRM] if len(good) < len(own) else []
            others = [outcome for outcome in bad if outcome.status is not Status.UNSYNCED]
            unknown = [outcome for outcome in bad if outcome.status is Status.UNSYNCED]
            if good:
                common = self._common(AckStatus.SYNCED, channel, now, job_id=job and job.job_id, attempts=1)
                columns = _columns_of(good)
                self._write(connection, common, columns | _payload_column(columns["record_key"], payloads or {}))
            acks = self._refusals(connection, others, channel, job, now)
            write_acks(connection, self._ledger.tables.ack, Acks.of(acks))
            due = sum(ack.next_attempt_at is not None for ack in acks)
            refused = [
                structs.replace(outcome, status=Status.PARKED) if ack.status is AckStatus.PARKED else outcome
                for outcome, ack in zip(others, acks, strict=True)
            ]
            if job is not None:
                self._make_due(connection, job, [each.key for each in unknown], STOPPED_BY_ZOHO, now)
                self._journal_applied(connection, job, len(good), len(others) - due, due, now)

        self._transact(write)
        if job is None:  # else they were counted when the job was intended
            self._statistics.wrote(len(good) + len(others))
        for each in lost[:SAMPLE_KEYS]:
            why = written_too(each.zoho_id, [each.by])
            logger.warning("Stream %r: order %r is no longer called synced: %s", self._lock.stream, each.key, why)
        if len(lost) > SAMPLE_KEYS:
            logger.warning("Stream %r: so are %d more", self._lock.stream, len(lost) - SAMPLE_KEYS)
        return Confirmed(good, refused, due)

    def without_conflicts(self, outcomes: Sequence[Outcome], job: JournalledJob | None = None) -> list[Outcome]:
        """The outcomes, where orders whose record is another order's are refused: before lines or links go to it.

        `confirm` looks once more, since another order may have been written meanwhile.
        """
        if not any(outcome.zoho_id for outcome in outcomes):
            return list(outcomes)

        def look_up() -> list[Outcome]:
            with self._ledger.connect() as connection:
                return self._conflicts.refuse(connection, outcomes, look_at_new=_is_adopted(job))

        return self._ledger.patiently(look_up)

    def _journal_applied(
        self, connection: sa.Connection, job: JournalledJob, synced: int, rejected: int, due: int, now: datetime
    ) -> None:
        counts = {"synced_count": synced, "rejected_count": rejected, "due_again_count": due}
        journal_step(connection, self._ledger.tables.job, job.job_id, JobStep.APPLIED, now, **counts)
        close_jobs_of_lines(connection, self._ledger.tables.job, job.job_id, now)

    def _refusals(
        self,
        connection: sa.Connection,
        outcomes: Sequence[Outcome],
        channel: Channel | None,
        job: JournalledJob | None,
        now: datetime,
    ) -> list[Ack]:
        """Acks of what is not in the CRM; when it is tried again depends on how often it was."""
        failing = [outcome.key for outcome in outcomes if outcome.family is Family.TRANSIENT]
        tried = attempts_of(connection, self._ledger.tables.ack, self._lock.stream, failing)
        folded = self._folding.changed([outcome.key for outcome in outcomes])
        acks = []
        for outcome in outcomes:
            status, due = _ACK_STATUS[outcome.status], None
            if outcome.family is Family.TRANSIENT:
                version, before = tried.get(outcome.key, (outcome.version, 0))
                attempts = 1 + (before if version == outcome.version else 0)
                due = next_attempt_at(attempts, now, max_attempts=self._max_attempts)
                status = AckStatus.REJECTED if due else AckStatus.PARKED
            acks.append(
                Ack(
                    stream=self._lock.stream,
                    record_key=outcome.key,
                    version=outcome.version,
                    status=status,
                    acked_at=now,
                    zoho_id=outcome.zoho_id,  # known where just the order's lines were refused
                    channel=channel.value if channel else None,
                    family=outcome.family.value if outcome.family else None,
                    error_code=outcome.code,
                    error_field=outcome.field,
                    error_message=outcome.message,
                    next_attempt_at=due,
                    job_id=job.job_id if job else None,
                    run_id=self._lock.run_id,
                    folded_key=folded.get(outcome.key),
                )
            )
        return acks

    def _common(self, status: AckStatus, channel: Channel | None, now: datetime, **facts: Any) -> dict[str, Any]:
        return {
            "stream": self._lock.stream,
            "status": status,
            "acked_at": now,
            "channel": channel.value if channel else None,
            "run_id": self._lock.run_id,
            **facts,
        }

    def _write(self, connection: sa.Connection, common: Mapping[str, Any], differing: dict[str, Sequence[Any]]) -> None:
        folded = self._folding.changed(differing["record_key"])
        if folded:
            differing["folded_key"] = [folded.get(key) for key in differing["record_key"]]
        write_acks(connection, self._ledger.tables.ack, Acks(common, differing))

    def _transact(self, write: Callable[[sa.Connection, datetime], None]) -> None:
        def once() -> None:
            with self._lock.transaction() as connection:
                write(connection, self._ledger.now(connection))

        self._ledger.patiently(once)


def _is_adopted(job: JournalledJob | None) -> bool:
    """Whether an earlier run sent the job: one of this run is journalled under its name, and does not carry it."""
    return job is not None and bool(job.run_id)


def _columns_of(outcomes: Sequence[Outcome]) -> dict[str, Sequence[Any]]:
    return {
        "record_key": [outcome.key for outcome in outcomes],
        "version": [outcome.version for outcome in outcomes],
        "zoho_id": [outcome.zoho_id for outcome in outcomes],
        "action": [outcome.action for outcome in outcomes],
    }


def _payload_column(keys: Iterable[str], payloads: Mapping[str, str]) -> dict[str, Sequence[Any]]:
    return {"payload_hash": [payloads.get(key) for key in keys]} if payloads else {}
