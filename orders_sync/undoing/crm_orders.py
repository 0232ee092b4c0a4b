"""The CRM's side of an undo: records of orders with their lines, who changed them last, and deleting them."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from orders_sync.undoing.judging import MODIFIED_BY, MODIFIED_TIME, Record
from orders_sync.undoing.kept_values import LineChanges
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
from target_zoho_crm.writing.values_before import LinesToKeep, read_lines


class CrmOrders:
    """The records of one stream's module. Every method raises `ZohoError` where the CRM cannot be asked."""

    def __init__(self, client: ZohoClient, own: StreamSettings) -> None:
        """Read the module's fields: 1 credit.

        Raises:
            ConfigurationError: the key field is of no use.
        """
        self.fields = ModuleFields.fetch(client, own.module)
        key = self.fields.key(own.key_field)
        self.folding = KeyFolding(folds_case=not key.case_sensitive)
        self.key_field = own.key_field
        self._client = client
        self._own = own
        self._records = RecordsRead(client, own.module)
        self._lines = own.lines if own.lines is not None and own.lines.write_to is WriteTo.MODULE else None
        self._us: str | None = None
        self._lock = threading.Lock()

    def read(self, ids: Collection[str], names: Collection[str] = ()) -> tuple[dict[str, dict[str, Any]], datetime]:
        """The records that are there, by id, with these fields and who changed them last; and Zoho's time.

        Costs 1 credit for each 100 records and 50 fields.
        """
        return self._records.by_id_at(ids, list(dict.fromkeys((self.key_field, MODIFIED_BY, MODIFIED_TIME, *names))))

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
        """Delete lines; gives the codes of those that Zoho refused, by id. One that is not there counts as deleted."""
        if self._lines is None or not lines:
            return {}
        return delete_lines(self._client, self._lines.module, [str(each["id"]) for each in lines], fence)

    def delete(self, ids: Mapping[str, str], fence: Fence) -> dict[str, Outcome]:
        """Delete up to 100 records, given by key, with the automations that later runs' writes run too.

        Gives those that Zoho refused, by key; one that is not there counts as deleted.
        """
        trigger = self._own.writes.later.trigger
        workflows = trigger is None or "workflow" in trigger
        answer = self._client.delete(self._own.module, list(ids.values()), workflows=workflows, fence=fence)
        outcomes = upsert_outcomes(list(ids), [""] * len(ids), answer.status, answer.body)
        return {each.key: each for each in outcomes if each.status is not Status.SYNCED and not _is_gone(each)}

    def set_back(self, key: str, zoho_id: str, values: Mapping[str, Any], since: str, fence: Fence) -> Outcome:
        """Write one record, unless it was changed after `since`, its own time of change. Costs 1 credit."""
        record = {"id": zoho_id, **values}
        body = msgspec.json.encode({"data": [record], **self._own.writes.later.body()})
        answer = self._client.update(self._own.module, body, records=1, fence=fence, unmodified_since=since)
        return upsert_outcomes([key], [""], answer.status, answer.body)[0]

    def lines_of(self, lines: LinesToKeep, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """The lines of orders as they are now, by the order's id. 3 credits for 50 orders."""
        return read_lines(self._client, lines, ids)

    def set_lines_back(
        self, lines: LinesToKeep, order_id: str, changes: LineChanges, now: Mapping[str, Record], fence: Fence
    ) -> str | None:
        """Delete, set back and make lines that are records of their own; gives the code of the first that is refused.

        One that a person has changed since it was read is refused: each that is set back costs a call of its own.
        """
        refused = list(delete_lines(self._client, lines.module, changes.surplus, fence).values())
        further = self._own.writes.later.body()
        for line, values in changes.changed.items():
            body = msgspec.json.encode({"data": [{"id": line, **values}], **further})
            since = str(now[line][MODIFIED_TIME])
            answer = self._client.update(lines.module, body, records=1, fence=fence, unmodified_since=since)
            refused += _codes(upsert_outcomes([line], [""], answer.status, answer.body))
        for some in chunks_of(changes.missing, CALL_RECORDS):
            made = [{lines.order_field: {"id": order_id}, **each} for each in some]
            body = msgspec.json.encode({"data": made, "duplicate_check_fields": [lines.key_field], **further})
            answer = self._client.upsert(lines.module, body, records=len(made), fence=fence)
            keys = [str(each.get(lines.key_field)) for each in some]
            refused += _codes(upsert_outcomes(keys, [""] * len(keys), answer.status, answer.body))
        return refused[0] if refused else None

    def credits_of_setting_back(self, orders: int) -> int:
        """What it costs to read so many orders, of up to 50 fields each, and to set each back."""
        return -(-orders // CALL_RECORDS) + orders

    def credits_of_deleting(self, orders: int) -> int:
        """What it costs at least to look at so many orders and to delete them; lines come on top."""
        calls = -(-orders // CALL_RECORDS)
        asking = -(-orders // QUERY_VALUES) * query_credits(QUERY_ROWS) if self._lines is not None else 0
        return calls + upsert_credits(orders) + asking


def _codes(outcomes: Sequence[Outcome]) -> list[str]:
    return [str(each.code) for each in outcomes if each.status is not Status.SYNCED]


def _is_gone(outcome: Outcome) -> bool:
    return outcome.code == NO_SUCH_RECORD and outcome.field in (None, "id")
