"""Multiple lookups by upsert: a call only adds links, so those that an order has no more are taken away after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from target_zoho_crm.api.coql_rows import id_in
from target_zoho_crm.api.metadata import LINKS
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, Status, ids_of
from target_zoho_crm.links.link_calls import Changes, change_fields
from target_zoho_crm.links.link_rows import gone, link_of, links_held
from target_zoho_crm.mapping.field_mapping import MappedColumn


class Links:
    """The links of one stream's orders."""

    def __init__(self, destination: Destination) -> None:
        self._to = destination

    def settle(self, batch: Batch, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes of a call for up to 100 orders, once the CRM has their links and no others.

        An order without a value is left alone here: the call itself has cleared its links, or was to keep them.

        Raises:
            ZohoError: the links could not be read or taken away, so the orders are not what they should be.
        """
        if any(column.field.data_type in LINKS for column in batch.mapping.columns):
            outcomes = self._to.ledger.without_conflicts(outcomes)
        ids = ids_of([each for each in outcomes if each.action != CREATED])
        surplus: dict[str, Changes] = {}
        for position, column in enumerate(batch.mapping.columns):
            if column.field.data_type in LINKS and column.field.linking_module and ids:
                wanted = {key: _wanted(column, batch.entries[key].values[position]) for key in ids}
                linked = [key for key in ids if wanted[key]]
                held = links_held(self._to.client, column.field, [ids[key] for key in linked])
                for key in linked:
                    rows = gone(held.get(ids[key], {}), wanted[key])
                    if rows:
                        surplus.setdefault(key, {})[column.field.api_name] = rows
        if not surplus:
            return list(outcomes)
        changed = [each for each in outcomes if each.key in surplus]
        key_field = batch.mapping.key_field.api_name
        told = change_fields(self._to, key_field, changed, [surplus[each.key] for each in changed])
        refused = {each.key: each for each in told if each.status is not Status.SYNCED}
        return [refused.get(each.key, each) for each in outcomes]


def _wanted(column: MappedColumn, value: Any) -> set[str]:
    """The ids of the records that the order is linked to; none where it has no value."""
    rows = column.to_json(value) if column.to_json is not None else value
    if not isinstance(rows, list):
        return set()
    link = link_of(column.field)
    return {id_in(row.get(link)) for row in rows if isinstance(row, dict)}
