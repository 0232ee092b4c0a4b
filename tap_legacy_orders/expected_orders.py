"""How many orders a first load will bring: asked once, so that the target can plan its jobs before it has read them."""

from __future__ import annotations

from collections.abc import Sequence

from sync_databases.columns import Column
from sync_ledger.first_contact import is_awaited
from tap_legacy_orders.tap_protocol import OrdersTap

MOST_COUNTED = 1_000_000
"""More orders are not counted: the first of so many jobs is no great part of them."""


def expected_orders(tap: OrdersTap, stream: str, columns: Sequence[Column], bookmark: str | None) -> int | None:
    """Count the orders of a stream whose first contact is still to be made; None where it was, or nobody can tell.

    Raises:
        TapSyncError: a database does not answer.
    """
    table = tap.orders_table
    if tap.follows or bookmark is not None or table.flag is not None or not table.partition.is_whole:
        return None
    if not is_awaited(tap.ledger, stream):
        return None
    source = tap.orders_source(stream, columns, None, None)
    found = source.count_up_to(MOST_COUNTED)
    return None if found == MOST_COUNTED else max(0, found - source.count_synced())
