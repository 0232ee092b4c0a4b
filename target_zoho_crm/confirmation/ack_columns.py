"""What acks of many orders differ in, column by column, as the ledger writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from target_zoho_crm.confirmation.outcomes import Outcome


def columns_of(outcomes: Sequence[Outcome]) -> dict[str, Sequence[Any]]:
    """What orders that are in the CRM have each of its own."""
    return {
        "record_key": [outcome.key for outcome in outcomes],
        "version": [outcome.version for outcome in outcomes],
        "zoho_id": [outcome.zoho_id for outcome in outcomes],
        "action": [outcome.action for outcome in outcomes],
    }


def hash_column(keys: Iterable[str], hashes: Mapping[str, str]) -> dict[str, Sequence[Any]]:
    """The payload hashes of these orders; no column where there are none."""
    return {"payload_hash": [hashes.get(key) for key in keys]} if hashes else {}
