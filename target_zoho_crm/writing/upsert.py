"""The Upsert API: calls of up to 100 orders, several at once.

A call is safe to repeat, because every record carries the key and the key is checked; so a lost answer is only
asked for again, and a run that dies between Zoho's answer and the ack sends the same orders once more.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import islice

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.tables import JobStep
from target_zoho_crm.api.answers import names_no_cause
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.costs import UPSERT_MAX_RECORDS
from target_zoho_crm.api.errors import LostAnswer, QuotaError, TransientError, UnattributedFailure, ZohoError
from target_zoho_crm.batch import Batch, Channel
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.in_flight import Flight
from target_zoho_crm.confirmation.operation_outcomes import by_operation, not_in_crm
from target_zoho_crm.confirmation.outcomes import Outcome, own_refusals, upsert_outcomes
from target_zoho_crm.links.link_upserts import Links
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.insertion import Insertion
from target_zoho_crm.writing.split_calls import SplitCall
from target_zoho_crm.writing.upsert_body import upsert_body
from target_zoho_crm.writing.workers import Workers


class UpsertWriter:
    """Writes batches by upsert calls."""

    def __init__(self, destination: Destination, workers: Workers) -> None:
        """`workers` has as many hands as calls may be under way."""
        self._to = destination
        self._workers = workers
        self._links = Links(destination)

    def start(self, batch: Batch) -> None:
        """Send a batch of any size; returns when every call is under way or done.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ended an earlier call and so the run.
        """
        entries = iter(batch.entries.items())
        while call := dict(islice(entries, 1 if batch.one_by_one else UPSERT_MAX_RECORDS)):
            self._workers.submit(self._deliver, replace(batch, entries=call), self._to.in_flight.begin(call))

    def _deliver(self, batch: Batch, flight: Flight) -> None:
        to = self._to
        job = self._journalled(batch) if to.operation is Operation.INSERT else None
        outcomes = self._write(batch if job is None else replace(batch, job=job))
        if outcomes:
            to.conclude(batch.pending, outcomes, Channel.UPSERT, job, payload_hashes=batch.payload_hashes)
        elif job is not None:
            to.ledger.step(job.job_id, JobStep.ABANDONED)
        to.in_flight.end(flight)

    def _journalled(self, batch: Batch) -> JournalledJob:
        """Note an insert call before it is sent: it cannot be repeated as if nothing had been."""
        to = self._to
        job = JournalledJob(
            uuid.uuid4().hex, to.stream, "", to.module, JobStep.CALLING, Manifest.of(batch.manifest), credits=0
        )
        to.ledger.intend(job, {})
        return job

    def _write(self, batch: Batch) -> list[Outcome]:
        """Make the call; orders of a call that failed as a whole have no outcome and are left unsynced."""
        to = self._to
        outcomes: list[Outcome] = []
        ids: Mapping[str, str] | None = None
        if to.operation is Operation.UPDATE:
            try:
                ids = {key: record.zoho_id for key, record in to.records.find(batch.entries).items()}
            except (TransientError, QuotaError) as error:
                self._unsent(batch, batch.entries, error)
                return []
            outcomes = [not_in_crm(key, entry.version) for key, entry in batch.entries.items() if key not in ids]
            batch = replace(batch, entries={key: entry for key, entry in batch.entries.items() if key in ids})
        body, refused = self._body(batch, ids)
        outcomes += own_refusals(batch, refused)
        batch = replace(batch, entries={key: entry for key, entry in batch.entries.items() if key not in refused})
        if not batch.entries:
            return outcomes
        try:
            outcomes += self._links.settle(batch, self._call(batch, body, splits=batch.job is None))
        except UnattributedFailure as failure:
            return outcomes + self._split(batch, ids, failure)
        except (TransientError, QuotaError) as error:
            self._unsent(batch, batch.entries, error)
            return outcomes
        to.failed_calls.succeeded()
        to.unattributed_failures.passed()
        return outcomes

    def _body(self, batch: Batch, ids: Mapping[str, str] | None) -> tuple[bytes, dict[str, Refusal]]:
        to = self._to
        return upsert_body(
            batch.mapping,
            list(batch.entries),
            [entry.values for entry in batch.entries.values()],
            to.automations.body(),
            ignore_empty=to.ignore_empty,
            operation=to.operation,
            ids=ids,
        )

    def _split(self, batch: Batch, ids: Mapping[str, str] | None, failure: UnattributedFailure) -> list[Outcome]:
        """Find the orders with which the call fails; gives the outcomes of those and of all that went."""

        def send(part: Batch, splits: bool) -> list[Outcome]:  # noqa: FBT001 - as `_call` has it
            return self._links.settle(part, self._call(part, self._body(part, ids)[0], splits=splits))

        split = SplitCall(self._to, batch, send)
        try:
            split.search(failure)
        except (TransientError, QuotaError) as error:
            self._unsent(batch, split.unsent, error)
        return split.outcomes

    def _unsent(self, batch: Batch, keys: Collection[str], error: TransientError | QuotaError) -> None:
        """Let go of orders of a batch whose call failed as a whole.

        Raises:
            QuotaError: nothing more can be sent, and not for our own budget.
        """
        to = self._to
        of_budget = to.ends_budget(error)
        if isinstance(error, QuotaError) and not of_budget:
            raise error
        if batch.job is not None:
            code = OwnCode.INSERT_UNCONFIRMED.value if isinstance(error, LostAnswer) else error.code
            to.ledger.make_due(batch.job, keys, code)
            to.due_again(batch.pending, len(keys))
        if not of_budget and not (to.continuous and batch.job is not None):
            to.left_unsynced(replace(batch, entries={key: batch.entries[key] for key in keys}), error)

    def _call(self, batch: Batch, body: bytes, *, splits: bool) -> list[Outcome]:
        to, sent = self._to, batch.manifest
        if batch.job is not None:
            return Insertion(to).call(body, sent, batch.job)
        send = to.client.update if to.operation is Operation.UPDATE else to.client.upsert
        answer = send(to.module, body, records=len(sent), guard=to.ledger.guard, splits=splits)
        try:
            outcomes = upsert_outcomes(
                list(sent),
                list(sent.values()),
                answer.status,
                answer.body,
                key_field=batch.mapping.key_field.api_name,
            )
        except ZohoError as error:
            if splits and names_no_cause(answer.status, answer.body):
                raise UnattributedFailure(error) from error
            raise
        return by_operation(outcomes, to.operation)
