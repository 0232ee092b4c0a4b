"""Orders in doubt are compared with what the CRM holds: those that are as they should be are acknowledged unsent.

One that differs is written, whoever changed it. One that differs as it did after the look before, or whose record a
person has changed since, is drift: counted, and not written again, unless it is the last look at what is in doubt. Then
it is written all the same: an old version may have landed a second time, and a person changed what it left.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sync_ledger.in_doubt import OrderInDoubt
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.batch import Batch
from target_zoho_crm.compare.records import Compared, RecordComparer
from target_zoho_crm.compare.values import Verdict
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_in_doubt import StreamInDoubt
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.lookup_resolver import LookupResolver
from target_zoho_crm.writing.records_read import RecordsRead

MODIFIED_BY = "Modified_By"
FINGERPRINT_BYTES = 16

logger = logging.getLogger("target-zoho-crm")

_Record = Mapping[str, Any]


@dataclass
class Verified:
    """What a run found of the orders in doubt: how many were compared, and what was not as it should be.

    `not_comparable` are equal as far as a read gives their fields; `of_people` names those that people changed last.
    """

    orders: int = 0
    different: int = 0
    drift: int = 0
    not_comparable: int = 0
    of_people: list[str] = field(default_factory=list)


class Verification:
    """Compares the orders of one stream that are in doubt."""

    def __init__(
        self,
        policy: StreamPolicy,
        client: ZohoClient,
        *,
        in_doubt: StreamInDoubt,
        recorder: Recorder,
        lookups: LookupResolver,
        readable: bool,
    ) -> None:
        """`lookups` find the parents by whose ids orders are compared.

        Where they are not `readable`, since they have lines or links that no read gives, they are written again.
        """
        self._policy = policy
        self._client = client
        self.in_doubt = in_doubt
        self._compares = readable or policy.operation is Operation.INSERT  # which writes nothing again
        self._recorder = recorder
        self._lookups = lookups
        self._records = RecordsRead(client, policy.module)
        self._us: str | None = None
        self.verified = Verified()

    def sift(self, batch: Batch) -> Batch:
        """Acknowledge those orders in doubt that are in the CRM as they should be; gives the rest.

        Costs 1 credit for each 100 orders in doubt. Where the CRM cannot be asked they are left unsynced.

        Raises:
            ZohoError, DatabaseError: what ends the run.
        """
        if not (self._compares and self.in_doubt.any_due):
            return batch
        in_doubt = {
            key: each
            for key, each in self.in_doubt.orders(batch.entries).items()
            # A newer version is written like any other; and without an id there is no record that we know of.
            if each.version == batch.entries[key].version and each.zoho_id is not None
        }
        if not in_doubt:
            return batch
        try:
            return self._compare(batch, in_doubt)
        except (TransientError, QuotaError) as error:
            if isinstance(error, TransientError):
                self._recorder.leave_unsynced(batch.only(in_doubt), error)
            elif not self._recorder.ends_budget(error):
                raise
            return batch.without(in_doubt)

    def _compare(self, batch: Batch, in_doubt: Mapping[str, OrderInDoubt]) -> Batch:
        before = [key for key in batch.entries if key in in_doubt]
        if self._policy.operation is Operation.INSERT:  # what is there is never overwritten, whatever it holds
            return self._without_inserted(batch, {key: in_doubt[key].zoho_id or "" for key in before})
        resolved = self._lookups.for_comparing(batch.only(before))
        keys = list(resolved.entries)
        ids = {key: in_doubt[key].zoho_id or "" for key in keys}
        comparer = RecordComparer(resolved.mapping, ignore_empty=self._policy.ignore_empty)
        found = self._records.by_id(ids.values(), (*comparer.fields, MODIFIED_BY))
        there = [key for key in keys if ids[key] in found]
        rows = [resolved.entries[key].values for key in there]
        compared = comparer.compare(there, rows, [found[ids[key]] for key in there])
        equal = {key for key, each in compared.items() if each.verdict is not Verdict.DIFFERENT}
        different = {key: each for key, each in compared.items() if key not in equal}
        drift = self._drift(different, in_doubt, {key: found[ids[key]] for key in different})
        fingerprints = {key: _fingerprint(each, found[ids[key]]) for key, each in different.items() if key not in drift}
        absent = {key: "" for key in keys if key not in there}
        self.in_doubt.differ({**fingerprints, **absent})
        self._acknowledge(batch, [*equal, *drift])
        self._count(compared, len(keys), [*fingerprints, *absent], drift)
        return batch.without({*equal, *drift})

    def _without_inserted(self, batch: Batch, ids: Mapping[str, str]) -> Batch:
        """Acknowledge those whose records are there."""
        found = self._records.by_id(ids.values(), (MODIFIED_BY,))
        there = [key for key, zoho_id in ids.items() if zoho_id in found]
        absent = {key: "" for key in ids if ids[key] not in found}
        self.in_doubt.differ(absent)
        self._acknowledge(batch, there)
        self._count({}, len(ids), list(absent), set())
        return batch.without(set(there))

    def _drift(
        self, different: Mapping[str, Compared], in_doubt: Mapping[str, OrderInDoubt], records: Mapping[str, _Record]
    ) -> set[str]:
        """Those that were written after the look before and differ all the same, not by another write of ours."""
        drift = set()
        for key, each in different.items():
            name = self._person(records[key])
            earlier = in_doubt[key].earlier
            if earlier is not None and (name is not None or earlier == _fingerprint(each, records[key])):
                drift.add(key)
            elif name is not None:
                self.verified.of_people.append(f"{key!r} (last changed by {name})")
        return drift

    def _person(self, record: _Record) -> str | None:
        """Who changed a record last, if it was not this token's user."""
        last = record.get(MODIFIED_BY)
        if not isinstance(last, dict) or not last.get("id"):
            return None
        if self._us is None:
            self._us = str(self._client.current_user().get("id"))
        return None if str(last["id"]) == self._us else f"user {last['id']}"

    def _acknowledge(self, batch: Batch, keys: Sequence[str]) -> None:
        outcomes = [
            Outcome(key, batch.entries[key].version, Status.UNCHANGED, action=Status.UNCHANGED.value) for key in keys
        ]
        if outcomes:
            self._recorder.record(batch.pending, outcomes, None, payload_hashes=batch.payload_hashes)

    def _count(self, compared: Mapping[str, Compared], orders: int, written: Collection[str], drift: set[str]) -> None:
        verified, stream = self.verified, self._policy.stream
        verified.orders += orders
        verified.different += len(written)
        verified.drift += len(drift)
        verified.not_comparable += sum(each.verdict is Verdict.NOT_COMPARABLE for each in compared.values())
        for keys, what in (written, "are written once more"), (drift, "stay as they are: they differ still (drift)"):
            if keys:
                fields = sorted({name for key in keys if key in compared for name in compared[key].different})
                logger.warning(
                    "Stream %r: of %d orders in doubt %d differ from the CRM in %s and %s: %s",
                    stream,
                    orders,
                    len(keys),
                    ", ".join(fields) or "that it has no record",
                    what,
                    ", ".join(map(repr, islice(keys, SAMPLE_KEYS))) + (", ..." if len(keys) > SAMPLE_KEYS else ""),
                )


def _fingerprint(compared: Compared, record: _Record) -> str:
    held = repr([(name, record.get(name)) for name in sorted(compared.different)])
    return hashlib.blake2b(held.encode(errors="surrogatepass"), digest_size=FINGERPRINT_BYTES).hexdigest()
