"""Acks of orders that are not in the CRM: rejected, due again, parked, or held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from sync_ledger.acks import Ack
from sync_ledger.job_journal import JournalledJob
from sync_ledger.leases import Lease
from sync_ledger.tables import AckStatus
from sync_ledger.tries import Tries, tries_of
from target_zoho_crm.api.codes import Family
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.retries import Attempt, attempt_of, next_attempt_at
from target_zoho_crm.confirmation.sent_contents import SentContents
from target_zoho_crm.mapping.key_folding import KeyFolding

_ACK_STATUS = {
    Status.REJECTED: AckStatus.REJECTED,
    Status.PARKED: AckStatus.PARKED,
    Status.HELD: AckStatus.HELD,
}


class Refusals:
    """Makes the acks of one stream's refusals."""

    def __init__(
        self, table: sa.Table, lease: Lease, folding: KeyFolding, contents: SentContents, *, max_attempts: int
    ) -> None:
        """`max_attempts` counts the tries of an order whose refusals pass by themselves."""
        self._contents = contents
        self._table = table
        self._lease = lease
        self._folding = folding
        self._max_attempts = max_attempts

    def acks(
        self,
        connection: sa.Connection,
        outcomes: Sequence[Outcome],
        channel: Channel | None,
        job: JournalledJob | None,
        now: datetime,
    ) -> list[Ack]:
        """The acks of these outcomes; when an order is tried again depends on how often it was."""
        failing = [outcome.key for outcome in outcomes if outcome.family is Family.TRANSIENT]
        tried = tries_of(connection, self._table, self._lease.stream, failing)
        folded = self._folding.changed([outcome.key for outcome in outcomes])
        acks = []
        for outcome in outcomes:
            status, attempt = _ACK_STATUS[outcome.status], Attempt.COUNTS
            due = since = None
            if outcome.family is Family.TRANSIENT:
                attempt, before = attempt_of(outcome.code), tried.get(outcome.key)
                content = None if job else self._contents.of(outcome.key)  # of a job the ack has it by now
                if before is None or not before.are_of(outcome.version, content, self._contents.form):
                    before = Tries(outcome.version, 0, None)
                if attempt.blames_nobody:
                    since = before.failing_since or now
                attempts = before.attempts + attempt.counted
                due = next_attempt_at(attempts, now, attempt, failing_since=since, max_attempts=self._max_attempts)
                status = AckStatus.REJECTED if due else AckStatus.PARKED
            acks.append(
                Ack(
                    stream=self._lease.stream,
                    record_key=outcome.key,
                    version=outcome.version,
                    status=status,
                    acked_at=now,
                    zoho_id=outcome.zoho_id,  # known where just the order's lines were refused
                    channel=channel.value if channel and not outcome.causes else None,  # nothing was sent of ours
                    family=outcome.family.value if outcome.family else None,
                    error_code=outcome.code,
                    error_field=outcome.field,
                    error_message=outcome.message,
                    attempts=attempt.counted,
                    next_attempt_at=due,
                    failing_since=since,
                    job_id=job.job_id if job else outcome.group,
                    run_id=self._lease.run_id,
                    content=None if job else self._contents.of(outcome.key),  # a job's stays what it is
                    content_form=None if job else self._contents.form,
                    folded_key=folded.get(outcome.key),
                )
            )
        return acks
