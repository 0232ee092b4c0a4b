"""What to do about a refused order: by its code, and by whether the ledger will try it again."""

from __future__ import annotations

from enum import Enum

from sync_ledger.quarantine import BREAKS_CALLS
from target_zoho_crm.api.errors import CODES, Family, ZohoError


class Standing(str, Enum):
    """What the ledger says of an order that was refused."""

    REJECTED = "rejected"  # for good: not tried again until it changes, or somebody retries it
    DUE = "due again"  # rejected, with a next attempt
    PARKED = "parked"  # its retries are used up, or somebody dismissed it


_NOTHING = "Nothing;"
_AGAIN = "Nothing; it is tried again."
_LOOK = "Look at the orders in the CRM."
_ONCE_PARKED = {BREAKS_CALLS: "Look at the order's values for what Zoho may not bear."}


def advice(code: str | None, standing: Standing, family: Family | None) -> str:
    """What to do about orders of this standing; `family` is that of their acks, which may not be the code's own."""
    info = CODES.get(code or "")
    transient = family is Family.TRANSIENT
    if standing is Standing.PARKED:
        cause = _ONCE_PARKED.get(code or "", info.remedy if info else "")
        all_of_them = f" (or `--code {code}`)" if info else ""
        why = "The retries are used up, or somebody dismissed it" if transient else "Somebody dismissed it"
        again = f"{why}: it is tried again when it changes, or after `orders-sync retry KEY`{all_of_them}."
        return again if cause.startswith(_NOTHING) or not cause else f"{cause} {again}"
    if standing is Standing.DUE and not transient:
        return "Nothing; somebody retried it, and the next run sends it."
    if info is None:
        return _AGAIN if standing is Standing.DUE else _LOOK
    return info.remedy


def without_remedy(error: ZohoError) -> str:
    """What an error says but for what to do: that depends on what becomes of the orders."""
    info = CODES.get(error.code)
    return " ".join(error.message.replace(info.remedy, "").split()) if info else error.message
