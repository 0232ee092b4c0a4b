"""Whole orders by upsert calls: a call's orders first, then their lines, and only then the orders' outcomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import structs

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import Outcome, refused_by_us
from target_zoho_crm.lines.line_calls import LinesByCalls
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.writing.upsert import UpsertWriter
from target_zoho_crm.writing.workers import Workers


class WholeOrderUpserts(UpsertWriter):
    """Writes batches of orders with their lines."""

    def __init__(self, destination: Destination, workers: Workers, lines: LinesByCalls) -> None:
        """As for orders alone; `lines` writes what belongs to them."""
        super().__init__(destination, workers)
        self._lines = lines

    def _write(self, batch: Batch) -> list[Outcome]:
        rows = self._lines.lines.read(lines_of(batch))
        refused = self._lines.lines.check(rows)
        outcomes = refusals(batch, refused)
        rest = without(batch, refused)
        if rest.entries:
            orders = self._to.ledger.without_conflicts(super()._write(rest))
            written = self._lines.write(orders, rows)
            # Orders whose lines our own budget has no credits for are left as if they had not been sent.
            outcomes += [outcome for outcome in written if outcome.code != OwnCode.CREDIT_BUDGET]
        return outcomes


def refusals(batch: Batch, refused: Mapping[str, Refusal]) -> list[Outcome]:
    """The outcomes of orders that are refused for a line of theirs, which the message names."""
    return [
        structs.replace(refused_by_us(key, batch.entries[key].version, refusal), message=refusal.message)
        for key, refusal in refused.items()
    ]


def lines_of(batch: Batch) -> dict[str, bytes | None]:
    """Each order's lines as JSON, by the order's key; None where its record says nothing of them.

    They stand behind the values of the mapped columns.
    """
    at = len(batch.mapping.columns)
    return {key: _stated(entry.values[at]) if len(entry.values) > at else None for key, entry in batch.entries.items()}


def _stated(value: Any) -> bytes | None:
    return None if value is msgspec.UNSET else value


def without(batch: Batch, keys: Collection[str]) -> Batch:
    """The batch without some of its orders."""
    if not keys:
        return batch
    return replace(batch, entries={key: entry for key, entry in batch.entries.items() if key not in keys})
