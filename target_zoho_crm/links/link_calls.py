"""Calls for orders that are in the CRM, which bring nothing but fields of theirs that no CSV holds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from target_zoho_crm.api.transport import Repeat
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import Outcome, upsert_outcomes
from target_zoho_crm.links.link_rows import LinkRow

Changes = dict[str, Sequence[LinkRow] | None]
"""What is sent for one order by field: rows of a multiple lookup, or None, which clears any field."""


def change_fields(
    to: Destination, key_field: str, orders: Sequence[Outcome], changes: Sequence[Changes]
) -> list[Outcome]:
    """Make one call for up to 100 orders that are in the CRM; gives what became of them by it.

    Rows are added or taken away once: a row that was added is not found again by any key, one that is gone already
    would be refused. So after a lost answer they are read anew.

    Raises:
        ZohoError: the call failed as a whole.
    """
    data = [{"id": order.zoho_id, **fields} for order, fields in zip(orders, changes, strict=True)]
    answer = to.client.upsert(
        to.module,
        msgspec.json.encode({"data": data, "duplicate_check_fields": [key_field], **to.automations.body()}),
        records=len(data),
        guard=to.ledger.guard,
        repeat=Repeat.ONCE if any(any(fields.values()) for fields in changes) else Repeat.SAFE,
    )
    keys, versions = [order.key for order in orders], [order.version for order in orders]
    return upsert_outcomes(keys, versions, answer.status, answer.body)
