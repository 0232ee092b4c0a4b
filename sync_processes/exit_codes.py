"""How our programs end: each exit code means one thing, and `docs/exit-codes.md` is made of this table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

SIGNALLED = 128
"""A process ended by signal n is known to shells by exit code 128 + n."""


class ExitCode(IntEnum):
    """What the number says, whichever program ends with it."""

    OK = 0
    """It did what it was asked to."""
    FAILED = 1
    """It did not, or not all of it; or what it was asked to check is not well."""
    SET_UP = 2
    """Someone must change a setting, an option, a database or the CRM; nothing will go before."""
    LOCKED = 3
    """Another run of the same orders is live, or was since they were read: run the pair again."""
    LOOK_FIRST = 4
    """It stopped before it wrote more, because a person should look first; the last lines say at what."""


EVERY = "every command"
TAP, TARGET = "tap-legacy-orders", "target-zoho-crm"
OF_SIGNALS = "ended by signal n; the next run goes on from there"

MEANINGS: Mapping[str, Mapping[ExitCode, str]] = {
    TAP: {
        ExitCode.OK: "every unsynced order was sent to the target",
        ExitCode.FAILED: "reading failed, or the program that reads the output ended",
        ExitCode.SET_UP: "the settings or the database need a change",
        ExitCode.LOCKED: "with `wait_for_lock_seconds`: another run of the stream is live still",
        ExitCode.LOOK_FIRST: "more orders changed than `max_changes` or `max_change_percent` allow",
    },
    TARGET: {
        ExitCode.OK: "every record read has its outcome; refused orders are warnings",
        ExitCode.FAILED: (
            "orders are left unsynced by failed calls, or were refused while `on_rejection` is not `skip`; "
            "broken input, or a tap that did not finish; ledger, disk or output gave way; "
            "Zoho gives no more credits or tokens for now"
        ),
        ExitCode.SET_UP: "the settings, the ledger's database or the CRM's set-up need a change",
        ExitCode.LOCKED: "another run of the stream is live, or was since the tap began to read",
        ExitCode.LOOK_FIRST: (
            "the set-up is not the one that the ledger is bound to, or names two things at once: nothing was written; "
            "or the first orders are not in the CRM as they were sent (`first_contact`)"
        ),
    },
    "orders-sync " + EVERY: {
        ExitCode.OK: "it is done, or shown",
        ExitCode.FAILED: "it could not be done; one line says why",
        ExitCode.SET_UP: "an option or argument is wrong or missing",
    },
    "orders-sync doctor": {ExitCode.FAILED: "something prevents a run"},
    "orders-sync status": {ExitCode.FAILED: "a stream is not well, by `--max-age` or `--max-rejected`"},
    "orders-sync audit": {ExitCode.FAILED: "orders, ledger and CRM are not equal; or it could not be found out"},
    "orders-sync history": {ExitCode.FAILED: "the ledger does not know the order"},
    "orders-sync push": {
        ExitCode.OK: "every record is in the CRM",
        ExitCode.FAILED: "one is not, or the file cannot be taken: then nothing was sent; or nobody took the callback",
        ExitCode.SET_UP: "an option, the settings or the CRM's set-up need a change",
        ExitCode.LOCKED: "a run of the stream is live",
        ExitCode.LOOK_FIRST: "the set-up is not the one that the ledger is bound to",
    },
    "orders-sync apply": {
        ExitCode.OK: "every order of the plan has its outcome; refused orders are warnings",
        ExitCode.FAILED: "as the target's 1, or the tap's; or there is no such plan",
        ExitCode.SET_UP: "an option, the settings or the CRM's set-up need a change",
        ExitCode.LOCKED: "a run of the stream is live, or was since the tap began to read",
        ExitCode.LOOK_FIRST: "orders moved on since the plan, and were left out; or as the tap's 4, or the target's",
    },
    "orders-sync problems": {ExitCode.FAILED: "`--import`: a line cannot be meant, or an order is refused no more"},
    "orders-sync try": {ExitCode.FAILED: "the order would be refused, or is not among those that the tap reads"},
    "orders-sync retry": {ExitCode.FAILED: "a key that was named cannot be meant; the others are retried"},
    "orders-sync resend": {ExitCode.FAILED: "a key that was named is not synced, the others are due; or no such run"},
    "orders-sync undo": {ExitCode.FAILED: "an order was kept, or cannot be taken back; or it did not come to its end"},
    "orders-sync dismiss": {ExitCode.FAILED: "a key that was named cannot be meant; the others are dismissed"},
    "orders-sync jobs": {ExitCode.FAILED: "`--abandon` names no job that is waited for"},
}
"""What each code says where a program ends with it; a command has its own line where it says more than all do."""
