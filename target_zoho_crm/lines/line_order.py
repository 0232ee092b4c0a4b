"""The rows of a subform as the CRM holds them, against the lines that were sent: all there, and in their order."""

from __future__ import annotations

from collections.abc import Mapping

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.batch import Batch
from target_zoho_crm.compare.difference_kinds import DifferenceKind
from target_zoho_crm.compare.records import Difference
from target_zoho_crm.lines.existing_lines import ExistingLines
from target_zoho_crm.lines.line_follow_up import encoded_lines
from target_zoho_crm.lines.line_mapping import CompiledLines


def line_differences(
    client: ZohoClient, lines: CompiledLines | None, batch: Batch, ids: Mapping[str, str]
) -> list[Difference]:
    """The orders of a batch whose rows are others, or stand in another order; `ids` are those of their records.

    Lines in a module of their own stand in no order. Costs 3 credits for 50 orders.

    Raises:
        ZohoError: the CRM could not be asked.
    """
    if lines is None or not lines.in_subform or not ids:
        return []
    fold = lines.folding.fold
    rows = lines.reader.read(encoded_lines(batch), lines.folding)
    meant: dict[str, list[str]] = {order: [] for order in rows.stated if order in ids}
    for order, key in zip(rows.orders, rows.keys, strict=True):
        if order in meant:
            meant[order].append(fold(key))
    held: dict[str, list[str]] = {}
    for line in ExistingLines(client, lines).of_orders(list(ids.values())):
        held.setdefault(line.order_id, []).append(fold(line.key))
    found = []
    for order, keys in meant.items():
        there = held.get(ids[order], [])
        if there != keys:
            kind = DifferenceKind.LINE_ORDER if sorted(there) == sorted(keys) else DifferenceKind.LINES_DIFFER
            found.append(Difference(order, lines.settings.subform, kind, keys, there))
    return found
