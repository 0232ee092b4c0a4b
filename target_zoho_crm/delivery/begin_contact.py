"""The beginning of a first contact: of several workers of a stream one makes it, and the others wait for its end."""

from __future__ import annotations

import logging
import threading

from sync_databases.waiting import CLOCK, Clock
from sync_ledger import first_contact
from sync_ledger.first_contact import By
from sync_ledger.leases import Lease
from sync_ledger.partitions import WHOLE
from sync_ledger.retry_schedules import FIRST_CONTACT_LOOK_SECONDS
from sync_ledger.runs import mark_dead_runs
from target_zoho_crm.api.errors import stopped
from target_zoho_crm.delivery.contact_report import FirstContactError, what_to_do

logger = logging.getLogger("target-zoho-crm")


def begin_contact(lease: Lease, stop: threading.Event, clock: Clock = CLOCK) -> int | None:
    """Begin a stream's first contact, or wait until another worker has made it.

    Gives how many orders are compared already; None: none is to be compared by this run.

    Raises:
        FirstContactError: the other worker found differences that nobody has accepted.
        ZohoError: the run was asked to stop meanwhile.
    """
    waited = False
    while (begun := first_contact.begin(lease)) is not None and begun.by is By.ANOTHER:
        if not waited:
            logger.info("Stream %r: another worker makes the first contact; this one waits for it", lease.stream)
        waited = True
        mark_dead_runs(lease.ledger, lease.stream, watched_for=WHOLE, stop=stop)
        clock.wait(FIRST_CONTACT_LOOK_SECONDS, stop)
        if stop.is_set():
            raise stopped()
    if begun is None:
        return None
    if begun.by is By.STOPPED:
        found = first_contact.differences_of(lease.ledger, lease.stream)
        names = ", ".join(f"{each.field} ({each.kind})" for each in found if each.accepted_at is None)
        what = f"the first orders, of another worker, are not in the CRM as they were sent, in {names}"
        raise FirstContactError([f"Stream {lease.stream!r}: {what}; nothing was sent. {what_to_do(lease.stream)}"])
    return begun.compared
