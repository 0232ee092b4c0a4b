"""How a history's runs are set up, and who changes that: a table renamed, a filter, a ledger restored or mixed up.

A person changes one thing in some histories. What must not be written to is refused; the way out that the refusal
names is gone at the next quiet point.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from simulation.chance import Chance
from simulation.scheduler import Scheduler

from sync_ledger.leases import LeaseHeldError
from sync_ledger.ledger import Ledger
from sync_ledger.moves import rebind
from tap_legacy_orders.orders_table import OrdersTable

STREAM = "orders"
RENAMED = "orders_2"
SECOND = "orders_too"
ALIAS = "sales"
OTHER_MODULE = "Invoices"
TABLES = (
    f"CREATE VIEW {RENAMED} AS SELECT * FROM orders",
    "CREATE TABLE let_through (order_id VARCHAR(40) PRIMARY KEY)",
)
"""In the database of the orders: their table by its later name, and what a filter asks."""
FILTER_OF_TABLE = "order_id IN (SELECT order_id FROM let_through)"
NARROW, WIDE = "order_id NOT IN ('so-0', 'so-1', 'so-2', 'so-3')", "order_id <> 'so-4'"
DAY = 86_400.0
KINDS = {
    "nothing": 6.0,
    "restored": 1.5,
    "filter": 2.0,
    "let_through": 1.0,
    "renamed": 1.0,
    "two_ledgers": 1.0,
    "second_stream": 1.0,
    "alias": 0.8,
    "mapper": 0.8,
    "other_module": 0.8,
    "other_key": 0.8,
}
LEDGER_TABLES = (
    "zoho_sync_ack",
    "zoho_sync_job",
    "zoho_sync_run",
    "zoho_sync_stream",
    "zoho_sync_write",
    "zoho_sync_content_form",
)


OLD_NAME = "the module has the orders of the stream's old name"


@dataclass(frozen=True)
class SetUp:
    """That of one run."""

    stream: str = STREAM
    table: str = "orders"
    filter: str | None = None
    alias: str | None = None
    """What a stream map calls the stream."""
    drops_keywords: bool = False
    """Whether a mapper leaves out of the SCHEMA what it does not know."""
    other_ledger: bool = False
    """Whether the target has another one than the tap."""
    module: str | None = None
    key: str | None = None
    """The column of the key, where it is another one."""
    refused: str | None = None
    """Why the run must not be let in."""

    def table_of(self, table: OrdersTable) -> OrdersTable:
        """The orders' table as this run is set up to read it."""
        key = tuple(column for column in table.columns if column.name == self.key) or table.key
        return replace(table, name=self.table, source_name=self.table, filter=self.filter, key=key)


