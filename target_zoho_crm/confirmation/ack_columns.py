"""What acks of many orders differ in, column by column, as the ledger writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from target_zoho_crm.confirmation.outcomes import CREATED, Outcome

_SYNCED = {
    name: attrgetter(of)
    for name, of in (("record_key", "key"), ("version", "version"), ("zoho_id", "zoho_id"), ("action", "action"))
}
"""Columns of the acks of synced orders, and what of an outcome they hold."""


def columns_of(outcomes: Sequence[Outcome], now: datetime) -> tuple[dict[str, Any], dict[str, Sequence[Any]]]:
    """What the acks of synced orders hold of their outcomes: what is common to all, and what differs.

    The history takes those packed whose records were made: they hold `now`, by which it finds them again.
    """
    columns: dict[str, Sequence[Any]] = {name: list(map(of, outcomes)) for name, of in _SYNCED.items()}
    actions = columns.pop("action")
    if len(set(actions)) == 1:  # as after nearly each job: a parameter of each row less
        return {"action": actions[0], "packed_at": now if actions[0] == CREATED else None}, columns
    packed = [now if action == CREATED else None for action in actions]
    return {}, columns | {"action": actions, "packed_at": packed}


def hash_column(keys: Iterable[str], hashes: Mapping[str, str]) -> dict[str, Sequence[Any]]:
    """The payload hashes of these orders; no column where there are none."""
    return {"payload_hash": [hashes.get(key) for key in keys]} if hashes else {}
