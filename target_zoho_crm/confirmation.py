"""Confirmation: outcomes become acks, and the journal moves with them, in transactions that hold the run's lock."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from sync_ledger.acks import Ack, Acks, attempts_of, folded_twins, make_due, write_acks
from sync_ledger.jobs import JournalledJob, journal_intent, journal_step
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.runs import RunLock
from sync_ledger.tables import AckStatus, JobStep
from target_zoho_crm.errors import Family
from target_zoho_crm.key_folding import KeyFolding
from target_zoho_crm.outcomes import Outcome, Status
from target_zoho_crm.retries import next_attempt_at
from target_zoho_crm.routing import Channel

logger = logging.getLogger("target-zoho-crm")

WRITE_ATTEMPTS = 5
"""A ledger write is repeated when the connection breaks; a repeated ack says the same as the first."""

STOPPED_BY_ZOHO = "STOPPED_BY_ZOHO"
"""Our own code of an order in a job that Zoho stopped for a reason that no order is to blame for."""

_ACK_STATUS = {
    Status.REJECTED: AckStatus.REJECTED,
    Status.PARKED: AckStatus.PARKED,
}

_IN_THE_CRM = (Status.SYNCED, Status.UNCHANGED)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was written: the outcomes as the ledger took them, and how many are due again by themselves."""

    outcomes: Sequence[Outcome]
    due_again: int


class Confirmation:
    """Writes one stream's acks and journal."""

    def __init__(self, ledger: Ledger, lock: RunLock, *, max_attempts: int, folding: KeyFolding) -> None:
        """`max_attempts` counts the tries of an order whose refusals pass by themselves."""
        self._ledger = ledger
        self._lock = lock
        self._max_attempts = max_attempts
        self._folding = folding

    def guard(self) -> None:
        """Make sure, before something is sent, that this run still owns the stream."""
        self._retrying(self._lock.guard)

    def twins(self, keys: Collection[str], folded: Mapping[str, str]) -> dict[str, str]:
        """Find orders of the ledger that Zoho's unique field would take for one of these: key -> other key."""

        def look_up() -> dict[str, str]:
            with self._ledger.connect() as connection:
                return folded_twins(connection, self._ledger.tables.ack, self._lock.stream, keys, folded)

        return self._retrying(look_up)

    def intend(self, job: JournalledJob) -> None:
        """Note a job and make its orders `submitted`, before anything of it is sent."""

        def write(connection: sa.Connection, now: datetime) -> None:
            own = replace(job, run_id=self._lock.run_id)
            journal_intent(connection, self._ledger.tables.job, own, now)
            common = self._common(AckStatus.SUBMITTED, Channel.BULK_WRITE, now, job_id=job.job_id, attempts=0)
            self._write(connection, common, {"record_key": list(job.manifest), "version": list(job.manifest.values())})

        self._transact(write)

    def step(self, job_id: str, step: JobStep, **facts: Any) -> None:
        """Note how far a job has come."""
        self._transact(
            lambda connection, now: journal_step(connection, self._ledger.tables.job, job_id, step, now, **facts)
        )

    def give_back(self, job: JournalledJob, code: str) -> None:
        """Make the orders of a job due again that surely was not created."""

        def write(connection: sa.Connection, now: datetime) -> None:
            self._make_due(connection, job, job.manifest, code, now)
            facts = {"due_again_count": len(job.manifest), "error_message": code}
            journal_step(connection, self._ledger.tables.job, job.job_id, JobStep.ABANDONED, now, **facts)

        self._transact(write)

    def _make_due(
        self, connection: sa.Connection, job: JournalledJob, keys: Iterable[str], code: str, now: datetime
    ) -> None:
        ack, stream = self._ledger.tables.ack, self._lock.stream
        make_due(connection, ack, stream=stream, keys=keys, job_id=job.job_id, now=now, code=code)

    def confirm(
        self, outcomes: Sequence[Outcome], channel: Channel | None, job: JournalledJob | None = None
    ) -> Confirmed:
        """Write what became of records; with `job`, note in the same transaction that it is applied.

        Outcomes with status UNSYNCED blame no record: their acks stay as they were, or are due again after a job.
        """
        known = [outcome for outcome in outcomes if outcome.status is not Status.UNSYNCED]
        unknown = [outcome for outcome in outcomes if outcome.status is Status.UNSYNCED]
        good = [outcome for outcome in known if outcome.status in _IN_THE_CRM]
        others = [outcome for outcome in known if outcome.status not in _IN_THE_CRM]
        refused: list[Outcome] = []
        due = 0

        def write(connection: sa.Connection, now: datetime) -> None:
            nonlocal refused, due
            if good:
                common = self._common(AckStatus.SYNCED, channel, now, job_id=job and job.job_id, attempts=1)
                self._write(connection, common, _columns_of(good))
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
        return Confirmed([*good, *refused], due)

    def _journal_applied(
        self, connection: sa.Connection, job: JournalledJob, synced: int, rejected: int, due: int, now: datetime
    ) -> None:
        counts = {"synced_count": synced, "rejected_count": rejected, "due_again_count": due}
        journal_step(connection, self._ledger.tables.job, job.job_id, JobStep.APPLIED, now, **counts)

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

        self._retrying(once)

    def _retrying(self, action: Callable[[], _T]) -> _T:
        """Repeat what a broken connection cut short.

        A plain loop: the wrappers of a retry library form cycles that keep a whole job's rows alive.
        """
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                return action()
            except DBAPIError as error:
                passing = isinstance(error, (OperationalError, InterfaceError))
                if attempt == WRITE_ATTEMPTS or not passing:
                    raise LedgerError(_unusable(error)) from error
                logger.warning("The ledger does not answer (%s), trying again", type(error.orig).__name__)
            time.sleep(random.uniform(0.5, 1) * attempt)  # noqa: S311 - no secret
        raise AssertionError("the loop returns or raises")


def _unusable(error: DBAPIError) -> str:
    cause = str(error.orig).strip().splitlines()
    return (
        f"the ledger cannot be written or read: {cause[0] if cause else type(error.orig).__name__}; "
        "what was sent and not confirmed is sent again by the next run"
    )


def _columns_of(outcomes: Sequence[Outcome]) -> dict[str, Sequence[Any]]:
    return {
        "record_key": [outcome.key for outcome in outcomes],
        "version": [outcome.version for outcome in outcomes],
        "zoho_id": [outcome.zoho_id for outcome in outcomes],
        "action": [outcome.action for outcome in outcomes],
    }
