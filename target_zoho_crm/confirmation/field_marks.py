"""One stream's marks in the ledger: what was written to fields that may belong to people."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sync_ledger.field_marks import MarkedRecord, marked_records, note_marks
from sync_ledger.leases import Lease


class FieldMarks:
    """Reads and notes marks, under the run's lease. Safe for threads."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ledger = lease.ledger

    def known(self, keys: Collection[str]) -> dict[str, MarkedRecord]:
        """What is known of these orders, by key; an order without an ack is left out."""
        ack, stream = self._ledger.tables.ack, self._lease.stream

        def look_up() -> dict[str, MarkedRecord]:
            with self._ledger.connect() as connection:
                return marked_records(connection, ack, stream, keys)

        return self._ledger.with_retries(look_up)

    def note(self, marks: Mapping[str, str]) -> None:
        """Note marks by key, before what they speak of is sent; of what was sent before nothing is settled by it."""

        def once() -> None:
            with self._lease.transaction(settles=0) as connection:
                note_marks(connection, self._ledger.tables.ack, self._lease.stream, marks)

        if marks:
            self._ledger.with_retries(once)
