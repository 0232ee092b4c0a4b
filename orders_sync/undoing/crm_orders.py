"""The CRM's side of an undo: records of orders with their lines, who changed them last, and deleting them."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from orders_sync.undoing.judging import MODIFIED_BY, MODIFIED_TIME, Record
from sync_databases.chunks import chunks_of
from target_zoho_crm.api.calls import Fence
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import NO_SUCH_RECORD
from target_zoho_crm.api.coql_rows import all_rows, among, id_in
from target_zoho_crm.api.costs import CALL_RECORDS, QUERY_ROWS, QUERY_VALUES, query_credits, upsert_credits
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.confirmation.outcomes import Outcome, Status, upsert_outcomes
from target_zoho_crm.lines.existing_lines import delete_lines
from target_zoho_crm.lines.line_settings import WriteTo
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.settings import StreamSettings
from target_zoho_crm.writing.records_read import RecordsRead


class CrmOrders:
    """The records of one stream's module. Every method raises `ZohoError` where the CRM cannot be asked."""

    def __init__(self, client: ZohoClient, own: StreamSettings) -> None:
        """Read the module's fields: 1 credit.

        Raises:
            ConfigurationError: the key field is of no use.
        """
        key = ModuleFields.fetch(client, own.module).key(own.key_field)
        self.folding = KeyFolding(folds_case=not key.case_sensitive)
        self.key_field = own.key_field
        self._client = client
        self._own = own
        self._records = RecordsRead(client, own.module)
        self._lines = own.lines if own.lines is not None and own.lines.write_to is WriteTo.MODULE else None
        self._us: str | None = None
        self._lock = threading.Lock()

    def read(self, ids: Collection[str]) -> tuple[dict[str, dict[str, Any]], datetime]:
        """The records that are there, by id, as far as who changed them counts; and Zoho's time. 1 credit for 100."""
        return self._records.by_id_at(ids, (self.key_field, MODIFIED_BY, MODIFIED_TIME))

    def lines(self, ids: Collection[str]) -> dict[str, list[Record]]:
        """The lines that are records of their own, by the id of their order; none where lines are rows of a subform."""
        found: dict[str, list[Record]] = {}
        if self._lines is not None:
            order = self._lines.order_field
            for some in chunks_of(ids, QUERY_VALUES):
                for row in all_rows(self._client, (order, MODIFIED_BY), self._lines.module, among(order, some)):
                    found.setdefault(id_in(row.get(order)), []).append(row)
        return found

    def person(self, record: Record) -> str | None:
        """Who changed a record last, if it was not this token's user, whom the first call asks for: 1 credit."""
        last = record.get(MODIFIED_BY)
        identity = id_in(last)
        if not identity:
            return None
        with self._lock:
            if self._us is None:
                self._us = str(self._client.current_user().get("id"))
        if identity == self._us:
            return None
        name = last.get("name") if isinstance(last, dict) else None
        return f"{name} ({identity})" if name else f"user {identity}"

    def delete_lines(self, lines: Sequence[Record], fence: Fence) -> dict[str, str]:
        """Delete lines; gives the codes of those that Zoho refused, by id. One that is gone is deleted."""
        if self._lines is None or not lines:
            return {}
        return delete_lines(self._client, self._lines.module, [str(each["id"]) for each in lines], fence)

    def delete(self, ids: Mapping[str, str], fence: Fence) -> dict[str, Outcome]:
        """Delete up to 100 records, given by key, with the automations that later runs' writes run too.

        Gives those that Zoho refused, by key; one that is gone is deleted.
        """
        trigger = self._own.writes.later.trigger
        workflows = trigger is None or "workflow" in trigger
        answer = self._client.delete(self._own.module, list(ids.values()), workflows=workflows, fence=fence)
        outcomes = upsert_outcomes(list(ids), [""] * len(ids), answer.status, answer.body)
        return {each.key: each for each in outcomes if each.status is not Status.SYNCED and not _is_gone(each)}

    def credits_of_deleting(self, orders: int) -> int:
        """What it costs at least to look at so many orders and to delete them; lines come on top."""
        calls = -(-orders // CALL_RECORDS)
        asking = -(-orders // QUERY_VALUES) * query_credits(QUERY_ROWS) if self._lines is not None else 0
        return calls + upsert_credits(orders) + asking


def _is_gone(outcome: Outcome) -> bool:
    return outcome.code == NO_SUCH_RECORD and outcome.field in (None, "id")
