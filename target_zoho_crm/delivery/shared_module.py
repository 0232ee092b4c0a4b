"""Streams that share a module: an order whose key another stream's order has is refused, and the others go."""

from __future__ import annotations

from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.key_conflicts import key_conflict
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.mapping.key_folding import KeyFolding


class SharedModule:
    """Takes out the orders of a batch whose records are those of another stream."""

    def __init__(self, folding: KeyFolding, *, ledger: StreamLedger, recorder: Recorder) -> None:
        """`folding` is that of the module's key field."""
        self._folding = folding
        self._ledger = ledger
        self._recorder = recorder

    def sift(self, batch: Batch) -> Batch:
        """Refuse them by name; gives the rest.

        Raises:
            DatabaseError: the ledger cannot be read or written.
        """
        owners = self._ledger.owners_in_module(batch.entries, self._folding.changed(batch.entries))
        if not owners:
            return batch
        outcomes = [
            key_conflict(
                key,
                batch.entries[key].version,
                f"stream {claim.stream!r} has order {claim.key!r} in this module",
                field=batch.mapping.key_field.api_name,
            )
            for key, claim in owners.items()
        ]
        self._recorder.record(batch.pending, outcomes, None)
        return batch.without(owners.keys())
