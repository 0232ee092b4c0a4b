"""The legacy side: orders inserted, changed and deleted, some of them committed late, under a clock that is set back.

The shop keeps within what docs/selection.md asks of it: nothing is committed later than `lookback_seconds`, and no two
versions of one order bear the same moment unless they follow each other within a tick of the clock.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from simulation.chance import Chance, Injection
from simulation.scheduler import Process, Scheduler
from simulation.simulated_databases import plain
from simulation.stand_ins import STAGE

SETTLE = 2.0
TABLE = (
    "CREATE TABLE orders "
    "(order_id VARCHAR(40) PRIMARY KEY, notes TEXT, updated_at DATETIME NOT NULL, invoice_no VARCHAR(40))"
)
INDEX = "CREATE INDEX orders_by_time ON orders (updated_at, order_id)"


@dataclass(frozen=True)
class Version:
    """One state of one order: what it holds, under which version text, and since when (None: it was deleted)."""

    number: int
    text: str | None


class Shop:
    """The legacy application and its table."""

    def __init__(
        self, path: Path, scheduler: Scheduler, chance: Chance, lookback: float, *, whole_seconds: bool
    ) -> None:
        """Orders lie in the database at `path`."""
        self.connection: sqlite3.Connection = plain(path)
        self.scheduler = scheduler
        self.chance = chance
        self.slack = lookback / 3
        self.whole_seconds = whole_seconds
        self.clock_offset = 0.0
        self.history: dict[str, list[Version]] = {}
        self.changes = 0
        self.busy: set[str] = set()
        self.names: Sequence[str] = ()
        """Its keys, where they are not `so-` and a number."""
        self.all_names: Sequence[str] = ()
        self.invoice_of: Callable[[str, int], str | None] = lambda _name, _number: None
        """The invoice number that a change gives an order."""
        self.invoices: defaultdict[str, set[str]] = defaultdict(set)
        """Those that an order has had."""
        self.wait_for_database: Callable[[], None] = lambda: None
        self.latest_seen = 0.0
        """The latest time that the databases' clock has shown."""

    def work(self, operations: int, keys: int, world: Process, until: float) -> None:
        """Do so many operations within the first `until` seconds."""
        self.all_names = self.names or [f"so-{index}" for index in range(keys)]
        moments = sorted(self.chance.at("moment", n).uniform(0.0, until) for n in range(operations))
        for number, moment in enumerate(moments):
            if moment > self.scheduler.now:
                self.scheduler.sleep(moment - self.scheduler.now)
            if ("legacy", number) in self.chance.dropped:
                continue
            self._operate(number, keys, world)

    def _operate(self, number: int, keys: int, world: Process) -> None:
        chance = self.chance.at("legacy", number)
        what = chance.choices(
            ["insert", "change", "twice", "delete", "late", "clock", "batch", "poison"],
            [3.0, 4.0, 1.5, 0.7, 1.5, 1.0, 2.0, 0.5],
        )[0]
        if what == "clock":
            self.chance.injected.append(Injection("legacy", number, "clock_step"))
            self.latest_seen = max(self.latest_seen, STAGE.database_time())
            if chance.random() < 0.5:
                self.clock_offset = chance.uniform(-self.slack, self.slack)
            else:
                STAGE.clock_offset = chance.uniform(-self.slack, self.slack)
            return
        some = (
            chance.sample(range(keys), min(keys, chance.randint(2, 5))) if what == "batch" else [chance.randrange(keys)]
        )
        names = [self.all_names[index % len(self.all_names)] for index in some]
        names = [name for name in names if name not in self.busy]
        if not names:
            return
        if what == "delete":
            if self.history.get(names[0]):
                self.chance.injected.append(Injection("legacy", number, "deleted"))
                self._delete(names[0])
        elif what == "late":
            self.chance.injected.append(Injection("legacy", number, "late_commit"))
            stamp = self._stamp()
            self.busy.update(names)
            delay = chance.uniform(0.0, self.slack)
            self.scheduler.spawn(world, lambda: self._commit_late(names, stamp, delay), "late commit")
        else:
            stamp = self._stamp()
            if what == "batch":
                self.chance.injected.append(Injection("legacy", number, "equal_timestamps"))
            self._write(names, stamp)
            if what == "twice":
                self.chance.injected.append(Injection("legacy", number, "twice_in_a_tick"))
                self.scheduler.sleep(chance.uniform(0.0, 0.4))
                if names[0] not in self.busy:
                    self._write(names, self._stamp())

    def change_some(self, count: int) -> None:
        """Change some orders now."""
        number, draw = self.chance.next("overtaking")
        if ("overtaking", number) in self.chance.dropped:
            return
        names = [name for name in draw.sample(self.all_names, min(count, len(self.all_names))) if name not in self.busy]
        if names:
            self._write(names, self._stamp())

    def _commit_late(self, names: list[str], stamp: float, delay: float) -> None:
        self.scheduler.sleep(delay)
        self._write(names, stamp)
        self.busy.difference_update(names)

    def _stamp(self) -> float:
        """The application's clock."""
        return STAGE.true_time() + self.clock_offset

    def _text(self, stamp: float) -> str:
        moment = datetime.fromtimestamp(stamp, timezone.utc)
        return f"{moment:%Y-%m-%d %H:%M:%S}" if self.whole_seconds else f"{moment:%Y-%m-%d %H:%M:%S.%f}"

    def _write(self, names: list[str], stamp: float) -> None:
        self.wait_for_database()
        self.latest_seen = max(self.latest_seen, STAGE.database_time())
        rows = []
        for name in names:
            past = self.history.setdefault(name, [])
            known = {version.text for version in past}
            while (text := self._text(stamp)) in known and not self._may_share(stamp):
                stamp += 1.0 if self.whole_seconds else 0.000_001
            self.changes += 1
            past.append(Version(self.changes, text))
            invoice = self.invoice_of(name, self.changes)
            self.invoices[name] |= {invoice} if invoice else set()
            rows.append((name, f"{name}#{self.changes}", text, invoice))
        with self.connection:
            self.connection.executemany(
                "INSERT INTO orders VALUES (?, ?, ?, ?) ON CONFLICT (order_id) DO UPDATE SET "
                "notes = excluded.notes, updated_at = excluded.updated_at, invoice_no = excluded.invoice_no",
                rows,
            )

    def _may_share(self, stamp: float) -> bool:
        """Whether nobody can have read an order of that moment yet: it has not settled by the database's clock."""
        return self.latest_seen < math.floor(stamp) + SETTLE

    def _delete(self, name: str) -> None:
        self.changes += 1
        self.history[name].append(Version(self.changes, None))
        self.connection.execute("DELETE FROM orders WHERE order_id = ?", (name,))

    def renumber(self, old: str, new: str) -> None:
        """Give an order another key, with its invoice number."""
        (invoice,) = self.connection.execute("SELECT invoice_no FROM orders WHERE order_id = ?", (old,)).fetchone()
        self._delete(old)
        keep, self.invoice_of = self.invoice_of, lambda _name, _number: invoice
        self._write([new], self._stamp())
        self.invoice_of = keep

    def orders(self, where: str | None = None) -> dict[str, tuple[str, str]]:
        """Every order that is there, or that a filter lets through: what it holds, and its version's text."""
        query = f"SELECT order_id, notes, updated_at FROM orders WHERE {where or 1}"
        return {key: (notes, text) for key, notes, text in self.connection.execute(query)}

    def numbers(self, key: str, text: str) -> list[int]:
        """The changes that gave an order this version text."""
        return [version.number for version in self.history.get(key, ()) if version.text == text]


def number_of(value: str) -> int:
    """The change that an order's content comes from."""
    return int(value.partition("#")[2])
