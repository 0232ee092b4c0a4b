"""One stream's orders on their way: buffered, and sent in batches once they fill one, or are old enough."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import msgspec

from target_zoho_crm.batch import Batch, Entry, PendingRecords
from target_zoho_crm.confirmation.in_flight import InFlight
from target_zoho_crm.confirmation.sent_contents import SentContents
from target_zoho_crm.confirmation.state_gate import READ, StateGate
from target_zoho_crm.delivery.buffer import Buffer
from target_zoho_crm.delivery.deletions import Deletions
from target_zoho_crm.delivery.early_refusals import EarlyRefusals
from target_zoho_crm.delivery.first_contact import FirstContact
from target_zoho_crm.delivery.flush_timer import FlushTimer, Waiting
from target_zoho_crm.delivery.held_orders import HeldOrders
from target_zoho_crm.delivery.key_spelling import KeySpelling
from target_zoho_crm.delivery.router import Router
from target_zoho_crm.delivery.shared_load import SharedLoad
from target_zoho_crm.mapping.field_mapping import FieldMapping, Refusal
from target_zoho_crm.record_decoding import GONE, Rows
from target_zoho_crm.writing.workers import RunWorkers

Sift = Callable[[Batch], Batch]
"""Takes out orders of a batch that need not be sent, since they are in the CRM as they should be; gives the others."""


class Delivery:
    """Takes one stream's records in and sees to it that each is written, or its refusal noted."""

    def __init__(
        self,
        stream: str,
        mapping: FieldMapping,
        *,
        router: Router,
        refusals: EarlyRefusals,
        deletions: Deletions,
        held: HeldOrders,
        sifts: Sequence[Sift],
        state_gate: StateGate,
        in_flight: InFlight,
        contents: SentContents,
        contact: FirstContact,
        workers: RunWorkers,
        batch_orders: int,
        flush_timer: FlushTimer | None,
        spelling: KeySpelling | None,
        shared: SharedLoad | None = None,
    ) -> None:
        """A batch is full with `batch_orders`. `spelling` where keys are numbers, `shared` where workers share a load.

        `flush_timer` says when to send what fills no batch; without it that waits for `flush`.
        """
        self._stream = stream
        self._mapping = mapping
        self._router = router
        self._refusals = refusals
        self._deletions = deletions
        self._held = held
        self._sifts = sifts
        self._state_gate = state_gate
        self._in_flight = in_flight
        self._contents = contents
        self._contact = contact
        self._workers = workers
        self._batch_orders = batch_orders
        self._flush_timer = flush_timer
        self._spelling = spelling
        self._shared = shared
        self._leaving = False
        self._buffer = Buffer()
        self._pending = PendingRecords(stream)
        self._partial = False
        self._has_unreadable = False
        self._has_deletions = False
        self._kept = frozenset(index for index, column in enumerate(mapping.columns) if column.keeps)

    def add(self, rows: Rows) -> None:
        """Take records in; sends what fills a batch.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ended an earlier call or job.
        """
        if self._kept:
            rows = self._without_kept_nulls(rows)
        if self._spelling is not None:
            rows = self._spelling.spelled(rows)
        self._state_gate.received(self._pending, len(rows.keys))
        self._partial = self._partial or rows.partial
        self._has_deletions = self._has_deletions or rows.deletions
        if self._has_deletions:
            self._deletions.superseded_by(rows)
        rows = self._refusals.unfit_keys(self._pending, rows)
        self._state_gate.superseded(self._pending, self._buffer.add(rows))
        if self._flush_timer is not None:
            self._flush_timer.arrived()
        self._workers.check()
        while len(self._buffer) >= self._full:
            if not self._send(self._full):
                break

    @property
    def _full(self) -> int:
        """With how many orders a batch is full."""
        return self._contact.most(self._batch_orders, self._router)

    def refuse(self, key: str, version: str, refusal: Refusal) -> None:
        """Take in a record that is no order of this stream's schema; one without a key goes by its number.

        It waits its turn like the others: an older version may be in flight, and a newer one may yet come.
        """
        self._has_unreadable = True
        if not key.strip():
            key = f"record {self._state_gate.counts(self._stream)[READ] + 1} without a key"
        self.add(Rows([key], [version], [(refusal,)]))

    def flush(self) -> None:
        """Send all that is buffered. What must wait for an older version of its key in flight is sent after it."""
        while len(self._buffer):
            if not self._send(len(self._buffer)) and not self._workers.wait_for_one():
                return  # an older version's job was left to the next run, and so are these

    def end(self) -> None:
        """Send all that is buffered at the end of the input, or leave it to the worker that comes last.

        Raises as `add`.
        """
        if self._shared is not None:
            if self._shared.others_come():
                self._leaving = True
                self.flush()
                self._leaving = False
            for rows in self._shared.collected(self._mapping):
                self.add(rows)
        self.flush()

    def flush_aged(self, *, input_pending: bool) -> float | None:
        """Send what has waited long enough, as far as workers are free; returns after how many seconds to check again.

        `input_pending` says that more input is there already. None: nothing waits.

        Raises:
            ZohoError, LedgerError, RejectedError: what ended an earlier call or job.
        """
        if self._flush_timer is None:
            return None
        self._contact.settle_aged()
        if self._flush_timer.is_time(input_pending=input_pending):
            in_flight = self._in_flight.among(self._buffer.keys)
            ready = len(self._buffer) - len(in_flight)
            by_jobs = ready > 0 and self._router.goes_by_jobs(ready)
            waiting = Waiting(ready, self._workers.calls.free, self._workers.jobs.free, by_jobs)
            portion = self._flush_timer.portion(waiting)
            if portion:
                self._send(portion, leaving=in_flight)
        if not len(self._buffer):
            self._flush_timer.emptied()
        return self._flush_timer.pause()

    def _send(self, most: int, leaving: Collection[str] = ()) -> int:
        """Send up to `most` orders of the buffer, but none of `leaving`; returns how many left it for good."""
        entries = self._buffer.take(min(most, self._full), leaving)
        pending, self._pending = self._pending, PendingRecords(self._stream)
        if len(self._buffer):  # the rest belongs to what is read next
            self._state_gate.move(len(self._buffer), pending, self._pending)
        self._hold_back(pending, entries)
        if not entries:
            return 0
        taken = len(entries)
        self._contents.note(entries)
        self._held.take_out(pending, entries)
        if self._has_deletions:
            self._deletions.collect(pending, entries)
        if self._has_unreadable:
            self._refusals.unreadable(pending, entries)
        self._refusals.same_keys(pending, entries)
        for mapping, same in self._by_mapping(entries):
            batch = self._deletions.restore(Batch(pending, mapping, same))
            for sift in self._sifts:
                batch = sift(batch)
            if self._is_left(batch):
                continue
            if self._contact.is_open:
                self._contact.send(batch, self._router)
            else:
                self._router.send(batch)
        self._contact.settle_full()
        return taken

    def _is_left(self, batch: Batch) -> bool:
        """Whether a batch was left to the worker that comes last."""
        if not self._leaving or self._shared is None or not self._contact.may_be_left:
            return False
        left = self._shared.leave(batch, self._mapping, self._router)
        if left:
            self._contact.leave_job()
        return left

    def _hold_back(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Put back what has an older version in flight: two writes for one key are never under way together."""
        in_flight = self._in_flight.among(entries)
        if in_flight:
            held = {key: entries.pop(key) for key in list(entries) if key in in_flight}
            self._state_gate.move(len(held), pending, self._pending)
            self._state_gate.superseded(self._pending, self._buffer.put_back(held))

    def _without_kept_nulls(self, rows: Rows) -> Rows:
        """Take nulls and empty texts of columns that keep what the CRM has for values that the record lacks."""
        values = [
            tuple(
                msgspec.UNSET if index in self._kept and (value is None or value == "") else value
                for index, value in enumerate(row)
            )
            if row is not GONE
            else row
            for row in rows.values
        ]
        return replace(rows, values=values, partial=True)

    def _by_mapping(self, entries: dict[str, Entry]) -> list[tuple[FieldMapping, Mapping[str, Entry]]]:
        """Split by which properties the records have: one that a record lacks must not clear its field.

        Records that have all columns, as our tap sends them, stay one batch.
        """
        if not self._partial:
            return [(self._mapping, entries)] if entries else []
        complete: dict[str, Entry] = {}
        partial: dict[tuple[int, ...], dict[str, Entry]] = {}
        for key, entry in entries.items():
            present = tuple(i for i, value in enumerate(entry.values) if value is not msgspec.UNSET)
            if len(present) < len(entry.values):
                values = tuple(entry.values[i] for i in present)
                partial.setdefault(present, {})[key] = Entry(entry.version, values, entry.content)
            else:
                complete[key] = entry
        parts: list[tuple[FieldMapping, Mapping[str, Entry]]] = [(self._mapping, complete)] if complete else []
        for present, some in partial.items():
            columns = tuple(self._mapping.columns[i] for i in present if i < len(self._mapping.columns))
            parts.append((replace(self._mapping, columns=columns), some))
        return parts
