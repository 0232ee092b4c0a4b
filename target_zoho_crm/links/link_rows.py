"""The links that the CRM has for some orders, and what makes of them those that the orders name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sync_databases.chunks import chunks_of
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.coql_rows import all_rows, among, id_in
from target_zoho_crm.api.costs import CALL_RECORDS, QUERY_VALUES
from target_zoho_crm.api.metadata import Field

LinkRow = dict[str, Any]
"""One row of a multiple lookup, as the call for its order names it."""

Held = Mapping[str, Collection[str]]
"""The ids of the rows of one order, by the id of the record that they point at."""


def links_held(client: ZohoClient, field: Field, orders: Collection[str]) -> dict[str, Held]:
    """The links of the orders with these ids; an order without any is not there. Costs 3 credits for 50 orders.

    Raises:
        ZohoError: the CRM could not be asked.
    """
    parent, link, module = field.linking_parent or "", link_of(field), field.linking_module or ""
    found: dict[str, dict[str, list[str]]] = {}
    for chunk in chunks_of(orders, QUERY_VALUES):
        for row in all_rows(client, (parent, link), module, among(parent, chunk)):
            order = found.setdefault(id_in(row.get(parent)), {})
            order.setdefault(id_in(row.get(link)), []).append(str(row["id"]))
    return {order: found[order] for order in orders if order in found}


def filled(client: ZohoClient, module: str, fields: Collection[str], records: Collection[str]) -> dict[str, list[str]]:
    """Which of some fields hold anything, or are not in the answer, by the record's id. Costs 1 credit for 100 records.

    Raises:
        ZohoError: the CRM could not be asked.
    """
    found = {record: list(fields) for record in records}
    for chunk in chunks_of(records, CALL_RECORDS):
        body = client.get(module, {"ids": ",".join(chunk), "fields": ",".join(fields)}).body
        for record in body.get("data", ()) if isinstance(body, dict) else ():
            found[str(record.get("id"))] = [name for name in fields if record.get(name, name) not in (None, [], "")]
    return found


def surplus(held: Held, wanted: Collection[str]) -> list[LinkRow]:
    """What takes away the links that an order has no more, and the doubles of the others."""
    rows = [row for other, rows in held.items() for row in (rows if other not in wanted else list(rows)[1:])]
    return [{"id": row, "_delete": None} for row in rows]


def missing(field: Field, held: Held, wanted: Collection[str]) -> list[LinkRow]:
    """What adds the links that an order has not yet."""
    return [{link_of(field): {"id": other}} for other in wanted if other not in held]


def link_of(field: Field) -> str:
    """The field of a row that points at the other record."""
    return field.link or field.api_name
