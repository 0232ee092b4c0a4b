"""Orders that were undone and wait for `orders-sync release`: whatever comes of them is noted, and not written."""

from __future__ import annotations

from collections.abc import Collection

from sync_ledger.leases import Lease
from sync_ledger.undoing import has_held, held_among
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.batch import Entry, PendingRecords
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.recorder import Recorder


class HeldOrders:
    """The held orders of one stream. None is added while its run lives: an undo takes the same lease."""

    def __init__(self, lease: Lease, recorder: Recorder) -> None:
        self._lease = lease
        self._recorder = recorder
        self._any = lease.ledger.with_retries(self._ask_for_any)

    def take_out(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Take held orders out of what is to be written, or deleted, and note that they came.

        Raises:
            DatabaseError: the ledger cannot be read or written.
        """
        if not self._any or not entries:
            return
        keys: Collection[str] = entries.keys()
        held = self._lease.ledger.with_retries(lambda: self._among(keys))
        if held:
            code = OwnCode.CHANGED_WHILE_HELD.value
            taken = {key: entries.pop(key) for key in list(entries) if key in held}
            outcomes = [Outcome(key, entry.version, Status.HELD, code=code) for key, entry in taken.items()]
            self._recorder.record(pending, outcomes, None)

    def _ask_for_any(self) -> bool:
        with self._lease.ledger.connect() as connection:
            return has_held(connection, self._lease.ledger.tables, self._lease.stream)

    def _among(self, keys: Collection[str]) -> set[str]:
        with self._lease.ledger.connect() as connection:
            return held_among(connection, self._lease.ledger.tables.ack, self._lease.stream, keys)
