"""`skip_unchanged`: orders that hold what was last confirmed of them are acknowledged for their new version, unsent."""

from __future__ import annotations

from dataclasses import replace

from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.delivery.payload_hasher import PayloadHasher


class UnchangedOrders:
    """Separates the orders of a batch that must be sent from those that need not be."""

    def __init__(self, hasher: PayloadHasher, *, ledger: StreamLedger, recorder: Recorder) -> None:
        """Compare by `hasher` with what the ledger has."""
        self._hasher = hasher
        self._ledger = ledger
        self._recorder = recorder

    def sift(self, batch: Batch) -> Batch:
        """Acknowledge what is unchanged; gives the rest, with the hashes that their acks shall hold.

        Only an order whose last outcome is that it is in the CRM can be unchanged: after a refusal, a delete or a job
        whose end is not known, nobody knows what the CRM holds.

        Raises:
            DatabaseError: the ledger cannot be read or written.
        """
        hashes = self._hasher.hashes(batch.mapping, batch.entries)
        confirmed = self._ledger.payload_hashes(hashes)
        unchanged = {key for key, known in confirmed.items() if hashes[key] == known}
        if not unchanged:
            return replace(batch, payload_hashes=hashes)
        outcomes = [
            Outcome(key, entry.version, Status.UNCHANGED, action=Status.UNCHANGED.value)
            for key, entry in batch.entries.items()
            if key in unchanged
        ]
        self._recorder.record(batch.pending, outcomes, None, payload_hashes=hashes)
        return replace(batch.without(unchanged), payload_hashes=hashes)
