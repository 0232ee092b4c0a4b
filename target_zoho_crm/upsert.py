"""The Upsert API: calls of up to 100 orders, several at once.

A call is safe to repeat, because every record carries the key and the key is checked; so a lost answer is only
asked for again, and a run that dies between Zoho's answer and the ack sends the same orders once more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import islice

from target_zoho_crm.bodies import upsert_body
from target_zoho_crm.destination import Batch, Destination
from target_zoho_crm.errors import Stopped, TransientError
from target_zoho_crm.outcomes import upsert_outcomes
from target_zoho_crm.routing import UPSERT_MAX_RECORDS, Channel
from target_zoho_crm.workers import Workers


class UpsertWriter:
    """Writes batches by upsert calls."""

    def __init__(self, destination: Destination, workers: Workers) -> None:
        """`workers` has as many hands as calls may be under way."""
        self._to = destination
        self._workers = workers

    def start(self, batch: Batch) -> None:
        """Send a batch of any size; returns when every call is under way or done.

        Raises:
            ZohoError, LedgerError, RejectedError: what ended an earlier call and so the run.
        """
        entries = iter(batch.entries.items())
        while call := dict(islice(entries, UPSERT_MAX_RECORDS)):
            self._workers.submit(self._deliver, replace(batch, entries=call), self._to.take_off(call))

    def _deliver(self, batch: Batch, flight: Collection[str]) -> None:
        self._call(batch)
        self._to.landed(flight)

    def _call(self, batch: Batch) -> None:
        to = self._to
        values = [entry.values for entry in batch.entries.values()]
        body, refused = upsert_body(batch.mapping, list(batch.entries), values, to.trigger)
        outcomes = to.refusals(batch, refused)
        sent = {key: entry.version for key, entry in batch.entries.items() if key not in refused}
        if sent:
            try:
                answer = to.client.upsert(to.module, body, records=len(sent), guard=to.confirmation.guard)
                outcomes += upsert_outcomes(list(sent), list(sent.values()), answer.status, answer.body)
            except Stopped:
                raise
            except TransientError as error:
                if refused:
                    to.conclude(batch.group, outcomes, Channel.UPSERT)
                to.left_unsynced(replace(batch, entries={key: batch.entries[key] for key in sent}), error)
                return
            to.failed_calls.succeeded()
        to.conclude(batch.group, outcomes, Channel.UPSERT)
