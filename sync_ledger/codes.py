"""The codes that the ledger itself writes, or acts upon; what they mean stands with all others in the target's."""

from __future__ import annotations

from enum import StrEnum


class LedgerCode(StrEnum):
    """Our own codes that acks get from the ledger, or that it acts upon."""

    BREAKS_CALLS = "BREAKS_CALLS"
    """Every call with the order fails as a whole."""
    CALL_FAILED = "CALL_FAILED"
    """A call with it and others failed as a whole, and which of them is to blame is not known yet."""
    UPLOAD_FAILED = "UPLOAD_FAILED"
    """The file of its bulk job could not be uploaded, while other calls got through."""
    RECORD_NOT_AS_KNOWN = "RECORD_NOT_AS_KNOWN"
    """Its bulk job was to insert it, and the CRM has its record."""
    JOB_NEVER_CREATED = "JOB_NEVER_CREATED"
    """Its bulk job never reached Zoho."""
    INSERT_UNCONFIRMED = "INSERT_UNCONFIRMED"
    """Its insert call had no answer, or its run died before it came."""
    KEY_CONFLICT = "KEY_CONFLICT"
    """Its record is, or became, another order's too."""
    JOB_WITHOUT_RESULT = "JOB_WITHOUT_RESULT"
    """Its job ended without saying what became of its rows; the log says why."""
    OVERWRITTEN_BY_TEST = "OVERWRITTEN_BY_TEST"
    """`meltano config test` of version 0.1 wrote a made-up name over its record."""
    RESEND_ASKED = "RESEND_ASKED"
    """A person asked by `orders-sync resend` for it to be written once more."""
    LINES_ASKED = "LINES_ASKED"
    """A person asked by `orders-sync audit --repair` for its lines to be brought right, and into their order."""
    UNDONE = "UNDONE"
    """What a run wrote of it was taken back, and it is held."""
    CHANGED_WHILE_HELD = "CHANGED_WHILE_HELD"
    """It is held, and came once more: it was not written."""
    RELEASED = "RELEASED"
    """It was held, and a person let it go again."""
    ALIKE_IN_DOUBT = "ALIKE_IN_DOUBT"
    """A write of another order, whose key Zoho takes for this one, may land yet."""
    IN_DOUBT = "IN_DOUBT"
    """Another write may have landed over it: it is to be compared with the CRM."""
    DIFFERS = "DIFFERS"
    """It was in doubt, and the CRM holds something else, or cannot be compared: it is written once more."""
