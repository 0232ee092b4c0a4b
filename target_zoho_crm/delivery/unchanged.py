"""Orders that need no call: they hold what was last confirmed of them, and are acknowledged as they are now.

An order that changed without another version is compared always, so that a change which nobody maps costs no credit;
one with another version where `skip_unchanged` asks for it.
"""

from __future__ import annotations

from dataclasses import replace

from sync_ledger.payload_hashes import ConfirmedPayload
from sync_ledger.stream_contract import SAME_CONTENT, read_content
from target_zoho_crm.batch import Batch, Entry
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.delivery.payload_hasher import PayloadHasher


class UnchangedOrders:
    """Separates the orders of a batch that must be sent from those that need not be."""

    def __init__(
        self, hasher: PayloadHasher, *, ledger: StreamLedger, recorder: Recorder, every_version: bool, by_flag: bool
    ) -> None:
        """Compare by `hasher` with what the ledger has.

        `every_version`: the setting `skip_unchanged`. `by_flag`: the tap goes by a flag, and compares no contents.
        """
        self._hasher = hasher
        self._ledger = ledger
        self._recorder = recorder
        self._every_version = every_version
        self._by_flag = by_flag

    def sift(self, batch: Batch) -> Batch:
        """Acknowledge what is unchanged; gives the rest, with the hashes that their acks shall hold.

        Only an order whose last outcome is that it is in the CRM can be unchanged: after a refusal, a delete or a job
        whose end is not known, nobody knows what the CRM holds.

        Raises:
            DatabaseError: the ledger cannot be read or written.
        """
        entries = batch.entries
        if not self._every_version:
            entries = {key: entry for key, entry in entries.items() if entry.content}
        if not entries:
            return batch
        hashes = self._hasher.hashes(batch.mapping, entries)
        asked = [key for key, entry in entries.items() if self._may_be_unchanged(entry)]
        confirmed = self._ledger.confirmed_payloads(asked) if asked else {}
        unchanged = {
            key: known for key, known in confirmed.items() if self._is_unchanged(entries[key], known, hashes.get(key))
        }
        if not unchanged:
            return replace(batch, payload_hashes=hashes)
        outcomes = [
            Outcome(key, entry.version, Status.UNCHANGED, action=Status.UNCHANGED.value)
            for key, entry in entries.items()
            if key in unchanged
        ]
        kept = {key: known.payload_hash for key, known in unchanged.items() if known.payload_hash is not None}
        self._recorder.record(batch.pending, outcomes, None, payload_hashes=kept)
        return replace(batch.without(unchanged), payload_hashes=hashes)

    def _may_be_unchanged(self, entry: Entry) -> bool:
        return self._every_version or self._by_flag or bool(read_content(entry.content).mark)

    def _is_unchanged(self, entry: Entry, known: ConfirmedPayload, payload_hash: str | None) -> bool:
        same_version = known.version == entry.version
        if same_version and read_content(entry.content).mark == SAME_CONTENT:
            return True
        return (same_version or self._every_version) and payload_hash is not None and payload_hash == known.payload_hash
