"""Calls for orders that are in the CRM, which bring nothing but fields of theirs that no CSV holds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.calls import Repeat
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.confirmation.outcomes import Outcome, upsert_outcomes
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.links.link_rows import LinkRow
from target_zoho_crm.stream_policy import StreamPolicy

Changes = dict[str, Sequence[LinkRow] | None]
"""What is sent for one order by field: rows of a multiple lookup, or None, which clears any field."""


class LinkCalls:
    """Changes fields of one stream's orders."""

    def __init__(self, policy: StreamPolicy, key_field: str, *, client: ZohoClient, ledger: StreamLedger) -> None:
        """`key_field` is the API name of the field by which Zoho knows the orders."""
        self._policy = policy
        self._key_field = key_field
        self._client = client
        self._ledger = ledger

    def change(self, orders: Sequence[Outcome], changes: Sequence[Changes], *, splits: bool = False) -> list[Outcome]:
        """Make one call for up to 100 orders that are in the CRM; gives what became of them by it.

        Rows are added or taken away once: a row that was added is not found again by any key, one that is deleted
        already would be refused. So after a lost answer they are read anew.

        Raises:
            ZohoError: the call failed as a whole.
        """
        data = [{"id": order.zoho_id, **fields} for order, fields in zip(orders, changes, strict=True)]
        further = self._policy.automations.body()
        answer = self._client.upsert(
            self._policy.module,
            msgspec.json.encode({"data": data, "duplicate_check_fields": [self._key_field], **further}),
            records=len(data),
            fence=self._ledger.sending(WriteKind.LINKS, {order.key: order.version for order in orders}),
            repeat=Repeat.ONCE if any(any(fields.values()) for fields in changes) else Repeat.SAFE,
            splits=splits,
        )
        keys, versions = [order.key for order in orders], [order.version for order in orders]
        return upsert_outcomes(keys, versions, answer.status, answer.body)
