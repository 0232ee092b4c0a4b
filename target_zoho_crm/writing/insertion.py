"""`operation: insert`: an existing key is refused, and an order that we inserted ourselves is not taken for one.

Unlike an upsert, an insert cannot be repeated blindly: the repeat meets the record that the first one made. So each
insert is journalled before it is sent; and where its effect is in doubt (a lost answer, a killed run, a job without a
result) the record is read back by its key. It is ours if this token's user made it since the insert was journalled, by
Zoho's own clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from sync_ledger.job_journal import JournalledJob
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.errors import LostAnswer, TransientError
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.operation_outcomes import by_operation
from target_zoho_crm.confirmation.outcomes import Outcome, Status, upsert_outcomes
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.records_by_key import RecordsByKey

logger = logging.getLogger("target-zoho-crm")


class Insertion:
    """Inserts into one stream's module."""

    def __init__(
        self,
        policy: StreamPolicy,
        *,
        client: ZohoClient,
        ledger: StreamLedger,
        recorder: Recorder,
        records: RecordsByKey,
    ) -> None:
        """`records` are those of the stream's module."""
        self._policy = policy
        self._client = client
        self._ledger = ledger
        self._recorder = recorder
        self._records = records

    def settle_in_doubt(self, batch: Batch) -> Batch:
        """Acknowledge what an earlier run inserted without learning of it; gives the rest.

        Where the CRM cannot be asked, the orders in doubt are left unsynced.

        Raises:
            ZohoError, DatabaseError: what ends the run.
        """
        asked = time.monotonic()
        in_doubt = self._ledger.in_doubt(batch.manifest)
        if not in_doubt:
            return batch
        try:
            ours = self._ours({key: asked - elapsed.total_seconds() for key, elapsed in in_doubt.items()})
        except TransientError as error:
            self._recorder.leave_unsynced(batch.only(in_doubt), error)
            return batch.without(in_doubt)
        outcomes = [_inserted(key, batch.entries[key].version, zoho_id) for key, zoho_id in ours.items()]
        if outcomes:
            logger.info("Stream %r: %d orders were inserted by an earlier run", self._policy.stream, len(outcomes))
            self._recorder.record(batch.pending, outcomes, None, payload_hashes=batch.payload_hashes)
        return batch.without(ours)

    def call(self, body: bytes, sent: Mapping[str, str], job: JournalledJob, *, again: bool) -> list[Outcome]:
        """Insert up to 100 orders; `sent` holds their versions by key, `job` is their line in the journal.

        `again`: an earlier call of the same line may have inserted some of them.

        Raises:
            UnattributedFailure: nobody knows what became of them.
            ZohoError: they are not in the CRM by this call; or with `again` nobody knows.
        """
        fence = self._ledger.sending(WriteKind.INSERT, sent, job_id=job.job_id)
        answer = self._client.insert(self._policy.module, body, records=len(sent), fence=fence, splits=True)
        outcomes = upsert_outcomes(list(sent), list(sent.values()), answer.status, answer.body)
        outcomes = by_operation(outcomes, Operation.INSERT)
        return self.judge(outcomes, job) if again else outcomes

    def judge(self, outcomes: Sequence[Outcome], job: JournalledJob) -> list[Outcome]:
        """Take those refusals of an existing key for success whose record this very insert made.

        Raises:
            LostAnswer: the CRM could not be asked, so nobody knows.
        """
        duplicates = [outcome.key for outcome in outcomes if outcome.code == ZohoCode.DUPLICATE_DATA]
        if not duplicates:
            return list(outcomes)
        asked = time.monotonic()
        began = asked - self._ledger.age_of(job.job_id).total_seconds()
        try:
            ours = self._ours(dict.fromkeys(duplicates, began))
        except TransientError as error:
            raise error.turned(LostAnswer) from error
        return [
            _inserted(outcome.key, outcome.version, ours[outcome.key]) if outcome.key in ours else outcome
            for outcome in outcomes
        ]

    def _ours(self, began: Mapping[str, float]) -> dict[str, str]:
        """The ids of records that we made since these times of `time.monotonic`, by key."""
        found = self._records.find(began)
        ours: dict[str, str] = {}
        for since in set(began.values()):
            records = {key: record for key, record in found.items() if began[key] == since}
            made = self._records.made_by_us_since(records.values(), since) if records else set()
            ours.update((key, record.zoho_id) for key, record in records.items() if record.zoho_id in made)
        return ours


def _inserted(key: str, version: str, zoho_id: str) -> Outcome:
    return Outcome(key, version, Status.SYNCED, zoho_id, Operation.INSERT.value)
