"""Multiple lookups: an upsert only adds links, so those that an order has no more are taken away after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sync_ledger.acks import chunks_of
from target_zoho_crm.all_rows import IDS_PER_QUERY, all_rows, among, id_in
from target_zoho_crm.destination import Batch, Destination
from target_zoho_crm.mapping import MappedColumn
from target_zoho_crm.metadata import LINKS, Field
from target_zoho_crm.outcomes import Outcome, Status, upsert_outcomes
from target_zoho_crm.transport import Repeat

_CREATED = "insert"  # the action of an order that was not in the CRM before: it has no other links

Rows = dict[str, dict[str, list[dict[str, Any]]]]
"""Links to take away: by order and field, as the call names them."""


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
        ids = {each.key: each.zoho_id for each in outcomes if _may_have_others(each) and each.zoho_id}
        surplus: Rows = {}
        for position, column in enumerate(batch.mapping.columns):
            if column.field.data_type in LINKS and column.field.linking_module and ids:
                wanted = {ids[key]: _wanted(column, batch.entries[key].values[position]) for key in ids}
                self._collect(column.field, {order: links for order, links in wanted.items() if links}, surplus)
        if not surplus:
            return list(outcomes)
        data = [{"id": order, **fields} for order, fields in surplus.items()]
        body = {"data": data, "duplicate_check_fields": [batch.mapping.key_field.api_name]}
        body |= self._to.automations.body()
        changed = [each for each in outcomes if ids.get(each.key) in surplus]
        by_id = {each.zoho_id: each for each in changed}
        sent = [by_id[order] for order in surplus]
        answer = self._to.client.upsert(
            self._to.module,
            msgspec.json.encode(body),
            records=len(data),
            guard=self._to.confirmation.guard,
            repeat=Repeat.ONCE,  # a link that is gone already would be refused
        )
        told = upsert_outcomes([each.key for each in sent], [each.version for each in sent], answer.status, answer.body)
        refused = {each.key: each for each in told if each.status is not Status.SYNCED}
        return [refused.get(each.key, each) for each in outcomes]

    def _collect(self, field: Field, wanted: Mapping[str, set[str]], surplus: Rows) -> None:
        parent, link, module = field.linking_parent or "", field.link or field.api_name, field.linking_module or ""
        for orders in chunks_of(wanted, IDS_PER_QUERY):
            for row in all_rows(self._to.client, (parent, link), module, among(parent, orders)):
                order = id_in(row.get(parent))
                if order in wanted and id_in(row.get(link)) not in wanted[order]:
                    gone = {"id": str(row["id"]), "_delete": None}
                    surplus.setdefault(order, {}).setdefault(field.api_name, []).append(gone)


def _may_have_others(outcome: Outcome) -> bool:
    return outcome.status is Status.SYNCED and outcome.action != _CREATED


def _wanted(column: MappedColumn, value: Any) -> set[str]:
    """The ids of the records that the order is linked to; none where it has no value."""
    rows = column.to_json(value) if column.to_json is not None else value
    if not isinstance(rows, list):
        return set()
    link = column.field.link or column.field.api_name
    return {id_in(row.get(link)) for row in rows if isinstance(row, dict)}
