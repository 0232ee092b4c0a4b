"""The legacy side: orders inserted, changed and deleted, some of them committed late, under a clock that is set back.

The shop keeps within what docs/database.md asks of it: nothing is committed later than `lookback_seconds`.
"""

from __future__ import annotations

import math
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulation.chance import Chance, Injection
from simulation.change_columns import COLUMNS, SECONDS, ChangeColumn, Stamp
from simulation.scheduler import Process, Scheduler
from simulation.simulated_databases import plain
from simulation.stand_ins import STAGE

SETTLE = 2.0
SEQUENCE_FROM = 40_000
LATE_SHARE = 0.95
"""Of `lookback_seconds`: so late at most is a change committed."""
TABLE = f"CREATE TABLE orders (order_id VARCHAR(40) PRIMARY KEY, {COLUMNS})"
INDEX = "CREATE INDEX orders_by_time ON orders (updated_at, order_id)"


@dataclass(frozen=True)
class Version:
    """One state of one order: what it holds, under which version text, and since when (None: it was deleted)."""

    number: int
    text: str | None


@dataclass(frozen=True)
class Habits:
    """What a shop does that others do not."""

    shares_versions: bool = False
    """Two changes of an order may bear one value of the change column, whoever has read the first."""
    late_commits: bool = False
    """Changes are committed late by up to nearly all of `lookback_seconds`, by a clock that is never set."""
    clock_offset: float = 0.0
    """By how many seconds the application's clock is ahead of true time."""


class Shop:
    """The legacy application and its table."""

    def __init__(
        self, path: Path, scheduler: Scheduler, chance: Chance, lookback: float, column: ChangeColumn, habits: Habits
    ) -> None:
        """Orders lie in the database at `path`; `column` says when each was changed."""
        self.connection: sqlite3.Connection = plain(path)
        self.scheduler = scheduler
        self.chance = chance
        self.slack = lookback / 3
        self.late_most = lookback * LATE_SHARE if habits.late_commits else self.slack
        self.column = column
        self.habits = habits
        self.clock_offset = habits.clock_offset
        self.numbered = 0
        """Changes to which the sequence has given a number; it begins where it has long been in use."""
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
        self.read_now: Callable[[], None] = lambda: None
        """Starts a run, if none is live: what follows may bear a version that was read already."""
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
        many = self.habits.shares_versions or self.habits.late_commits
        what = chance.choices(
            ["insert", "change", "twice", "delete", "late", "clock", "batch", "poison"],
            [3.0, 4.0, 6.0 if many else 1.5, 0.7, 6.0 if many else 1.5, 1.0, 2.0, 0.5],
        )[0]
        if what == "clock":
            self._set_a_clock(number, chance)
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
            self._change_late(number, names, chance, world)
        else:
            stamp = self._stamp()
            after = self.column.repeats_after
            if after is not None and chance.random() < 0.5:
                self.scheduler.spawn(world, lambda: self._change_again(names, stamp, after), "again")
            if what == "batch":
                self.chance.injected.append(Injection("legacy", number, "equal_timestamps"))
            self._write(names, stamp)
            if what == "twice":
                self.chance.injected.append(Injection("legacy", number, "twice_in_a_tick"))
                self.read_now()
                self.scheduler.sleep(chance.uniform(0.0, 0.4))
                if names[0] not in self.busy:
                    self._write(names, self._stamp())

    def _set_a_clock(self, number: int, chance: random.Random) -> None:
        """Set the application's or the databases' clock."""
        if self.habits.late_commits:
            return  # the two together pass what `lookback_seconds` covers
        self.chance.injected.append(Injection("legacy", number, "clock_step"))
        self.latest_seen = max(self.latest_seen, STAGE.database_time())
        offset = chance.random(), chance.uniform(-self.slack, self.slack)
        if offset[0] < 0.5:
            self.clock_offset = self.habits.clock_offset + offset[1]
        else:
            STAGE.clock_offset = offset[1]

    def _change_late(self, number: int, names: list[str], chance: random.Random, world: Process) -> None:
        """Date a change now, and commit it later; nobody changes the order meanwhile."""
        self.chance.injected.append(Injection("legacy", number, "late_commit"))
        stamp = self._stamp()
        self.busy.update(names)
        if self.habits.shares_versions and chance.random() < 0.7:
            self._write(names, stamp)  # and once more with the same time
            self.scheduler.sleep(chance.uniform(0.0, 2.5))
            self.read_now()
        delay = chance.uniform(0.6 if self.habits.late_commits else 0.0, 1.0) * self.late_most
        self.scheduler.spawn(world, lambda: self._commit_late(names, stamp, delay), "late commit")

    def _change_again(self, names: list[str], stamp: Stamp, after: float) -> None:
        """Change orders once more, when the clock shows the same time again."""
        self.scheduler.sleep(after)
        self._write([name for name in names if name not in self.busy], stamp._replace(at=stamp.at + after))

    def change_some(self, count: int) -> None:
        """Change some orders now."""
        number, draw = self.chance.next("overtaking")
        if ("overtaking", number) in self.chance.dropped:
            return
        names = [name for name in draw.sample(self.all_names, min(count, len(self.all_names))) if name not in self.busy]
        if names:
            self._write(names, self._stamp())

    def _commit_late(self, names: list[str], stamp: Stamp, delay: float) -> None:
        self.scheduler.sleep(delay)
        self._write(names, stamp)
        self.busy.difference_update(names)

    def _stamp(self) -> Stamp:
        """The application's clock, and the next number of the sequence."""
        return Stamp(STAGE.true_time() + self.clock_offset, self._next_number())

    def _next_number(self) -> int:
        self.numbered += 1
        return SEQUENCE_FROM + self.numbered

    def _write(self, names: list[str], stamp: Stamp) -> None:
        self.wait_for_database()
        self.latest_seen = max(self.latest_seen, STAGE.database_time())
        column, rows = self.column, []
        for name in names:
            past = self.history.setdefault(name, [])
            known = {version.text for version in past}
            while (text := column.text(stamp)) in known and not self._may_share(stamp):
                stamp = Stamp(stamp.at + column.tick, self._next_number())
            self.changes += 1
            past.append(Version(self.changes, text))
            invoice = self.invoice_of(name, self.changes)
            self.invoices[name] |= {invoice} if invoice else set()
            rows.append((name, f"{name}#{self.changes}", SECONDS.text(stamp), invoice, text))
        own = "" if column.name == "updated_at" else f", {column.name}"
        with self.connection:
            self.connection.executemany(
                f"INSERT OR REPLACE INTO orders (order_id, notes, updated_at, invoice_no{own}) "
                f"VALUES (?1, ?2, {'?3' if own else '?5'}, ?4{', ?5' if own else ''})",
                rows,
            )

    def _may_share(self, stamp: Stamp) -> bool:
        """Whether an order may have a value of the change column twice: elsewhere, before anybody can have read it."""
        return self.habits.shares_versions or self.latest_seen < math.floor(stamp.at) + SETTLE

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
        query = f"SELECT order_id, notes, CAST({self.column.name} AS TEXT) FROM orders WHERE {where or 1}"
        return {key: (notes, text) for key, notes, text in self.connection.execute(query)}

    def numbers(self, key: str, text: str) -> list[int]:
        """The changes that gave an order this version text."""
        return [version.number for version in self.history.get(key, ()) if version.text == text]


def number_of(value: str) -> int:
    """The change that an order's content comes from."""
    return int(value.partition("#")[2])
