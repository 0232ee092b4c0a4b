"""Taking back what a run wrote: portion by portion under the stream's lease, so that runs between wait a moment only.

An order is noted before the CRM is asked for it, and concluded afterwards: one undo more goes on after a kill.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta, timezone

from orders_sync.undoing.crm_orders import CrmOrders
from orders_sync.undoing.judging import InCrm, InLedger, by_crm, by_ledger
from sync_databases.chunks import chunks_of
from sync_ledger.leases import Lease, LeaseHeldError
from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import UNDO_LEASE, UNDO_PAUSE_SECONDS
from sync_ledger.runs import UNDID, UNDOING
from sync_ledger.undoing import Undone, UndoOutcome, acks_to_undo, begin, conclude, undone_of
from sync_ledger.writes_under_way import WriteKind, keys_in_doubt
from sync_ledger.written_by_run import WrittenOrder, later_writers, written_by_run
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.limits import CreditMeter

PORTION_ORDERS = 1_000
"""Orders that are taken back under one lease."""
PORTION_SECONDS = 40.0
"""No call is begun under a lease after that."""

logger = logging.getLogger("orders-sync")


@dataclass(frozen=True, slots=True)
class RunToUndo:
    """A run, the orders that it wrote, and what an earlier undo made of them."""

    run_id: str
    stream: str
    orders: Mapping[str, WrittenOrder]
    undone: Mapping[str, Undone]

    @property
    def left(self) -> list[WrittenOrder]:
        """The orders that are not taken back yet, in the order of their keys."""
        done = {key for key, each in self.undone.items() if each.outcome is UndoOutcome.REVERSED}
        return [self.orders[key] for key in sorted(self.orders.keys() - done)]


def run_to_undo(ledger: Ledger, run_id: str, stream: str) -> RunToUndo:
    """What a run wrote, and what is undone of it. Changes nothing.

    Raises:
        DatabaseError: the ledger cannot be read.
    """
    with ledger.connect() as connection:
        orders = written_by_run(connection, ledger.tables, run_id)
        return RunToUndo(run_id, stream, orders, undone_of(connection, ledger.tables, run_id))


@dataclass(slots=True)
class Undo:
    """Takes runs of one stream back. `say` gets a line on how far it has come, now and then."""

    ledger: Ledger
    stream: str
    crm: CrmOrders
    credits: CreditMeter
    say: Callable[[str], None]
    _spent: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, asked: RunToUndo) -> Counter[UndoOutcome]:
        """Take back what is left of a run; gives what became of all its orders, whose sum they are.

        Raises:
            ZohoError: the CRM could not be asked; a further undo goes on.
            DatabaseError: the ledger cannot be read or written, or another run has the lease for too long.
        """
        left = asked.left
        done = len(asked.orders) - len(left)
        while left:
            with self._leased() as lease:
                taken = self._portion(lease, asked.run_id, left[:PORTION_ORDERS])
            left = left[taken:]
            done += taken
            self.say(f"{done:,} of {len(asked.orders):,} orders; {self.credits.total:,} credits")
            if left:
                self.ledger.clock.wait(UNDO_PAUSE_SECONDS)
        with self.ledger.connect() as connection:
            return Counter(each.outcome for each in undone_of(connection, self.ledger.tables, asked.run_id).values())

    @contextmanager
    def _leased(self) -> Iterator[Lease]:
        """Hold the stream's lease, once the run that has it gives it up."""
        before = self.credits.total
        lease = self._acquired(lambda: self.credits.total - before)
        lease.start_heartbeat()
        how_ended = "failed"
        try:
            yield lease
            how_ended = UNDID
        finally:
            lease.release(how_ended, {}, self.credits.total - before)

    def _acquired(self, spent: Callable[[], int]) -> Lease:
        for failures in itertools.count(1):
            try:
                return Lease.acquire(self.ledger, self.stream, lasting=UNDOING, spent=spent)
            except LeaseHeldError as held:
                if UNDO_LEASE.is_over(failures):
                    raise
                if failures == 1:
                    self.say(f"waiting: {held}")
                self.ledger.clock.wait(UNDO_LEASE.pause_after(failures))
        raise AssertionError("the loop returns or raises")

    def _portion(self, lease: Lease, run_id: str, orders: Sequence[WrittenOrder]) -> int:
        """Take orders back until the lease is to be given up; gives how many were."""
        began, taken = time.monotonic(), 0
        for some in chunks_of(orders, CALL_RECORDS):
            if taken and time.monotonic() - began > PORTION_SECONDS:
                break
            self._some(lease, run_id, {each.key: each for each in some})
            taken += len(some)
        return taken

    def _some(self, lease: Lease, run_id: str, orders: Mapping[str, WrittenOrder]) -> None:
        known = self._known(run_id, orders)
        concluded = [found for key, each in orders.items() if (found := by_ledger(each, known[key])) is not None]
        over = {each.key for each in concluded}
        asked = {key: each for key, each in orders.items() if key not in over and each.zoho_id is not None}
        if asked:
            concluded += self._judged(asked, known)
        over = {each.key for each in concluded}
        ours = {key: each for key, each in asked.items() if key not in over}
        if ours:
            concluded += self._deleted(lease, run_id, ours)
        gone = {key for key, each in orders.items() if each.inserted}
        let_go = {key for key, each in known.items() if each.begun or not each.is_held}
        conclude(lease, run_id, concluded, gone=gone, let_go=let_go, number=next(self._numbers))

    def _known(self, run_id: str, orders: Mapping[str, WrittenOrder]) -> dict[str, InLedger]:
        ledger, tables = self.ledger, self.ledger.tables

        def look_up() -> dict[str, InLedger]:
            with ledger.connect() as connection:
                acks = acks_to_undo(connection, tables.ack, self.stream, orders)
                undone = undone_of(connection, tables, run_id, orders)
                doubtful = keys_in_doubt(connection, tables, self.stream)
                later = later_writers(connection, tables, self.stream, run_id, orders)
            begun = {key for key, each in undone.items() if each.outcome is UndoOutcome.BEGUN}
            return {key: InLedger(acks.get(key), later.get(key), key in doubtful, key in begun) for key in orders}

        return ledger.with_retries(look_up)

    def _judged(self, orders: Mapping[str, WrittenOrder], known: Mapping[str, InLedger]) -> list[Undone]:
        """Read the records, and give those orders that are not to be taken back, or are so already."""
        ids = {key: str(each.zoho_id) for key, each in orders.items()}
        with self.ledger.connect() as connection:
            now = self.ledger.now(connection)
        records, asked_at = self.crm.read(ids.values())
        ahead: timedelta = asked_at.astimezone(timezone.utc).replace(tzinfo=None) - now
        found = []
        for key, each in orders.items():
            crm = InCrm(records.get(ids[key]), ahead)
            judged = by_crm(each, known[key], crm, self.crm.key_field, self.crm.folding, self.crm.person)
            if judged is not None:
                found.append(judged)
        return found

    def _deleted(self, lease: Lease, run_id: str, orders: Mapping[str, WrittenOrder]) -> list[Undone]:
        """Delete the records of orders that the run made, with their lines; what became of each."""
        ids = {key: str(each.zoho_id) for key, each in orders.items()}
        lines = self.crm.lines(ids.values())
        concluded = []
        for key, zoho_id in list(ids.items()):
            people = {who for each in lines.get(zoho_id, ()) if (who := self.crm.person(each)) is not None}
            if people:
                why = "lines of it were added or changed in the CRM since"
                concluded.append(Undone(key, UndoOutcome.KEPT, why, ", ".join(sorted(people))))
                del ids[key]
        if not ids:
            return concluded
        begin(lease, run_id, list(ids))
        versions = {key: orders[key].version for key in ids}
        own = [line for zoho_id in ids.values() for line in lines.get(zoho_id, ())]
        refused_lines = self.crm.delete_lines(own, lease.sending(WriteKind.LINES, versions))
        for key, zoho_id in list(ids.items()):
            codes = [refused_lines.get(str(each["id"])) for each in lines.get(zoho_id, ())]
            if any(codes):
                why = f"a line of it could not be deleted: {next(filter(None, codes))}"
                concluded.append(Undone(key, UndoOutcome.IMPOSSIBLE, why))
                del ids[key]
        refused = self.crm.delete(ids, lease.sending(WriteKind.DELETE, versions)) if ids else {}
        for key in ids:
            if key in refused:
                why = f"Zoho refused to delete its record: {refused[key].code}"
                concluded.append(Undone(key, UndoOutcome.IMPOSSIBLE, why))
            else:
                concluded.append(Undone(key, UndoOutcome.REVERSED))
        return concluded
