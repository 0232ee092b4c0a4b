"""The codes that the ledger itself writes, or acts upon; what they mean stands with all others in the target's."""

from __future__ import annotations

from enum import StrEnum


class LedgerCode(StrEnum):
    """Our own codes of orders that are due again, though Zoho has not said why."""

    BREAKS_CALLS = "BREAKS_CALLS"
    """Every call with the order fails as a whole."""
    JOB_NEVER_CREATED = "JOB_NEVER_CREATED"
    """Its bulk job never reached Zoho."""
    INSERT_UNCONFIRMED = "INSERT_UNCONFIRMED"
    """Its insert call had no answer, or its run died before it came."""
    JOB_WITHOUT_RESULT = "JOB_WITHOUT_RESULT"
    """Its job ended without saying what became of its rows; the log says why."""
