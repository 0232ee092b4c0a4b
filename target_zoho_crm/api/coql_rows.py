"""All rows that a query finds, page by page by id, so that none is missed however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.costs import QUERY_ROWS


def all_rows(client: ZohoClient, columns: Iterable[str], module: str, condition: str) -> Iterator[dict[str, Any]]:
    """The rows of a module that meet a COQL condition: their `id` and these columns. Costs 3 credits for 2,000 rows.

    Raises:
        ZohoError: the CRM could not be asked.
    """
    after, more = "0", True
    while more:
        rows, more = client.query(
            f"select {', '.join(['id', *columns])} from {module} "  # noqa: S608 - COQL, of names and ids only
            f"where ({condition} and id > '{after}') order by id asc limit {QUERY_ROWS}",
            rows=QUERY_ROWS,
        )
        yield from rows
        more = more and bool(rows)
        after = str(rows[-1]["id"]) if rows else after


def among(column: str, ids: Iterable[str]) -> str:
    """The condition that a column holds any of these ids."""
    return f"{column} in ({', '.join(repr(each) for each in ids)})"


def id_in(value: Any) -> str:
    """The id that a lookup of a row holds; empty where it holds none."""
    value = value.get("id") if isinstance(value, dict) else value
    return str(value or "")
