"""The parts of the product whose mutants are judged: what decides which orders are sent, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_SELECTION = (
    "deleted_orders",
    "filter_scope",
    "followed_orders",
    "following",
    "order_filter",
    "orders_source",
    "orders_table",
    "page_reader",
    "pages",
    "ranges",
    "reading_scope",
    "sent_orders",
    "stream_state",
    "sync_flag",
    "unsynced_queries",
    "unsynced_reader",
)

PARTS: Mapping[str, tuple[str, ...]] = {
    "ledger": ("sync_ledger/**/*.py",),
    "selection": tuple(f"tap_legacy_orders/{name}.py" for name in _SELECTION),
    "compare": ("target_zoho_crm/compare/*.py",),
    "confirmation": ("target_zoho_crm/confirmation/*.py",),
    "writing": ("target_zoho_crm/writing/*.py",),
    "delivery": ("target_zoho_crm/delivery/*.py",),
}
"""Part to the files in it."""


def files(root: Path) -> dict[str, str]:
    """Each file of these parts to its part."""
    return {
        path.relative_to(root).as_posix(): part
        for part, patterns in PARTS.items()
        for pattern in patterns
        for path in sorted(root.glob(pattern))
    }
