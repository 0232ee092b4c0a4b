"""The CRM's records as an audit reads them: all of a module by the cheaper way, or those of some keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from orders_sync.comparison.module_reading import QUERY_FIELDS, ModuleReading, ReadingPrice, Record
from orders_sync.comparison.written_orders import MODIFIED_BY, MODIFIED_TIME, WrittenOrders
from sync_databases.chunks import chunks_of
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.coql_rows import all_rows
from target_zoho_crm.api.costs import QUERY_VALUES
from target_zoho_crm.mapping.references import quoted
from target_zoho_crm.writing.records_read import RecordsRead


def look_credits(keys: int, fields: int) -> int:
    """What looking so many orders up by key costs."""
    return -(-keys // QUERY_VALUES) * max(1, -(-fields // QUERY_FIELDS))


class CrmRecords:
    """Reads the records of one module. All methods raise `ZohoError` where the CRM cannot be asked."""

    def __init__(self, client: ZohoClient, written: WrittenOrders, folder: Path) -> None:
        """Files of jobs lie in `folder` for as long as they are read."""
        self._client = client
        self._module = written.own.module
        self.key_field = written.mapping.key_field.api_name
        self.names: Sequence[str] = written.names
        mapped = (each.field for each in written.mapping.written)
        fields = {each.api_name: each for each in (written.mapping.key_field, *mapped)}
        self._reading = ModuleReading(client, self._module, self.names, fields)
        self._folder = folder
        self._by_id = RecordsRead(client, self._module)
        self._us: str | None = None

    def count(self, since: datetime | None = None) -> int | None:
        """How many records there are, or were changed since then (UTC), as `ModuleReading.count` has it."""
        return self._reading.count(None if since is None else f"({MODIFIED_TIME}:greater_equal:{zoho_time(since)})")

    def all(self, price: ReadingPrice) -> Iterator[Sequence[Record]]:
        """All records, each with its `id`, by the way that the price is for."""
        yield from self._reading.all(price, self._folder)

    def keys_since(self, since: datetime) -> Iterator[str]:
        """The keys of records that were changed since then: UTC. Costs 3 credits for 2,000 of them."""
        condition = f"{MODIFIED_TIME} >= '{zoho_time(since)}'"
        for row in all_rows(self._client, [self.key_field], self._module, condition):
            if row.get(self.key_field):
                yield str(row[self.key_field])

    def of_keys(self, keys: Collection[str]) -> list[Record]:
        """The records that hold these keys, or what Zoho takes for them. Costs 1 credit for 50 keys."""
        found: dict[str, dict[str, Any]] = {}
        for some in chunks_of(keys, QUERY_VALUES):
            values = ",".join(quoted(key) for key in some)
            for names in chunks_of(self.names, QUERY_FIELDS):
                columns = ",".join(["id", *names])
                rows, _ = self._client.query(
                    f"select {columns} from {self._module} where {self.key_field} in ({values}) limit 200"  # noqa: S608 - COQL
                )
                for row in rows:
                    found.setdefault(str(row["id"]), {}).update(row)
        return list(found.values())

    def of_ids(self, ids: Collection[str]) -> dict[str, Record]:
        """The records of these ids that are there. Costs 1 credit for 100."""
        return dict(self._by_id.by_id(ids, self.names))

    def person(self, record: Record) -> str | None:
        """Who changed a record last, if it was not this token's user, whom the first call asks for: 1 credit."""
        last = record.get(MODIFIED_BY)
        name = last.get("name") if isinstance(last, dict) else None
        identity = str((last.get("id") if isinstance(last, dict) else last) or "")
        if not identity:
            return None
        if self._us is None:
            self._us = str(self._client.current_user().get("id"))
        return None if identity == self._us else f"{name} ({identity})" if name else f"user {identity}"


def zoho_time(time_utc: datetime) -> str:
    """A time as criteria and queries have it."""
    return f"{time_utc:%Y-%m-%dT%H:%M:%S}+00:00"
