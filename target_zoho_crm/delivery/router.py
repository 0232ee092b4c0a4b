"""Where the orders of a batch go: alone, by upsert calls or by bulk write jobs, as credits and their values decide."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sync_ledger.quarantine import Quarantine
from target_zoho_crm.api.costs import CALL_RECORDS, JOB_CREDITS
from target_zoho_crm.api.errors import QuotaError
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.batch import Batch, Channel
from target_zoho_crm.confirmation.field_marks import FieldMarks
from target_zoho_crm.confirmation.outcomes import own_refusals
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.links.job_eligibility import LinkedRecords, for_job
from target_zoho_crm.mapping.conversion import Conversion, Form
from target_zoho_crm.writing.lookup_resolver import LookupResolver
from target_zoho_crm.writing.routing import LineCounts, LinkCounts, Plan, Routing, plan
from target_zoho_crm.writing.values_before import ValuesBefore
from target_zoho_crm.writing.writer_pair import WriterPair

logger = logging.getLogger("target-zoho-crm")


class Router:
    """Sends the batches of one stream by its two writers."""

    def __init__(
        self,
        routing: Routing,
        writers: WriterPair,
        *,
        ledger: StreamLedger,
        recorder: Recorder,
        credits: CreditMeter,  # noqa: A002 - the field's word
        lookups: LookupResolver,
        linked: LinkedRecords,
        before: ValuesBefore,
        marks: FieldMarks,
        lines: CompiledLines | None,
    ) -> None:
        """With `lines`, each order's lines stand behind the values of the mapped columns."""
        self._routing = routing
        self._writers = writers
        self._ledger = ledger
        self._recorder = recorder
        self._credits = credits
        self._lookups = lookups
        self._linked = linked
        self._before = before
        self._marks = marks
        self._lines = lines

    def goes_by_jobs(self, records: int) -> bool:
        """Whether so many records would go by bulk write jobs, or some of them."""
        return bool(plan(records, self._routing).job_sizes)

    def send(self, batch: Batch, channel: Channel | None = None) -> None:
        """Send a batch; returns when all of it is under way, or left to the next run for want of credits.

        With a `channel` it goes by that one, whatever the routing says.

        Raises:
            ZohoError, LedgerError, RejectedError: what ended an earlier call or job.
        """
        if not batch.entries:
            return
        quarantine = self._ledger.quarantined(batch.versions)
        if quarantine:
            batch = self._send_quarantined(batch, quarantine)
        self._send_by(channel or self._routing.channel, batch)

    def _send_quarantined(self, batch: Batch, quarantine: Quarantine) -> Batch:
        """Send the orders that made earlier calls or jobs fail by calls, for themselves; gives the others."""
        stream, taken = batch.pending.stream, set[str]()

        def send(keys: Collection[str], how: str, **facts: Any) -> None:
            those = [key for key in batch.entries if key in keys]
            if those:
                logger.info("Stream %r: %d orders go %s", stream, len(those), how)
                self._send_by(Channel.UPSERT, replace(batch.only(those), **facts))
                taken.update(those)

        send(quarantine.alone, "alone, since calls with them failed", one_by_one=True)
        by_calls = set(quarantine.by_calls)
        for group, keys in quarantine.groups.items():
            if len(keys) > CALL_RECORDS:  # what belongs to a job's orders was not written
                by_calls |= keys
            else:
                send(keys, "for themselves, since one of them makes calls fail", group=group)
        send(by_calls, "by calls, since their job or its upload failed")
        return batch.without(taken)

    def _send_by(self, channel: Channel, batch: Batch) -> None:
        """Send by one channel what the budget has credits for."""
        if channel is not Channel.UPSERT and batch.mapping.has_rules:
            batch = self._send_known(batch)
        if channel is not Channel.UPSERT and batch.mapping.second_step:
            channel, batch = self._send_ineligible(channel, batch)
        if channel is not Channel.UPSERT and self._lines is not None and self._lines.demanded:
            channel, batch = self._send_not_new(channel, self._lines, batch)
        if not self.goes_by_jobs(len(batch.entries)) or channel is Channel.UPSERT:
            batch = self._without_refused(batch)
        if not batch.entries:
            return
        by_calls = channel is Channel.UPSERT
        links = self._linked.counts(batch) if not by_calls and batch.mapping.second_step else None
        route = self._plan(channel, batch, links, self._credits.room())
        asking = self._lookups.credits(batch, sum(route.job_sizes))
        more = f"; {asking:,} more for looking parents up" if asking else ""
        reading = self._before.credits(batch)
        more += f"; {reading:,} more at most for reading what they hold (`keep_before`)" if reading else ""
        logger.info("Stream %r: %s%s", batch.pending.stream, route.why, more)
        self._credits.plan(route.credits)
        if route.records < len(batch.entries):
            self._credits.run_short()
        if route.job_sizes == (len(batch.entries),):
            self._start_job(batch)
            return
        items: list[tuple[str, Any]] = list(batch.entries.items())
        del items[route.records :]
        start = 0
        for size in route.job_sizes:
            part = replace(batch, entries=dict(items[start : start + size]))
            self._start_job(part)
            start += size
        if start < len(items):
            part = replace(batch, entries=dict(items[start:]))
            self._writers.upserts.start(self._resolved(part, Channel.UPSERT))

    def _without_refused(self, batch: Batch) -> Batch:
        """Refuse orders of one call that it cannot take, before their price is said; of more calls each does so itself.

        With parents all that is wrong with an order is named together, once these are looked up.
        """
        mapping = batch.mapping
        if len(batch.entries) > CALL_RECORDS or any(column.parent is not None for column in mapping.columns):
            return batch
        rows = [entry.values for entry in batch.entries.values()]
        refused = Conversion(mapping, Form.JSON).convert(list(batch.entries), rows).refusals
        if refused:
            self._recorder.record(batch.pending, own_refusals(batch, refused), None)
        return batch.without(refused)

    def _start_job(self, batch: Batch) -> None:
        """Send orders by a job; by calls where the org, or the user's profile, may not use bulk write."""
        refused = self._writers.bulk.start(self._resolved(batch, Channel.BULK_WRITE))
        if not refused:
            return
        if self._routing.channel is not Channel.UPSERT:
            self._routing = replace(self._routing, channel=Channel.UPSERT)
            count = len(batch.entries)
            logger.warning(
                "Stream %r: bulk write is not open to this org or to the API user's profile (%s); all orders of this "
                "run go by calls, %s of them now for %s credits, where a job would have cost %s",
                batch.pending.stream,
                self._writers.bulk.refusal,
                f"{count:,}",
                f"{self._plan(Channel.UPSERT, batch, None).credits:,}",
                JOB_CREDITS,
            )
        for each in refused:
            self._send_by(Channel.UPSERT, each)

    def _send_known(self, batch: Batch) -> Batch:
        """Send by calls the orders that have a record, fields of which may belong to people; gives the new ones.

        A job can only insert such orders: it reads nothing before it writes, and has no condition.
        """
        known = self._marks.known(batch.entries)
        there = [key for key in batch.entries if key in known and known[key].is_in_crm]
        if not there:
            return batch
        logger.info(
            "Stream %r: %s orders with a record go by calls, since fields of it may belong to people (`write`): %s "
            "credits more to read them, and 1 for each order of which such a field is written",
            batch.pending.stream,
            f"{len(there):,}",
            f"{-(-len(there) // CALL_RECORDS):,}",
        )
        self._send_by(Channel.UPSERT, batch.only(there))
        return batch.without(set(there))

    def _send_not_new(self, channel: Channel, lines: CompiledLines, batch: Batch) -> tuple[Channel, Batch]:
        """Send by calls the orders whose lines no job takes along; gives the others, and the channel left to them.

        A job adds lines, so it takes those of new orders alone, and so many of each as Zoho allows.
        """
        if not self.goes_by_jobs(len(batch.entries)):
            return Channel.UPSERT, batch
        most = min(self._routing.child_rows.most, self._routing.bulk_rows)
        known = self._marks.known(batch.entries)
        new = [
            key
            for key, entry in batch.entries.items()
            if not (key in known and known[key].is_in_crm) and 0 < lines.count(entry.values) <= most
        ]
        if not self._plan(channel, batch.only(new), None).job_sizes:
            return Channel.UPSERT, batch
        others = batch.without(set(new))
        if others.entries:
            stream, count = batch.pending.stream, len(others.entries)
            logger.info("Stream %r: %s orders go by calls, since jobs take only new ones with lines", stream, count)
            self._send_by(Channel.UPSERT, others)
        return channel, batch.only(new)

    def first_job(self, batch: Batch) -> tuple[Batch, Channel | None]:
        """As much of a batch as is to go before others, and its channel, where it has one of its own.

        A batch fills one job, but for orders that take their lines along.
        """
        if self._lines is None or not self._lines.demanded:
            return batch, None
        sizes = self._plan(self._routing.channel, batch, None).job_sizes
        if not sizes or sizes[0] == len(batch.entries):
            return batch, None
        return batch.only(list(batch.entries)[: sizes[0]]), Channel.BULK_WRITE

    def _send_ineligible(self, channel: Channel, batch: Batch) -> tuple[Channel, Batch]:
        """Send by calls the orders that a job cannot write; gives the others, and the channel that is left to them."""
        eligible = for_job(batch)
        if not self._plan(channel, eligible, self._linked.counts(eligible)).job_sizes:
            return Channel.UPSERT, batch
        eligible = self._linked.without_unknown(eligible)
        others = batch.without(eligible.entries.keys())
        if others.entries:
            stream, count = batch.pending.stream, len(others.entries)
            logger.info("Stream %r: %d orders go by calls, since no job can write them", stream, count)
            self._send_by(Channel.UPSERT, others)
        return channel, eligible

    def _plan(self, channel: Channel, batch: Batch, links: LinkCounts | None, credits_left: int | None = None) -> Plan:
        lines: LineCounts | None = None
        if self._lines is not None:
            lines = self._lines.counts(entry.values for entry in batch.entries.values())
        routing = replace(self._routing, channel=channel)
        return plan(len(batch.entries), routing, lines=lines, links=links, credits_left=credits_left)

    def _resolved(self, batch: Batch, channel: Channel) -> Batch:
        try:
            return self._lookups.resolved(batch, channel)
        except QuotaError as error:
            if not self._recorder.ends_budget(error):
                raise
            return batch.only(())
