"""Somebody takes runs back and lets their orders go again, as `undo` and `release` do; and what must hold meanwhile."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulation.write_log import Row

from orders_sync.checks.findings import EXPECTED
from orders_sync.undoing.crm_orders import CrmOrders
from orders_sync.undoing.undo import Undo, later_to_undo, run_to_undo
from sync_ledger.ledger import Ledger
from sync_ledger.undoing import release
from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.settings import Settings
from target_zoho_crm.writing.values_before import Sealing

if TYPE_CHECKING:
    from simulation.history import History

UNDOS_MOST = 3
WEIGHTS = (1.0, 2.0, 4.0)
"""Of the last three runs, the newest last."""
KILLED = 0.3
"""Share of the undos that die on their way."""
ENDED = """
    SELECT run_id, stream FROM zoho_sync_run
    WHERE finished_at IS NOT NULL AND read_count IS NOT NULL AND forgotten_at IS NULL ORDER BY started_at
"""
HELD = "SELECT DISTINCT run_id FROM zoho_sync_undone WHERE held_at IS NOT NULL ORDER BY run_id"
REVERSED = "SELECT record_key FROM zoho_sync_undone WHERE outcome = 'reversed' AND held_at IS NOT NULL"


@dataclass(slots=True)
class _Held:
    """An order that is held, from one tick to another; to the end where it has none."""

    key: str
    since: int
    until: int | None = None


class UndoneRuns:
    """Those of one history."""

    def __init__(self, history: History, ledger: sqlite3.Connection) -> None:
        """Read the ledger by a connection of its own."""
        self._history = history
        self._ledger = ledger
        self._began: dict[int, int] = {}
        """When each undo began, by its process."""
        self._held: list[_Held] = []

    # What is done

    def work(self, until: float) -> None:
        """Undo some runs within the first `until` seconds."""
        chance, scheduler = self._history.chance, self._history.scheduler
        count = chance.at("undos", 0).randint(1, UNDOS_MOST)
        moments = sorted(chance.at("undo moment", n).uniform(0.2 * until, until) for n in range(count))
        for number, moment in enumerate(moments):
            if moment > scheduler.now:
                scheduler.sleep(moment - scheduler.now)
            self._undo_one(number)

    def undo_one_more(self) -> None:
        """Undo a run when the shop is done; then it changes some orders, which are held."""
        self._undo_one(UNDOS_MOST)
        self._history.shop.change_some(2)

    def _undo_one(self, number: int) -> None:
        runs = self._ledger.execute(ENDED).fetchall()
        draw = self._history.chance.at("undo", number)
        if runs and self._history.chance.planned("undo", number, "undo"):
            run_id, stream = draw.choices(runs[-3:], WEIGHTS[-len(runs[-3:]) :])[0]
            self._start(number, run_id, stream, draw)

    def release_all(self) -> None:
        """Let all orders go that are still held."""
        ledger = Ledger.open(self._history.ledger_url)
        for (run_id,) in self._ledger.execute(HELD).fetchall():
            self._release(ledger, run_id)

    def _start(self, number: int, run_id: str, stream: str, draw: random.Random) -> None:
        history = self._history
        process = history.runs.process(f"undo {number}", "here" if draw.random() < 0.7 else f"machine undo {number}")
        history.theatre.zoho.undoing_pids.add(process.pid)
        self._began[process.pid] = history.tick()
        if draw.random() < KILLED and history.plan.rate:
            process.dies_at(draw.randint(1, 40))
        with_later, pause = draw.random() < 0.3, draw.choice([None, draw.uniform(0.0, 60.0)])

        def work() -> None:
            history.note(f"undo {number} of run {run_id}{' with later ones' if with_later else ''}")
            self._undo(run_id, stream, with_later=with_later)
            self._note_held()
            history.note(f"undo {number}: over")
            if pause is not None:
                history.scheduler.sleep(pause)
                self._release(Ledger.open(history.ledger_url), run_id)

        history.start_alone(process, work)

    def _undo(self, run_id: str, stream: str, *, with_later: bool) -> None:
        history = self._history
        settings = history.plan.pair.settings(history.ledger_url)
        ledger = Ledger.open(history.ledger_url)
        try:
            asked = run_to_undo(ledger, run_id, stream)
            every = [*(later_to_undo(ledger, asked) if with_later else ()), asked]
            with ExitStack() as closing:
                undo = self._undoing(settings, ledger, stream, closing)
                for each in every:
                    undo.run(each)
        except EXPECTED as error:
            history.note(f"the undo ended: {type(error).__name__}: {error}")

    @staticmethod
    def _undoing(settings: Settings, ledger: Ledger, stream: str, closing: ExitStack) -> Undo:
        credits_ = CreditMeter()
        connection = ConnectionSettings(
            endpoints=settings.endpoints, credentials=settings.credentials, ledger=lambda: ledger
        )
        client = ZohoClient(connection, credits=credits_)
        closing.callback(client.close)
        crm, sealing = CrmOrders(client, settings.stream(stream)), Sealing(settings.credentials, ledger.ledger_id)
        return Undo(ledger, stream, crm, credits_, sealing, settings.max_connections, lambda _line: None)

    def _release(self, ledger: Ledger, run_id: str) -> None:
        moment = self._history.tick()
        for each in self._held:
            each.until = each.until or moment  # of any run: who releases one may let go what two have held
        self._history.note(f"released: {release(ledger, run_id)} orders of run {run_id}")
        self._note_held()

    def _note_held(self) -> None:
        """Orders whose writes were taken back are held from now on."""
        moment, known = self._history.tick(), {each.key for each in self._held if each.until is None}
        for (key,) in self._ledger.execute(REVERSED).fetchall():
            if key not in known:
                self._held.append(_Held(key, moment))

    # The law

    def broken(self) -> Iterator[str]:
        """What is wrong at a quiet point."""
        zoho = self._history.theatre.zoho
        for row in zoho.writes:
            if row.pid in self._began:
                yield from self._not_of_before(row)
                yield from self._over_people(row, row.moment)
            else:
                yield from self._though_held(row)
        for row in zoho.deletions:
            if row.pid not in self._began:
                yield f"order {row.key}: a run deleted its record {row.record}"
                continue
            if not any(each.record == row.record and each.before is None for each in zoho.writes):
                yield f"order {row.key}: its record {row.record} was deleted by an undo, and no run had made it"
            yield from self._over_people(row, self._began[row.pid or 0])

    def _not_of_before(self, row: Row) -> Iterator[str]:
        """What is set back gets a value that its record had before a run wrote it."""
        earlier = [each for each in self._history.theatre.zoho.writes if each.record == row.record]
        if row.value not in {each.before for each in earlier if each.moment < row.moment and each.pid != row.pid}:
            yield f"order {row.key}: an undo wrote {row.value}, which its record never held before a run wrote it"

    def _over_people(self, row: Row, moment: int) -> Iterator[str]:
        """Nothing is taken back that a person has changed since, and before this moment."""
        writes = self._history.theatre.zoho.writes
        ours = [each.moment for each in writes if each.record == row.record and each.moment < row.moment]
        last = max(ours, default=0)
        if any(record == row.record and last < at < moment for record, at in self._history.people.touches):
            yield f"order {row.key}: an undo took back record {row.record}, which a person had changed since"

    def _though_held(self, row: Row) -> Iterator[str]:
        """An order that is held is not written."""
        if row.key in self._history.theatre.zoho.in_doubt:
            return
        for each in self._held:
            if each.key == row.key and each.since < row.moment and (each.until is None or row.moment < each.until):
                yield f"order {row.key} is held since its run was undone, and was written"
