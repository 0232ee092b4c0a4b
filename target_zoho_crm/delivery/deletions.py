"""Orders that were deleted at their source: collected while records come in, checked and carried out at the end.

Only then is it known how many they are, and nothing is under way for them any more. A deletion is safe to repeat: a
record that is not there any more is as deleted as it can be. Records are read before: one that holds another key by
now is not the order's any more, whatever its id says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
from msgspec import structs

from sync_ledger.deleted_records import MARKED, KnownRecord
from sync_ledger.tables import AckStatus
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import NO_SUCH_RECORD, OwnCode
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.batch import Batch, Entry, PendingRecords
from target_zoho_crm.confirmation.outcomes import Outcome, RecordError, Status, refused, upsert_outcomes
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.confirmation.unattributed_failures import UnattributedFailures
from target_zoho_crm.lines.existing_lines import ExistingLines
from target_zoho_crm.record_decoding import GONE, Rows
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.delete_settings import DeleteSettings, OnDelete, SoftDelete
from target_zoho_crm.writing.records_read import RecordsRead
from target_zoho_crm.writing.split_call import SplitCall
from target_zoho_crm.writing.workers import Workers

LINE_LEFT = "a line of the order could not be deleted"
_UNKNOWN = (OwnCode.BREAKS_CALLS, OwnCode.CALL_FAILED)
"""Of an order whose call failed: nobody knows what it did."""

logger = logging.getLogger("target-zoho-crm")


@dataclass(frozen=True, slots=True)
class Deletion:
    """One order that was deleted: the version by which the source says so, and the pending records it is of."""

    version: str
    pending: PendingRecords


class Deletions:
    """The deletions of one stream."""

    def __init__(
        self,
        policy: StreamPolicy,
        settings: DeleteSettings,
        *,
        key_field: str,
        client: ZohoClient,
        ledger: StreamLedger,
        recorder: Recorder,
        state_gate: StateGate,
        soft_delete: SoftDelete | None,
        lines: ExistingLines | None,
        unattributed: UnattributedFailures,
        workers: Workers,
    ) -> None:
        """Carry out within the bounds of `settings`.

        `soft_delete` where records are marked and not deleted; `lines` where lines are records of their own, which Zoho
        would leave behind.
        """
        self._policy = policy
        self._settings = settings
        self._client = client
        self._ledger = ledger
        self._recorder = recorder
        self._state_gate = state_gate
        self._soft_delete = soft_delete
        self._lines = lines
        self._unattributed = unattributed
        self._workers = workers
        self._key_field = key_field
        self._records = RecordsRead(client, policy.module)
        self._collected: dict[str, Deletion] = {}
        self.refusal: str | None = None
        """Why none was carried out, if that is so."""

    def collect(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Take out what was deleted; such records stay unsettled, and STATE behind them waits."""
        deleted = {key: entry for key, entry in entries.items() if entry.values is GONE}
        for key, entry in deleted.items():
            del entries[key]
            self._supersede(key)
            self._collected[key] = Deletion(entry.version, pending)

    def superseded_by(self, rows: Rows) -> None:
        """Forget the deletion of orders that came back within the run."""
        if self._collected:
            for key in self._collected.keys() & set(rows.keys):
                self._supersede(key)

    def _supersede(self, key: str) -> None:
        earlier = self._collected.pop(key, None)
        if earlier is not None:
            self._state_gate.superseded(earlier.pending, 1)

    def restore(self, batch: Batch) -> Batch:
        """Clear the mark of orders that are back, before they are written, unless a column is mapped to its field.

        Gives the batch without those of which nobody knows whether it is cleared.

        Raises:
            ZohoError, DatabaseError: what ends the run.
        """
        mark = self._soft_delete
        if mark is None or mark.api_name in {column.field.api_name for column in batch.mapping.columns}:
            return batch
        known = self._ledger.known_records(batch.entries)
        back = {
            key: record.zoho_id
            for key, record in known.items()
            # The action stays until the order is written, also where clearing the mark, or a write after it, failed.
            if record.status is not AckStatus.SYNCED and record.action == MARKED and record.zoho_id is not None
        }
        for ids in _chunks(back):
            batch = self._restored(batch, ids, mark)
        return batch

    def _restored(self, batch: Batch, ids: Mapping[str, str], mark: SoftDelete) -> Batch:
        versions = {key: batch.entries[key].version for key in ids}

        def send(keys: Collection[str]) -> list[Outcome]:
            own, outcomes = self._own({key: ids[key] for key in keys}, versions)
            return outcomes + self._set(own, versions, mark.api_name, mark.restored)

        split = self._split(versions, send)
        try:
            split.run()
        except TransientError as error:
            self._recorder.leave_unsynced(batch.only(split.unsent), error)
        refused = [each for each in split.outcomes if each.code in _UNKNOWN]
        if refused:
            self._recorder.record(batch.pending, refused, None)
        failed = [each for each in split.outcomes if each.status is not Status.DELETED and each.code not in _UNKNOWN]
        if failed:
            logger.warning(
                "Stream %r: the mark of %d orders that came back could not be cleared: %s in field %s",
                self._policy.stream,
                len(failed),
                failed[0].code,
                mark.api_name,
            )
        return batch.without({*split.unsent, *(each.key for each in refused)})

    def carry_out(self) -> None:
        """Delete or mark what was deleted; returns when all of it is settled, or refuses all of it.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ended the run.
        """
        if not self._collected:
            return
        if self._settings.on_delete is OnDelete.IGNORE:
            logger.info(
                "Stream %r: %d orders were deleted at the source and stay in the CRM (on_delete is ignore)",
                self._policy.stream,
                len(self._collected),
            )
            self._settle(list(self._collected), Status.UNCHANGED)
            return
        known = self._ledger.known_records(self._collected)
        ids: dict[str, str] = {}
        absent = []
        for key in self._collected:
            record = known.get(key)
            if record is None or record.zoho_id is None or record.status is AckStatus.DELETED:
                absent.append(key)
            elif not self._in_a_job(key, record):
                ids[key] = record.zoho_id
        self._settle(absent, Status.UNCHANGED)
        self.refusal = self._settings.refuses(len(ids), self._ledger.count_in_crm())
        if self.refusal is not None:
            return
        self._start(ids)
        self._workers.wait()

    def _start(self, ids: Mapping[str, str]) -> None:
        """Begin the calls: alone for what made earlier calls fail, and for themselves where one of some does."""
        quarantine = self._ledger.quarantined({key: self._collected[key].version for key in ids})
        for key in quarantine.alone:
            self._workers.submit(self._deliver, {key: ids[key]}, True)  # noqa: FBT003 - as `known`
        for group in quarantine.groups.values():
            self._workers.submit(self._deliver, {key: ids[key] for key in group}, True)  # noqa: FBT003
        quarantined = quarantine.alone.union(*quarantine.groups.values())
        for chunk in _chunks({key: ids[key] for key in ids if key not in quarantined}):
            self._workers.submit(self._deliver, chunk, False)  # noqa: FBT003

    def _in_a_job(self, key: str, record: KnownRecord) -> bool:
        """An order whose job was left to the next run is deleted after that."""
        if record.status is not AckStatus.SUBMITTED:
            return False
        logger.warning(
            "Stream %r: order %r was deleted, and is in a job whose end is not known", self._policy.stream, key
        )
        return True

    def _deliver(self, ids: Mapping[str, str], known: bool) -> None:  # noqa: FBT001 - of a thread's work
        """Delete or mark up to 100 records; `known`: calls with just these have failed before."""
        mark = self._soft_delete
        versions = {key: self._collected[key].version for key in ids}

        def send(keys: Collection[str]) -> list[Outcome]:
            own, outcomes = self._own({key: ids[key] for key in keys}, versions)
            if mark is None:
                return outcomes + self._delete(own, versions)
            return outcomes + self._set(own, versions, mark.api_name, mark.deleted)

        split = self._split(versions, send, known=known)
        ended_by: TransientError | QuotaError | None = None
        try:
            split.run()
            self._recorder.call_succeeded()
        except (TransientError, QuotaError) as error:
            ended_by = error
        self._settle_outcomes(split.outcomes)
        if ended_by is not None and not self._recorder.ends_budget(ended_by):
            self._recorder.call_failed(ended_by)
            stream, left = self._policy.stream, len(split.unsent)
            logger.warning("%d deletions of stream %r are left to the next run: %s", left, stream, ended_by)

    def _settle_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        done = {each.key: each.version for each in outcomes if each.status is Status.DELETED}
        there = {each.key for each in outcomes if each.status is Status.DELETED and each.action == MARKED}
        self._ledger.note_deleted({key: done[key] for key in done if key not in there}, OnDelete.DELETE.value)
        self._ledger.note_deleted({key: done[key] for key in there}, MARKED)
        self._settle(list(done), Status.DELETED)
        failed: dict[PendingRecords, list[Outcome]] = {}
        for outcome in outcomes:
            if outcome.status is not Status.DELETED:
                failed.setdefault(self._collected[outcome.key].pending, []).append(outcome)
        for pending, some in failed.items():
            self._recorder.record(pending, some, None)

    def _split(
        self, versions: Mapping[str, str], send: Callable[[Collection[str]], list[Outcome]], *, known: bool = False
    ) -> SplitCall:
        stream, stop = self._policy.stream, self._client.stop
        return SplitCall(stream, versions, send, unattributed=self._unattributed, stop=stop, known=known)

    def _own(self, ids: Mapping[str, str], versions: Mapping[str, str]) -> tuple[dict[str, str], list[Outcome]]:
        """Those records that do not hold another order's key by now, and the outcomes of the other orders.

        Costs 1 credit for 100. A CRM that was restored may have given its ids anew, and people change keys.
        """
        fold, held = self._policy.folding.fold, self._records.by_id(list(ids.values()), [self._key_field])
        own, gone = {}, []
        for key, zoho_id in ids.items():
            found = held.get(zoho_id, {}).get(self._key_field)
            if not found or fold(str(found)) == fold(key):
                own[key] = zoho_id
                continue
            gone.append(Outcome(key, versions[key], Status.DELETED, action=OnDelete.DELETE.value))
            logger.warning(
                "Stream %r: order %r was deleted, and its record %s is left alone, since it holds the key %r by now",
                self._policy.stream,
                key,
                zoho_id,
                found,
            )
        return own, gone

    def _delete(self, ids: Mapping[str, str], versions: Mapping[str, str]) -> list[Outcome]:
        kept = self._delete_lines(ids, versions) if ids else {}
        outcomes = [
            refused(key, versions[key], [RecordError(kept[ids[key]], None, LINE_LEFT)])
            for key in ids
            if ids[key] in kept
        ]
        free = [key for key in ids if ids[key] not in kept]
        if free:
            trigger, module = self._policy.automations.trigger, self._policy.module
            workflows = trigger is None or "workflow" in trigger
            own = [ids[key] for key in free]
            fence = self._ledger.sending(WriteKind.DELETE, {key: versions[key] for key in free})
            answer = self._client.delete(module, own, workflows=workflows, fence=fence, splits=True)
            self._unattributed.passed()
            outcomes += upsert_outcomes(free, [versions[key] for key in free], answer.status, answer.body)
        return [_as_deleted(outcome, OnDelete.DELETE.value) for outcome in outcomes]

    def _delete_lines(self, ids: Mapping[str, str], versions: Mapping[str, str]) -> dict[str, str]:
        """Delete the lines of orders; gives Zoho's code by the id of those orders that have a line left."""
        if self._lines is None:
            return {}
        there = list(self._lines.of_orders(list(ids.values())))
        fence = self._ledger.sending(WriteKind.LINES, {key: versions[key] for key in ids})
        codes = self._lines.delete(there, fence)
        return {line.order_id: codes[line.id] for line in there if line.id in codes}

    def _set(self, ids: Mapping[str, str], versions: Mapping[str, str], field: str, value: object) -> list[Outcome]:
        if not ids:
            return []
        records = [{"id": zoho_id, field: value} for zoho_id in ids.values()]
        body = msgspec.json.encode({"data": records, **self._policy.automations.body()})
        fence = self._ledger.sending(WriteKind.UPDATE, {key: versions[key] for key in ids})
        answer = self._client.update(self._policy.module, body, records=len(records), fence=fence, splits=True)
        self._unattributed.passed()
        outcomes = upsert_outcomes(list(ids), [versions[key] for key in ids], answer.status, answer.body)
        return [_as_deleted(outcome, MARKED) for outcome in outcomes]

    def _settle(self, keys: Sequence[str], status: Status) -> None:
        """Count orders that need no ack of the usual kind."""
        by_pending: dict[PendingRecords, list[Outcome]] = {}
        for key in keys:
            deletion = self._collected[key]
            by_pending.setdefault(deletion.pending, []).append(Outcome(key, deletion.version, status))
        for pending, outcomes in by_pending.items():
            self._state_gate.confirmed(pending, outcomes, 0)


def _as_deleted(outcome: Outcome, action: str) -> Outcome:
    """An answer about an id, read as one about a deletion."""
    if outcome.status is Status.SYNCED:
        return structs.replace(outcome, status=Status.DELETED, action=action)
    if outcome.code == NO_SUCH_RECORD and outcome.field in (None, "id"):
        return Outcome(outcome.key, outcome.version, Status.DELETED, action=OnDelete.DELETE.value)
    return outcome


def _chunks(ids: Mapping[str, str]) -> Iterator[dict[str, str]]:
    items = iter(ids.items())
    while chunk := dict(islice(items, CALL_RECORDS)):
        yield chunk