class SetUps:
    """Those of one history."""

    def __init__(
        self,
        chance: Chance,
        scheduler: Scheduler,
        orders: sqlite3.Connection,
        ledger: sqlite3.Connection,
        ledger_url: str,
        *,
        runs: int,
        keys: int,
    ) -> None:
        """Connections that are nobody's else, outside of the history."""
        self._chance = chance
        self._scheduler = scheduler
        self._orders = orders
        self._ledger = ledger
        self._ledger_url = ledger_url
        self._keys = keys
        draw = chance.at("set-up", 0)
        self.kind = draw.choices(list(KINDS), list(KINDS.values()))[0]
        self._from_run = draw.randint(1, runs)
        self._backup: dict[str, list[tuple[Any, ...]]] | None = None
        self._restored = False
        self.now = SetUp()
        """That of the runs to come, but for a single one that goes wrong."""
        self.last_stream = STREAM
        if self.kind == "filter":
            self.now = replace(self.now, filter=NARROW)
        elif self.kind == "let_through":
            self.now = replace(self.now, filter=FILTER_OF_TABLE)

    def of_run(self, number: int) -> SetUp:
        """That of the run of this number."""
        if self._chance.quiet or self.kind == "nothing":
            return self._refusing_unless_rebound(self.now)
        if self.kind == "let_through":
            self._let_through(number)
        elif number == self._from_run:
            once = self._turn(number)
            if once is not None:
                return once
        return self._refusing_unless_rebound(self.now)

    def _turn(self, number: int) -> SetUp | None:
        """What a person does before this run; a set-up that holds for this run alone."""
        bound = self._is_bound(STREAM)
        wrong = {
            "two_ledgers": replace(self.now, other_ledger=True, refused="the target has another ledger"),
            "mapper": replace(self.now, drops_keywords=True, refused="a mapper dropped what the tap said"),
            "second_stream": replace(self.now, stream=SECOND, refused="the module is another stream's"),
            "other_key": replace(self.now, key="invoice_no", refused="the keys are made of another column"),
            "other_module": replace(self.now, module=OTHER_MODULE, refused="the ledger speaks of another module"),
        }
        lasting = {
            "filter": replace(self.now, filter=WIDE),
            "renamed": replace(self.now, stream=RENAMED, table=RENAMED),
            "alias": replace(self.now, alias=ALIAS),
        }
        if self.kind in {"second_stream", "other_module", "other_key", "renamed"} and not bound:
            self._from_run += 1  # there is nothing yet that it could differ from
            return None
        if self.kind == "restored" or not self._chance.planned("set-up", number, self.kind):
            return None
        self.now = lasting.get(self.kind, self.now)
        return wrong.get(self.kind)

    def _refusing_unless_rebound(self, set_up: SetUp) -> SetUp:
        if set_up.stream == self.last_stream:
            return set_up
        return replace(set_up, refused=OLD_NAME)

    def still_refuses(self, set_up: SetUp) -> bool:
        """Whether a run of this set-up must not have been let in: somebody may have rebound its stream meanwhile."""
        if set_up.refused == OLD_NAME and set_up.stream == self.last_stream:
            return False
        return set_up.refused is not None

    def _let_through(self, number: int) -> None:
        key = f"so-{self._chance.at('let through', number).randrange(self._keys)}"
        if self._chance.planned("set-up", number, "let_through"):
            self._orders.execute("INSERT OR IGNORE INTO let_through VALUES (?)", (key,))

    def _is_bound(self, stream: str) -> bool:
        return bool(self._ledger.execute("SELECT 1 FROM zoho_sync_stream WHERE stream = ?", (stream,)).fetchone())

    # Where no run is live

    def quiet(self, number: int, *, jobs_under_way: bool) -> bool:
        """Go the way out of a refusal; save or restore the ledger. Tells whether it was restored."""
        if self.now.stream != self.last_stream:
            self._rebind()
        if self.kind != "restored" or self._chance.quiet or self._restored:
            return False
        if self._backup is None:
            self._save()
            return False
        if jobs_under_way or not self._chance.planned("set-up", number, self.kind):
            return False
        self._restore(self._backup)
        self._restored = True
        return True

    def rest(self) -> None:
        """Let the last orders through, and the time pass after which everything must find its place."""
        if self.kind == "let_through":
            for number in range(self._keys):
                self._orders.execute("INSERT OR IGNORE INTO let_through VALUES (?)", (f"so-{number}",))
            self._scheduler.sleep(DAY)
        elif self.kind == "filter" and self.now.filter == NARROW and self._chance.planned("set-up", 0, "filter"):
            self.now = replace(self.now, filter=WIDE)

    def _rebind(self) -> None:
        ledger = Ledger.open(self._ledger_url)
        while True:
            try:
                rebind(ledger, self.now.stream, old_stream=self.last_stream)
            except LeaseHeldError:
                self._scheduler.sleep(61.0)  # a dead run of another machine
            else:
                break
        self.last_stream = self.now.stream

    def _save(self) -> None:
        """Save the ledger as it is, unless a job is open: its end would be seen twice."""
        open_jobs = "SELECT 1 FROM zoho_sync_job WHERE step NOT IN ('applied', 'abandoned')"
        if not self._ledger.execute(open_jobs).fetchone():
            self._backup = {name: self._ledger.execute(f"SELECT * FROM {name}").fetchall() for name in LEDGER_TABLES}

    def _restore(self, backup: dict[str, list[tuple[Any, ...]]]) -> None:
        note: Callable[[], Any] = lambda: self._ledger.execute(  # noqa: E731 - twice, around the rows
            "INSERT INTO sim_acks VALUES (sim_tick(), '', '', 'restored', NULL, 0, NULL, NULL)"
        )
        self._ledger.execute("BEGIN")
        note()
        for name, rows in backup.items():
            self._ledger.execute(f"DELETE FROM {name}")
            if rows:
                places = ", ".join("?" * len(rows[0]))
                self._ledger.executemany(f"INSERT INTO {name} VALUES ({places})", rows)
        note()
        self._ledger.execute("COMMIT")
