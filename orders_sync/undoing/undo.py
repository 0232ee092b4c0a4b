"""Taking back what a run wrote: portion by portion under the stream's lease, so that runs between wait a moment only.

An order is noted before the CRM is asked for it, and concluded afterwards: one undo more goes on after a kill.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone

import sqlalchemy as sa

from orders_sync.undoing.crm_orders import CrmOrders
from orders_sync.undoing.judging import InCrm, InLedger, Record, by_crm, by_ledger
from orders_sync.undoing.kept_values import HeldBefore, KeptOfRun, by_values, names_of
from orders_sync.undoing.setting_back import SettingBack
from sync_databases.chunks import chunks_of
from sync_ledger.before_values import rows_of_run
from sync_ledger.leases import Lease, LeaseHeldError
from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import UNDO_LEASE, UNDO_PAUSE_SECONDS
from sync_ledger.runs import UNDID, UNDOING
from sync_ledger.undoing import Undone, UndoOutcome, acks_to_undo, begin, conclude, undone_of
from sync_ledger.writes_under_way import WriteKind, keys_in_doubt
from sync_ledger.written_by_run import LaterWrites, WrittenOrder, later_writes, written_by_run
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.writing.values_before import Sealing

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
    kept: frozenset[str]
    """Those whose values from before are kept."""

    @property
    def with_values(self) -> list[WrittenOrder]:
        """Those that are not taken back yet, were changed and not made, and can be set back."""
        return [each for each in self.left if not each.inserted and each.key in self.kept]

    @property
    def left(self) -> list[WrittenOrder]:
        """The orders that are not taken back yet."""
        done = {key for key, each in self.undone.items() if each.outcome is UndoOutcome.REVERSED}
        return [each for key, each in self.orders.items() if key not in done]


def run_to_undo(ledger: Ledger, run_id: str, stream: str, keys: Collection[str] | None = None) -> RunToUndo:
    """What a run wrote, of all orders or of these, and what is undone of it. Changes nothing.

    Raises:
        DatabaseError: the ledger cannot be read.
    """
    with ledger.connect() as connection:
        orders = written_by_run(connection, ledger.tables, run_id)
        if keys is not None:
            orders = {key: orders[key] for key in orders.keys() & set(keys)}
        undone = undone_of(connection, ledger.tables, run_id, None if keys is None else orders)
        kept = frozenset(key for row in rows_of_run(connection, ledger.tables, run_id) for key in row.keys)
        return RunToUndo(run_id, stream, orders, undone, kept)


def later_to_undo(ledger: Ledger, asked: RunToUndo) -> list[RunToUndo]:
    """What later runs wrote of a run's orders, the newest first: to be undone before it."""
    orders = {each.key: each for each in asked.left}
    with ledger.connect() as connection:
        later = later_writes(connection, ledger.tables, asked.stream, asked.run_id, orders)
        keys: dict[str, list[str]] = {}
        for key, each in later.items():
            for run_id in each.runs:
                keys.setdefault(run_id, []).append(key)
        run = ledger.tables.run
        query = sa.select(run.c.run_id).where(run.c.run_id.in_(list(keys))).order_by(run.c.started_at.desc())
        runs = connection.execute(query).scalars().all() if keys else []
    return [run_to_undo(ledger, run_id, asked.stream, keys[run_id]) for run_id in runs]


