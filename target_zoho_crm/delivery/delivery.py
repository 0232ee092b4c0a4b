"""One stream's orders on their way: buffered, routed by credits, and handed to the two writers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from sync_databases.keys import KEY_LENGTH
from sync_ledger.quarantine import Quarantine
from target_zoho_crm.api.codes import Family, ZohoCode
from target_zoho_crm.api.errors import QuotaError
from target_zoho_crm.batch import Batch, Channel, Entry, PendingRecords
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import Outcome, Status, own_refusals
from target_zoho_crm.delivery.buffer import Buffer
from target_zoho_crm.delivery.deletions import Deletions
from target_zoho_crm.delivery.flush_timer import FlushTimer, Waiting
from target_zoho_crm.delivery.unchanged import UnchangedOrders
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.links.job_eligibility import LinkedRecords, for_job
from target_zoho_crm.mapping.field_mapping import FieldMapping, Refusal
from target_zoho_crm.record_decoding import GONE, Rows, shortened_key
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.bulk_write import BulkWriter
from target_zoho_crm.writing.insertion import Insertion
from target_zoho_crm.writing.lookup_resolver import LookupResolver
from target_zoho_crm.writing.routing import LineCounts, LinkCounts, Plan, plan
from target_zoho_crm.writing.upsert import UpsertWriter
from target_zoho_crm.writing.workers import Workers

logger = logging.getLogger("target-zoho-crm")


class Delivery:
    """Takes one stream's records in and sees to it that each is written, or its refusal noted."""

    def __init__(
        self,
        destination: Destination,
        mapping: FieldMapping,
        *,
        channel: Channel,
        bulk_rows: int,
        bulk_threshold: int | None,
        lookups: LookupResolver,
        upserts: UpsertWriter,
        bulk: BulkWriter,
        jobs: Workers,
        calls: Workers,
        lines: CompiledLines | None = None,
        deletions: Deletions,
        unchanged: UnchangedOrders | None = None,
        flush_timer: FlushTimer | None = None,
    ) -> None:
        """Sizes are in orders.

        With `lines`, each order's lines stand behind the values of the mapped columns. With `unchanged`, orders that
        hold what is known to be in the CRM are not sent. `flush_timer` says when to send what fills no batch; without
        it that waits for `flush`.
        """
        self._to = destination
        self._mapping = mapping
        self._channel = channel
        self._bulk_rows = bulk_rows
        self._bulk_threshold = bulk_threshold
        self.lookups = lookups
        self._upserts = upserts
        self.bulk = bulk
        self._jobs = jobs
        self._calls = calls
        self._lines = lines
        self.deletions = deletions
        self._unchanged = unchanged
        self._cadence = flush_timer
        self._linked = LinkedRecords(destination.client)
        self._buffer = Buffer()
        self._pending = PendingRecords(destination.stream)
        self._partial = False
        self._refusing = False
        self._deleting = False
        self._kept = frozenset(index for index, column in enumerate(mapping.columns) if column.keeps)

    @property
    def lines_property(self) -> str | None:
        """The property that holds an order's lines; None where lines are not written."""
        return self._lines.settings.property if self._lines is not None else None

    def add(self, rows: Rows) -> None:
        """Take records in; sends what fills a batch.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ended an earlier call or job.
        """
        if self._kept:
            rows = self._without_kept_nulls(rows)
        state_gate = self._to.state_gate
        state_gate.received(self._pending, len(rows.keys))
        self._partial = self._partial or rows.partial
        self._deleting = self._deleting or rows.deletions
        if self._deleting:
            self.deletions.superseded_by(rows)
        if max(map(len, rows.keys), default=0) > KEY_LENGTH or "\0" in "".join(rows.keys):
            rows = self._refuse_unfit_keys(rows)
        state_gate.superseded(self._pending, self._buffer.add(rows))
        if self._cadence is not None:
            self._cadence.arrived()
        self._jobs.check()
        self._calls.check()
        while len(self._buffer) >= self._bulk_rows:
            if not self._send(self._bulk_rows):
                break

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

    def refuse(self, key: str, version: str, refusal: Refusal) -> None:
        """Take in a record that is no order of this stream's schema.

        It waits its turn like the others: an older version may be in flight, and a newer one may yet come.
        """
        self._refusing = True
        self.add(Rows([key], [version], [(refusal,)]))

    def flush(self) -> None:
        """Send all that is buffered. What must wait for an older version of its key in flight is sent after it."""
        while len(self._buffer):
            if not self._send(len(self._buffer)) and not self._wait_for_room():
                return  # an older version's job was left to the next run, and so are these

    def flush_aged(self, *, input_pending: bool) -> float | None:
        """Send what has waited long enough, as far as hands are free; returns after how many seconds to look again.

        `input_pending` says that more input is there already. None: nothing waits.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ended an earlier call or job.
        """
        if self._cadence is None:
            return None
        if self._cadence.is_time(input_pending=input_pending):
            flying = self._to.in_flight.among(self._buffer.keys)
            ready = len(self._buffer) - len(flying)
            by_jobs = ready > 0 and bool(self._plan(ready, None).job_sizes)
            portion = self._cadence.portion(Waiting(ready, self._calls.free, self._jobs.free, by_jobs))
            if portion:
                self._send(portion, leaving=flying)
        if not len(self._buffer):
            self._cadence.emptied()
        return self._cadence.pause()

    def _wait_for_room(self) -> bool:
        """Wait until something under way is over; False where nothing is."""
        workers = self._calls if self._calls.busy else self._jobs
        busy = workers.busy
        workers.wait_for_one()
        return busy

    def _refuse_unfit_keys(self, rows: Rows) -> Rows:
        """Refuse orders whose key neither Zoho nor the ledger can hold; the ledger names them by a shortened key."""
        unfit = {index for index, key in enumerate(rows.keys) if len(key) > KEY_LENGTH or "\0" in key}
        message = f"The key has more than {KEY_LENGTH} characters, or a NUL among them."
        outcomes = {
            shortened: self._own_refusal(shortened, rows.versions[index], ZohoCode.INVALID_DATA, message)
            for index in unfit
            for shortened in [shortened_key(rows.keys[index])]
        }
        self._to.state_gate.superseded(self._pending, len(unfit) - len(outcomes))
        self._to.conclude(self._pending, list(outcomes.values()), None)
        kept = [index for index in range(len(rows.keys)) if index not in unfit]
        return Rows(
            [rows.keys[index] for index in kept],
            [rows.versions[index] for index in kept],
            [rows.values[index] for index in kept],
            partial=rows.partial,
        )

    def _send(self, most: int, leaving: Collection[str] = ()) -> int:
        """Send up to `most` orders of the buffer, but none of `leaving`; returns how many left it for good."""
        entries = self._buffer.take(most, leaving)
        pending, self._pending = self._pending, PendingRecords(self._to.stream)
        if len(self._buffer):  # the rest belongs to the next ones
            self._to.state_gate.move(len(self._buffer), pending, self._pending)
        self._hold_back(pending, entries)
        if not entries:
            return 0
        taken = len(entries)
        if self._deleting:
            self.deletions.collect(pending, entries)
        self._refuse_marked(pending, entries)
        self._refuse_twins(pending, entries)
        for mapping, same in self._by_mapping(entries):
            batch = Batch(pending, mapping, same)
            self.deletions.unmark(same, [column.field.api_name for column in mapping.columns])
            batch = self._to.without_unflagged(batch)
            self._route(batch if self._unchanged is None else self._unchanged.sift(batch))
        return taken

    def _hold_back(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Put back what has an older version in flight: two writes for one key are never under way together."""
        flying = self._to.in_flight.among(entries)
        if flying:
            held = {key: entries.pop(key) for key in list(entries) if key in flying}
            self._to.state_gate.move(len(held), pending, self._pending)
            self._to.state_gate.superseded(self._pending, self._buffer.put_back(held))

    def _refuse_marked(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Conclude the records that were refused when they were read."""
        if not self._refusing:
            return
        marked = {key: entry for key, entry in entries.items() if entry.values and isinstance(entry.values[0], Refusal)}
        for key in marked:
            del entries[key]
        batch = Batch(pending, self._mapping, marked)
        refusals = {key: entry.values[0] for key, entry in marked.items()}
        self._to.conclude(pending, own_refusals(batch, refusals), None)

    def _refuse_twins(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Refuse orders whose keys Zoho's unique field would take for one, and keys that it cannot hold."""
        folded = self._to.folding.changed(entries)
        twins = self._to.ledger.keys_folded_alike(entries, folded)
        if folded:
            first: dict[str, str] = {}
            for key in entries:
                other = first.setdefault(folded.get(key, key), key)
                if other != key:
                    twins[key], twins[other] = other, key
        outcomes = [
            self._own_refusal(
                key,
                entries[key].version,
                ZohoCode.DUPLICATE_DATA,
                f"Zoho's unique field takes this key and that of order {other!r} for one; change one of them.",
            )
            for key, other in twins.items()
        ]
        if outcomes:
            for key in twins:
                del entries[key]
            self._to.conclude(pending, outcomes, None)

    def _own_refusal(self, key: str, version: str, code: str, message: str) -> Outcome:
        return Outcome(
            key=key,
            version=version,
            status=Status.REJECTED,
            code=code,
            field=self._mapping.key_field.api_name,
            message=message,
            family=Family.DATA,
        )

    def _by_mapping(self, entries: dict[str, Entry]) -> list[tuple[FieldMapping, Mapping[str, Entry]]]:
        """Split by which properties the records have: one that a record lacks must not clear its field.

        Records that have all columns, as our tap sends them, stay one batch.
        """
        if not self._partial:
            return [(self._mapping, entries)] if entries else []
        whole: dict[str, Entry] = {}
        partial: dict[tuple[int, ...], dict[str, Entry]] = {}
        for key, entry in entries.items():
            present = tuple(i for i, value in enumerate(entry.values) if value is not msgspec.UNSET)
            if len(present) < len(entry.values):
                values = tuple(entry.values[i] for i in present)
                partial.setdefault(present, {})[key] = Entry(entry.version, values)
            else:
                whole[key] = entry
        parts: list[tuple[FieldMapping, Mapping[str, Entry]]] = [(self._mapping, whole)] if whole else []
        for present, some in partial.items():
            columns = tuple(self._mapping.columns[i] for i in present if i < len(self._mapping.columns))
            parts.append((replace(self._mapping, columns=columns), some))
        return parts

    def _route(self, batch: Batch) -> None:
        if self._to.operation is Operation.INSERT:
            batch = Insertion(self._to).settle_in_doubt(batch)
        if not batch.entries:
            return
        suspects = self._to.ledger.quarantined(batch.versions)
        if suspects.alone or suspects.by_calls:
            batch = self._set_apart(batch, suspects)
        self._send_by(self._channel, batch)

    def _set_apart(self, batch: Batch, suspects: Quarantine) -> Batch:
        """Send the orders that made earlier calls or jobs fail by calls, apart from the others; gives the others."""
        for keys, alone, how in (
            (suspects.alone, True, "alone, since calls with them failed"),
            (suspects.by_calls, False, "by calls, since their jobs left no result"),
        ):
            apart = {key: entry for key, entry in batch.entries.items() if key in keys}
            if apart:
                logger.info("Stream %r: %d orders go %s", self._to.stream, len(apart), how)
                self._send_by(Channel.UPSERT, replace(batch, entries=apart, one_by_one=alone))
        either = suspects.alone | suspects.by_calls
        return replace(batch, entries={key: entry for key, entry in batch.entries.items() if key not in either})

    def _send_by(self, channel: Channel, batch: Batch) -> None:
        """Send by one channel what the budget has room for."""
        if channel is not Channel.UPSERT and batch.mapping.apart:
            channel, batch = self._set_calls_apart(channel, batch)
        if not batch.entries:
            return
        counts = None if self._lines is None else self._lines.counts(entry.values for entry in batch.entries.values())
        links = self._linked.counts(batch) if channel is not Channel.UPSERT and batch.mapping.apart else None
        route = self._plan(len(batch.entries), self._to.credits.room(), counts, channel, links)
        asking = self.lookups.credits(batch, sum(route.job_sizes))
        more = f"; {asking:,} more for looking parents up" if asking else ""
        logger.info("Stream %r: %s%s", self._to.stream, route.why, more)
        self._to.credits.plan(route.credits)
        if route.records < len(batch.entries):
            self._to.credits.run_short()
        if route.job_sizes == (len(batch.entries),):
            self.bulk.start(self._resolved(batch, Channel.BULK_WRITE))
            return
        items: list[tuple[str, Any]] = list(batch.entries.items())
        del items[route.records :]
        start = 0
        for size in route.job_sizes:
            part = replace(batch, entries=dict(items[start : start + size]))
            self.bulk.start(self._resolved(part, Channel.BULK_WRITE))
            start += size
        if start < len(items):
            part = replace(batch, entries=dict(items[start:]))
            self._upserts.start(self._resolved(part, Channel.UPSERT))

    def _set_calls_apart(self, channel: Channel, batch: Batch) -> tuple[Channel, Batch]:
        """Send by calls the orders that a job cannot write; gives the others, and the channel that is left to them."""
        rest = for_job(batch)
        counts = None if self._lines is None else self._lines.counts(entry.values for entry in rest.entries.values())
        if not self._plan(len(rest.entries), None, counts, channel, self._linked.counts(rest)).job_sizes:
            return Channel.UPSERT, batch
        rest = self._linked.without_unknown(rest)
        apart = {key: entry for key, entry in batch.entries.items() if key not in rest.entries}
        if apart:
            logger.info("Stream %r: %d orders go by calls, since no job can write them", self._to.stream, len(apart))
            self._send_by(Channel.UPSERT, replace(batch, entries=apart))
        return channel, rest

    def _plan(
        self,
        records: int,
        room: int | None,
        lines: LineCounts | None = None,
        channel: Channel | None = None,
        links: LinkCounts | None = None,
    ) -> Plan:
        return plan(
            records,
            channel=channel or self._channel,
            bulk_rows=self._bulk_rows,
            bulk_threshold=self._bulk_threshold,
            room=room,
            lines=lines,
            links=links,
        )

    def _resolved(self, batch: Batch, channel: Channel) -> Batch:
        try:
            return self.lookups.resolved(batch, channel)
        except QuotaError as error:
            if not self._to.ends_budget(error):
                raise
            return replace(batch, entries={})
