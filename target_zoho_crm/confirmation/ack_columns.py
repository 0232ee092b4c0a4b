"""What acks of many orders differ in, column by column, as the ledger writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from target_zoho_crm.confirmation.outcomes import Outcome

_SYNCED = {"record_key": "key", "version": "version", "zoho_id": "zoho_id", "action": "action"}
"""Columns of the acks of synced orders, and what of an outcome they hold."""

_OF_SYNCED = attrgetter(*_SYNCED.values())


def columns_of(outcomes: Sequence[Outcome]) -> dict[str, Sequence[Any]]:
    """What the acks of synced orders hold of their outcomes; one pass over all."""
    return dict(zip(_SYNCED, zip(*map(_OF_SYNCED, outcomes), strict=True), strict=True))


def hash_column(keys: Iterable[str], hashes: Mapping[str, str]) -> dict[str, Sequence[Any]]:
    """The payload hashes of these orders; no column where there are none."""
    return {"payload_hash": [hashes.get(key) for key in keys]} if hashes else {}