@dataclass(slots=True)
class Undo:
    """Takes runs of one stream back. `say` gets a line on how far it has come, now and then."""

    ledger: Ledger
    stream: str
    crm: CrmOrders
    credits: CreditMeter
    sealing: Sealing
    threads: int
    say: Callable[[str], None]
    _spent: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, asked: RunToUndo) -> None:
        """Take back what is left of a run.

        Raises:
            ZohoError: the CRM could not be asked; a further undo goes on.
            DatabaseError: the ledger cannot be read or written, or another run has the lease for too long.
        """
        values = KeptOfRun(self.ledger, asked.run_id, self.sealing)
        left = sorted(asked.left, key=lambda each: (values.near(each.key), each.key))
        done = len(asked.orders) - len(left)
        while left:
            with self._leased() as lease:
                taken = self._portion(lease, values, asked.run_id, left[:PORTION_ORDERS])
            left = left[taken:]
            done += taken
            self.say(f"{done:,} of {len(asked.orders):,} orders; {self.credits.total:,} credits")
            if left:
                self.ledger.clock.wait(UNDO_PAUSE_SECONDS)

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

    def _portion(self, lease: Lease, values: KeptOfRun, run_id: str, orders: Sequence[WrittenOrder]) -> int:
        """Take orders back until the lease is to be given up; gives how many were."""
        began, taken = time.monotonic(), 0
        for some in chunks_of(orders, CALL_RECORDS):
            if taken and time.monotonic() - began > PORTION_SECONDS:
                break
            self._some(lease, values, run_id, {each.key: each for each in some})
            taken += len(some)
        return taken

    def _some(self, lease: Lease, values: KeptOfRun, run_id: str, orders: Mapping[str, WrittenOrder]) -> None:
        known = self._known(run_id, orders, values)
        orders = {key: each for key, each in orders.items() if not known[key].is_reversed}
        if not orders:
            return
        concluded = [found for key, each in orders.items() if (found := by_ledger(each, known[key])) is not None]
        over = {each.key for each in concluded}
        asked = {key: each for key, each in orders.items() if key not in over}
        if asked:
            concluded += self._asked(lease, run_id, asked, known, values.of(asked))
        deleted = {key for key, each in orders.items() if each.inserted}
        let_go = {key for key, each in known.items() if not each.is_held}
        concluded = [  # nobody knows how far an earlier undo came with them
            replace(each, held=True) if known[each.key].begun and each.outcome is not UndoOutcome.REVERSED else each
            for each in concluded
        ]
        conclude(lease, run_id, concluded, deleted=deleted, let_go=let_go, number=next(self._numbers))

    def _asked(
        self,
        lease: Lease,
        run_id: str,
        orders: Mapping[str, WrittenOrder],
        known: Mapping[str, InLedger],
        held: Mapping[str, HeldBefore],
    ) -> list[Undone]:
        """Read the records, and take back what the CRM allows; what became of each order."""
        ids = {key: str(each.zoho_id) for key, each in orders.items()}
        with self.ledger.connect() as connection:
            now = self.ledger.now(connection)
        records, asked_at = self.crm.read(ids.values(), names_of(held.values()))
        ahead: timedelta = asked_at.astimezone(timezone.utc).replace(tzinfo=None) - now

        def judge(order: WrittenOrder, record: Record | None, *, begun: bool = False) -> Undone | None:
            crm = InCrm(record, ahead)
            by_now = replace(known[order.key], begun=True) if begun else known[order.key]
            found = by_crm(order, by_now, crm, self.crm.key_field, self.crm.folding, self.crm.person)
            if found is None and record is not None and order.key in held:
                return by_values(order, held[order.key], record, self.crm.fields, self.crm.person)
            return found

        judged = {key: judge(each, records.get(ids[key])) for key, each in orders.items()}
        concluded = [each for each in judged.values() if each is not None]
        made = {key: each for key, each in orders.items() if judged[key] is None and each.inserted}
        changed = {key: each for key, each in orders.items() if judged[key] is None and not each.inserted}
        if made:
            concluded += self._deleted(lease, run_id, made)
        if changed:
            begin(lease, run_id, list(changed))
            setting = SettingBack(lease, self.crm, self.threads, judge)
            set_back = setting.run(changed, held, {key: records[ids[key]] for key in changed}, asked_at)
            concluded += [self._with_person(each, held[each.key]) for each in set_back]
        return concluded

    def _with_person(self, each: Undone, held: HeldBefore) -> Undone:
        """Of what is set back, who had changed the record before the run: an earlier run's writes lie below that."""
        if each.outcome is not UndoOutcome.REVERSED:
            return each
        return replace(each, person=self.crm.person(held.first))

    def _known(self, run_id: str, orders: Mapping[str, WrittenOrder], values: KeptOfRun) -> dict[str, InLedger]:
        ledger, tables = self.ledger, self.ledger.tables

        def look_up() -> dict[str, InLedger]:
            with ledger.connect() as connection:
                acks = acks_to_undo(connection, tables.ack, self.stream, orders)
                undone = undone_of(connection, tables, run_id, orders)
                doubtful = keys_in_doubt(connection, tables, self.stream)
                later = later_writes(connection, tables, self.stream, run_id, orders)
            begun = {key for key, each in undone.items() if each.held}
            done = {key for key, each in undone.items() if each.outcome is UndoOutcome.REVERSED}
            return {
                key: InLedger(
                    acks.get(key),
                    later.get(key, LaterWrites()),
                    in_doubt=key in doubtful,
                    begun=key in begun,
                    is_reversed=key in done,
                    times_kept=values.times(key),
                )
                for key in orders
            }

        return ledger.with_retries(look_up)

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
                concluded.append(Undone(key, UndoOutcome.IMPOSSIBLE, why, held=not all(codes)))
                del ids[key]
        refused = self.crm.delete(ids, lease.sending(WriteKind.DELETE, versions)) if ids else {}
        for key, zoho_id in ids.items():
            if key in refused:
                why = f"Zoho refused to delete its record: {refused[key].code}"
                concluded.append(Undone(key, UndoOutcome.IMPOSSIBLE, why, held=bool(lines.get(zoho_id))))
            else:
                concluded.append(Undone(key, UndoOutcome.REVERSED))
        return concluded
