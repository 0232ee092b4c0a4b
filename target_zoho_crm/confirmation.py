"""Confirmation: outcomes become acks, and the journal moves with them, in transactions that hold the run's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from sync_ledger.acks import Ack, attempts_of, folded_twins, make_due, write_acks
from sync_ledger.jobs import JournalledJob, journal_intent, journal_step
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.runs import RunLock
from sync_ledger.tables import AckStatus, JobStep
from target_zoho_crm.errors import Family
from target_zoho_crm.outcomes import Outcome, Status
from target_zoho_crm.retries import next_attempt_at
from target_zoho_crm.routing import Channel

WRITE_ATTEMPTS = 5
"""A ledger write is repeated when the connection breaks; a repeated ack says the same as the first."""

_ACK_STATUS = {
    Status.SYNCED: AckStatus.SYNCED,
    Status.UNCHANGED: AckStatus.SYNCED,
    Status.REJECTED: AckStatus.REJECTED,
    Status.PARKED: AckStatus.PARKED,
}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was written: the outcomes as the ledger took them, and how many are due again by themselves."""

    outcomes: Sequence[Outcome]
    due_again: int


class Confirmation:
    """Writes one stream's acks and journal."""

    def __init__(self, ledger: Ledger, lock: RunLock, *, max_attempts: int, fold: Callable[[str], str]) -> None:
        """`fold` gives the form of a key in which Zoho's unique field compares it."""
        self._ledger = ledger
        self._lock = lock
        self._max_attempts = max_attempts
        self._fold = fold

    def guard(self) -> None:
        """Make sure, before something is sent, that this run still owns the stream."""
        self._retrying(self._lock.guard)

    def twins(self, keys: Iterable[str]) -> dict[str, str]:
        """Find orders of the ledger that Zoho's unique field would take for one of these: key -> other key."""
        folded = {key: self._fold(key) for key in keys}

        def look_up() -> dict[str, str]:
            with self._ledger.connect() as connection:
                return folded_twins(connection, self._ledger.tables.ack, self._lock.stream, folded)

        return self._retrying(look_up)

    def intend(self, job: JournalledJob) -> None:
        """Note a job and make its orders `submitted`, before anything of it is sent."""

        def write(connection: sa.Connection, now: datetime) -> None:
            own = replace(job, run_id=self._lock.run_id)
            journal_intent(connection, self._ledger.tables.job, own, now)
            acks = [
                self._ack(key, version, AckStatus.SUBMITTED, now, channel=Channel.BULK_WRITE, job_id=job.job_id)
                for key, version in job.manifest.items()
            ]
            write_acks(connection, self._ledger.tables.ack, acks)

        self._transact(write)

    def step(self, job_id: str, step: JobStep, **facts: Any) -> None:
        """Note how far a job has come."""
        self._transact(
            lambda connection, now: journal_step(connection, self._ledger.tables.job, job_id, step, now, **facts)
        )

    def give_back(self, job: JournalledJob, code: str) -> None:
        """Make the orders of a job due again that surely was not created."""

        def write(connection: sa.Connection, now: datetime) -> None:
            make_due(
                connection,
                self._ledger.tables.ack,
                stream=self._lock.stream,
                keys=job.manifest,
                job_id=job.job_id,
                now=now,
                code=code,
            )
            facts = {"due_again_count": len(job.manifest), "error_message": code}
            journal_step(connection, self._ledger.tables.job, job.job_id, JobStep.ABANDONED, now, **facts)

        self._transact(write)

    def confirm(
        self, outcomes: Sequence[Outcome], channel: Channel | None, job: JournalledJob | None = None
    ) -> Confirmed:
        """Write what became of records; with `job`, note in the same transaction that it is applied.

        Outcomes with status UNSYNCED are left out: nothing is known of those records.
        """
        written: list[Outcome] = []
        due = 0

        def write(connection: sa.Connection, now: datetime) -> None:
            nonlocal due
            written.clear()
            due = 0
            failing = [each for each in outcomes if each.family is Family.TRANSIENT]
            tried = attempts_of(connection, self._ledger.tables.ack, self._lock.stream, [each.key for each in failing])
            acks = []
            for outcome in outcomes:
                if outcome.status is Status.UNSYNCED:
                    continue
                ack = self._outcome_ack(outcome, channel, job, now, tried.get(outcome.key))
                acks.append(ack)
                due += ack.next_attempt_at is not None
                written.append(replace(outcome, status=Status.PARKED) if ack.status is AckStatus.PARKED else outcome)
            write_acks(connection, self._ledger.tables.ack, acks)
            if job is not None:
                self._journal_applied(connection, job, written, due, now)

        self._transact(write)
        return Confirmed(written, due)

    def _journal_applied(
        self, connection: sa.Connection, job: JournalledJob, outcomes: Sequence[Outcome], due: int, now: datetime
    ) -> None:
        synced = sum(outcome.status is Status.SYNCED for outcome in outcomes)
        journal_step(
            connection,
            self._ledger.tables.job,
            job.job_id,
            JobStep.APPLIED,
            now,
            synced_count=synced,
            rejected_count=len(outcomes) - synced - due,
            due_again_count=due,
        )

    def _outcome_ack(
        self,
        outcome: Outcome,
        channel: Channel | None,
        job: JournalledJob | None,
        now: datetime,
        tried: tuple[str, int] | None,
    ) -> Ack:
        counted = 0 if job is not None else 1  # a job's tries were counted when its orders became `submitted`
        status, due = _ACK_STATUS[outcome.status], None
        if outcome.family is Family.TRANSIENT:
            version, attempts = tried or (outcome.version, 0)
            attempts = counted + (attempts if version == outcome.version else 0)
            due = next_attempt_at(attempts, now, max_attempts=self._max_attempts)
            status = AckStatus.REJECTED if due else AckStatus.PARKED
        return self._ack(
            outcome.key,
            outcome.version,
            status,
            now,
            channel=channel,
            zoho_id=outcome.zoho_id,
            action=outcome.action,
            family=outcome.family.value if outcome.family else None,
            error_code=outcome.code,
            error_field=outcome.field,
            error_message=outcome.message,
            attempts=counted,
            next_attempt_at=due,
            job_id=job.job_id if job else None,
        )

    def _ack(
        self, key: str, version: str, status: AckStatus, now: datetime, *, channel: Channel | None, **facts: Any
    ) -> Ack:
        folded = self._fold(key)
        return Ack(
            stream=self._lock.stream,
            record_key=key,
            version=version,
            status=status,
            acked_at=now,
            channel=channel.value if channel else None,
            run_id=self._lock.run_id,
            folded_key=None if folded == key else folded,
            **facts,
        )

    def _transact(self, write: Callable[[sa.Connection, datetime], None]) -> None:
        def once() -> None:
            with self._ledger.begin() as connection:
                self._lock.confirm(connection)
                write(connection, self._ledger.now(connection))

        self._retrying(once)

    def _retrying(self, action: Callable[[], _T]) -> _T:
        attempt = retry(
            retry=retry_if_exception_type((OperationalError, InterfaceError)),
            stop=stop_after_attempt(WRITE_ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5),
            reraise=True,
        )
        try:
            return attempt(action)()
        except DBAPIError as error:
            cause = str(error.orig).strip().splitlines()
            raise LedgerError(
                f"the ledger cannot be written or read: {cause[0] if cause else type(error.orig).__name__}; "
                "what was sent and not confirmed is sent again by the next run"
            ) from error
