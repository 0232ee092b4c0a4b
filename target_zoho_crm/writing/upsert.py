"""The Upsert API: calls of up to 100 orders, several at once.

The twin of `bulk_write.py`: what cannot be written is refused, the rest is sent and followed up, then come the acks.
A call is safe to repeat, because every record carries the key and the key is checked; so a lost answer is only
asked for again, and a run that dies between Zoho's answer and the ack sends the same orders once more. Where another
unique field is mapped, a call is one of updates and one of inserts (`records_by_id.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.tables import JobStep
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.answers import names_no_cause
from target_zoho_crm.api.calls import Repeat
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.errors import QuotaError, TransientError, UnattributedFailure, ZohoError, blames_nobody
from target_zoho_crm.batch import Batch, Channel
from target_zoho_crm.confirmation.in_flight import Flight, InFlight
from target_zoho_crm.confirmation.laws import as_sent
from target_zoho_crm.confirmation.operation_outcomes import by_operation, not_in_crm
from target_zoho_crm.confirmation.outcomes import Outcome, own_refusals, upsert_outcomes
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.confirmation.unattributed_failures import UnattributedFailures
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.follow_up import FollowUps
from target_zoho_crm.writing.insertion import Insertion
from target_zoho_crm.writing.owned_fields import OwnedFields
from target_zoho_crm.writing.records_by_id import RecordsById
from target_zoho_crm.writing.records_by_key import RecordsByKey
from target_zoho_crm.writing.split_call import SplitCall
from target_zoho_crm.writing.upsert_body import upsert_body
from target_zoho_crm.writing.values_before import ValuesBefore
from target_zoho_crm.writing.workers import Workers


class UpsertWriter:
    """Writes batches by upsert calls."""

    def __init__(
        self,
        policy: StreamPolicy,
        *,
        client: ZohoClient,
        ledger: StreamLedger,
        recorder: Recorder,
        in_flight: InFlight,
        insertion: Insertion,
        records: RecordsByKey,
        owned: OwnedFields,
        before: ValuesBefore,
        unattributed: UnattributedFailures,
        workers: Workers,
        follow_ups: FollowUps,
    ) -> None:
        """`workers` has as many threads as calls may be under way."""
        self._policy = policy
        self._client = client
        self._ledger = ledger
        self._recorder = recorder
        self._in_flight = in_flight
        self._insertion = insertion
        self._records = records
        self._by_id = RecordsById(ledger, records)
        self._owned = owned
        self._before = before
        self._workers = workers
        self._follow_ups = follow_ups
        self._unattributed = unattributed

    def start(self, batch: Batch) -> None:
        """Send a batch of any size; returns when every call is under way or done.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ended an earlier call and so the run.
        """
        entries = iter(batch.entries.items())
        while call := dict(islice(entries, 1 if batch.one_by_one else CALL_RECORDS)):
            self._workers.submit(self._deliver, replace(batch, entries=call), self._in_flight.begin(call))

    def _deliver(self, batch: Batch, flight: Flight) -> None:
        job = self._journalled(batch) if self._policy.operation is Operation.INSERT else None
        written = self._write(batch if job is None else replace(batch, job=job))
        outcomes = as_sent(written, batch.manifest, self._policy.stream)
        if outcomes:
            self._recorder.record(batch.pending, outcomes, Channel.UPSERT, job, batch.payload_hashes)
        elif job is not None:
            self._ledger.step(job.job_id, JobStep.ABANDONED)
        self._in_flight.end(flight)

    def _journalled(self, batch: Batch) -> JournalledJob:
        """Note an insert call before it is sent: it cannot be repeated as if nothing had been."""
        policy, manifest = self._policy, Manifest.of(batch.manifest)
        job = JournalledJob(uuid.uuid4().hex, policy.stream, "", policy.module, JobStep.CALLING, manifest, credits=0)
        self._ledger.intend(job, {})
        return job

    def _write(self, batch: Batch) -> list[Outcome]:
        """Make the call; orders of a call that failed as a whole have no outcome and are left unsynced."""
        try:
            batch, outcomes = self._follow_ups.refuse(batch)
        except (TransientError, QuotaError) as error:
            self._unsent(batch, batch.entries, error)
            return []
        if not batch.entries:
            return outcomes
        if self._policy.operation is not Operation.INSERT:
            try:
                self._before.keep(batch.mapping, batch.entries)
            except (TransientError, QuotaError) as error:
                self._unsent(batch, batch.entries, error)
                return outcomes
        by_id = batch.mapping.matches_by_more or batch.mapping.has_rules or self._follow_ups.comes_with_new
        if self._policy.operation is Operation.UPSERT and by_id:
            send = self._send_owned if batch.mapping.has_rules else self._send
            return outcomes + self._by_id.write(batch, send, self._leave)
        return outcomes + self._send(batch, self._policy.operation)

    def _send_owned(self, batch: Batch, operation: Operation, ids: Mapping[str, str] | None = None) -> list[Outcome]:
        """The same as `_send`, where fields may belong to people."""
        if ids is None:
            self._owned.inserting(batch, by_job=False)
            return self._send(batch, operation)
        return self._owned.update(batch, ids, lambda some: self._send(some, operation, ids), self._leave)

    def _send(self, batch: Batch, operation: Operation, ids: Mapping[str, str] | None = None) -> list[Outcome]:
        """Send orders in one call, or in parts where that fails; `ids` of an update, by key, where they are known.

        What is not sent in the end has no outcome.
        """

        def send(keys: Collection[str]) -> list[Outcome]:
            part = batch if len(keys) == len(batch.entries) else batch.only(keys)
            return self._attempt(part, operation, ids, again=split.has_failed)

        split = SplitCall(
            batch.pending.stream,
            batch.manifest,
            send,
            unattributed=self._unattributed,
            stop=self._client.stop,
            known=batch.one_by_one or batch.group is not None,
        )
        try:
            split.run()
        except (TransientError, QuotaError) as error:
            self._unsent(batch, split.unsent, error)
        if self._unattributed.maybe_outage:  # they are due again, and yet all is not well
            self._recorder.left_waiting(sum(each.code == OwnCode.CALL_FAILED for each in split.outcomes))
        return split.outcomes

    def _attempt(
        self, batch: Batch, operation: Operation, ids: Mapping[str, str] | None, *, again: bool
    ) -> list[Outcome]:
        """Make one call, and follow its orders up; `again`: an earlier call with them may have had its effect."""
        outcomes: list[Outcome] = []
        if operation is Operation.UPDATE and ids is None:
            ids = {key: record.zoho_id for key, record in self._records.find(batch.entries).items()}
            outcomes += [not_in_crm(key, entry.version) for key, entry in batch.entries.items() if key not in ids]
            batch = batch.only([key for key in batch.entries if key in ids])
        body, refused = self._body(batch, operation, ids)
        outcomes += own_refusals(batch, refused)
        batch = batch.without(refused)
        if not batch.entries:
            return outcomes
        answered = self._answered(batch, body, operation, again=again)
        self._recorder.call_succeeded()
        self._unattributed.passed()
        if not self._follow_ups:
            return outcomes + answered
        # What belongs to an order must not go to a record that is another order's.
        return outcomes + self._follow_ups.after_call(batch, self._ledger.without_conflicts(answered))

    def _body(
        self, batch: Batch, operation: Operation, ids: Mapping[str, str] | None
    ) -> tuple[bytes, dict[str, Refusal]]:
        return upsert_body(
            batch.mapping,
            list(batch.entries),
            [entry.values for entry in batch.entries.values()],
            self._policy.automations.body(),
            ignore_empty=self._policy.ignore_empty,
            operation=operation,
            ids=ids,
            left=batch.left,
            rows_of=self._follow_ups.with_new(batch) if operation is Operation.INSERT else None,
        )

    def _answered(self, batch: Batch, body: bytes, operation: Operation, *, again: bool) -> list[Outcome]:
        sent = batch.manifest
        if batch.job is not None:
            return self._insertion.call(body, sent, batch.job, again=again)
        send = self._client.upsert
        if operation is Operation.UPDATE:
            send = partial(self._client.update, unmodified_since=batch.unmodified_since)
        if operation is Operation.INSERT:  # its repeat meets the record that the first one made, and is told its id
            send = partial(self._client.insert, repeat=Repeat.SAFE)
        fence = self._ledger.sending(WriteKind(operation.value), sent)
        answer = send(self._policy.module, body, records=len(sent), fence=fence, splits=True)
        try:
            outcomes = upsert_outcomes(
                list(sent), list(sent.values()), answer.status, answer.body, key_field=batch.mapping.key_field.api_name
            )
        except ZohoError as error:
            # What the org lacks is no order's fault, however few of them are sent.
            if not isinstance(error, QuotaError) and names_no_cause(answer.status, answer.body):
                raise UnattributedFailure(error) from error
            raise
        return by_operation(outcomes, operation)

    def _leave(self, batch: Batch, error: TransientError | QuotaError) -> None:
        self._unsent(batch, batch.entries, error)

    def _unsent(self, batch: Batch, keys: Collection[str], error: TransientError | QuotaError) -> None:
        """Leave orders of a batch whose call failed as a whole to the next run.

        Raises:
            QuotaError: nothing more can be sent, and not for our own budget.
        """
        of_budget = self._recorder.ends_budget(error)
        if isinstance(error, QuotaError) and not of_budget:
            raise error
        if batch.job is not None:
            code = OwnCode.INSERT_UNCONFIRMED.value if blames_nobody(error) else error.code
            self._ledger.make_due(batch.job, keys, code)
            self._recorder.due_again(batch.pending, len(keys))
        if not of_budget and not (self._policy.continuous and batch.job is not None):
            self._recorder.leave_unsynced(batch.only(keys), error)
