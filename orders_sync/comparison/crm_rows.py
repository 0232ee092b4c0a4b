"""The CRM's rows of one kind, lines or links, as an audit reads them: all of their module, or those of some orders."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from orders_sync.comparison.crm_records import zoho_time
from orders_sync.comparison.module_reading import QUERY_FIELDS, ModuleReading, ReadingPrice, Record
from orders_sync.comparison.written_orders import MODIFIED_TIME
from orders_sync.comparison.written_rows import WrittenRows
from sync_databases.chunks import chunks_of
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.coql_rows import all_rows, among, id_in
from target_zoho_crm.api.costs import QUERY_ROWS, QUERY_VALUES, query_credits


class CrmRows:
    """Reads rows. All methods raise `ZohoError` where the CRM cannot be asked."""

    def __init__(self, client: ZohoClient, written: WrittenRows, folder: Path) -> None:
        """Files of jobs lie in `folder` for as long as they are read."""
        self.written = written
        self._client = client
        self._folder = folder
        self._reading = ModuleReading(client, written.module, written.names, written.fields)

    def price(self, otherwise: int) -> ReadingPrice:
        """What reading all of them costs; `otherwise` is their number where the CRM gives none. Costs 1 credit."""
        counted = self._reading.count()
        rows = otherwise if counted is None else counted
        if self.written.by_queries_only:
            return ReadingPrice.of_queries(rows)
        return ReadingPrice.of(rows, len(self.written.names))

    def all(self, price: ReadingPrice) -> Iterator[Sequence[Record]]:
        """All rows, by the way that the price is for."""
        yield from self._reading.all(price, self._folder)

    def order_of(self, row: Record) -> str:
        """The id of the order's record; empty where the row has none."""
        return id_in(row.get(self.written.order_field))

    def look_credits(self, orders: int) -> int:
        """What looking up the rows of so many orders costs, if each 50 have no more than 2,000."""
        queries = max(1, -(-len(self.written.names) // QUERY_FIELDS))
        return -(-orders // QUERY_VALUES) * queries * query_credits(QUERY_ROWS)

    def of_orders(self, ids: Collection[str]) -> dict[str, list[Record]]:
        """The rows of the orders with these ids, by the order's id."""
        found: dict[str, dict[str, Any]] = {}
        for some in chunks_of(ids, QUERY_VALUES):
            for names in chunks_of(self.written.names, QUERY_FIELDS - 1):
                columns = dict.fromkeys((self.written.order_field, *names))
                for row in all_rows(self._client, columns, self.written.module, among(self.written.order_field, some)):
                    found.setdefault(str(row["id"]), {}).update(row)
        by_order: dict[str, list[Record]] = {}
        for row in found.values():
            by_order.setdefault(self.order_of(row), []).append(row)
        return by_order

    def orders_since(self, since: datetime) -> Iterator[str]:
        """The ids of orders of which a row was changed since then: UTC. Costs 3 credits for 2,000 rows.

        None where rows do not show when they changed: then their order's record does.
        """
        if MODIFIED_TIME in self.written.fields:
            condition = f"{MODIFIED_TIME} >= '{zoho_time(since)}'"
            rows = all_rows(self._client, [self.written.order_field], self.written.module, condition)
            yield from dict.fromkeys(filter(None, map(self.order_of, rows)))
