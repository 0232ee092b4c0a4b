"""The demo's three runs, and what it prints after each: who went which way, the credits, what the ledger says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from demo.comparison import Findings, compare
from demo.pipeline import COMMAND, Pipeline
from demo.shop import ADDED, CHANGED, ORDERS_AT_FIRST, next_morning, open_shop
from demo.shop_databases import Databases, DemoError
from orders_sync.config_sources.ledgers import streams_of
from orders_sync.reporting.status import read_status
from orders_sync.reporting.status_view import display_status
from sync_ledger.ledger import Ledger
from zoho_crm_emulator.control import EmulatorProcess

MODULE = "Orders"
CREDITS = {"bulk_write": 1_500, "write": 151}
"""What the whole story must cost: 3 bulk write jobs at 500, 15 upsert calls of 100 records at 10, and the call of the
first ten orders."""

REQUESTS = {"bulk_write": "bulk_create", "write": "upsert"}
WAYS = {"bulk_write": ("bulk write", "jobs"), "write": ("upsert", "calls")}


@dataclass(frozen=True)
class Spent:
    """The emulator's own counts at one time."""

    credits: Mapping[str, int]
    requests: Mapping[str, int]
    records: Mapping[str, int]

    @classmethod
    def now(cls, emulator: EmulatorProcess) -> Spent:
        """Ask the emulator."""
        stats = emulator.admin.stats()
        return cls(stats["credits"]["by_kind"], stats["requests"], stats["records"])


@dataclass
class Story:
    """A first load, a busy morning, and a run with nothing to do."""

    console: Console
    project: Path
    folder: Path
    places: Databases
    emulator: EmulatorProcess
    orders: sa.Engine
    seconds: list[float] = field(default_factory=list)

    def tell(self) -> None:
        """Run all three, then compare everything.

        Raises:
            DemoError: a run failed, or something is not as it must be.
        """
        self.console.print(f"A made-up shop: {self.places.told}.")
        self.console.print(f"A Zoho CRM emulator: [bold]{self.emulator.base_url}[/]")
        self._legacy(open_shop)
        self._run(f"First run: {ORDERS_AT_FIRST:,} orders that the CRM has never seen")
        self._legacy(next_morning)
        self._run(f"Second run: {CHANGED:,} orders changed, {ADDED:,} added")
        self._run("Third run: nothing has changed")
        self._verdict()

    def _legacy(self, work: Callable[[sa.Connection], None]) -> None:
        with self.orders.begin() as connection:
            work(connection)

    def _run(self, title: str) -> None:
        number = len(self.seconds) + 1
        self.console.print()
        self.console.print(Rule(f"[bold]{title}[/]", align="left"))
        self.console.print(f"$ {' '.join(COMMAND)}", style="bold")
        before = Spent.now(self.emulator)
        pipeline = Pipeline(self.project, self.folder, self.places, self.emulator)
        self.seconds.append(pipeline.run(number))
        self.console.print(f"\n{self.seconds[-1]:.1f} s, Meltano's own start included. By the CRM's own count:\n")
        self.console.print(self._ways(before, Spent.now(self.emulator)))
        self.console.print("\nThe ledger says, by [bold]orders-sync status[/]:\n")
        ledger = Ledger.open(self.places.ledger_url)
        try:
            display_status(self.console, read_status(ledger, streams_of(ledger), last_runs=number))
        finally:
            ledger.close()

    def _ways(self, before: Spent, after: Spent) -> Table:
        """Orders, requests and credits of one run, by way."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("Way")
        for name in ("Orders", "Requests", "Credits"):
            table.add_column(name, justify="right")
        for kind, (way, requests) in WAYS.items():
            table.add_row(
                way,
                f"{_written(after, way.replace(' ', '_')) - _written(before, way.replace(' ', '_')):,}",
                f"{_more(before.requests, after.requests, REQUESTS[kind]):,} {requests}",
                f"{_more(before.credits, after.credits, kind):,}",
            )
        others = {kind for kind in after.credits if kind not in WAYS}
        table.add_row("reading the module's fields and the like", "", "", f"{_all_more(before, after, others):,}")
        return table

    def _verdict(self) -> None:
        """Compare, say the figures, and fail if one is not right."""
        self.console.print()
        self.console.print(Rule("[bold]Is it true? Every order, every field, every ack[/]", align="left"))
        ledger = Ledger.open(self.places.ledger_url)
        try:
            findings = compare(self.orders, self.emulator.admin.records(MODULE), ledger)
        finally:
            ledger.close()
        spent = Spent.now(self.emulator).credits
        written = {kind: spent.get(kind, 0) for kind in CREDITS}
        for difference in findings.differences:
            self.console.print(difference, style="red", markup=False, soft_wrap=True)
        self._say(findings, written)
        wrong = _wrong(findings, written)
        if wrong:
            raise DemoError("; ".join(wrong))

    def _say(self, findings: Findings, written: Mapping[str, int]) -> None:
        equal = "each field equal to the legacy row's" if not findings.difference_count else "not all of them equal"
        self.console.print(f"[bold]{findings.equal:,} orders in the CRM, {equal}[/]")
        self.console.print(f"[bold]{findings.synced:,} acks, all synced with the CRM's record id[/]")
        self.console.print(
            f"[bold]{sum(written.values()):,} credits for writing: {written['bulk_write']:,} for bulk write jobs, "
            f"{written['write']:,} for upserts[/]"
        )


def _wrong(findings: Findings, written: Mapping[str, int]) -> list[str]:
    expected = ORDERS_AT_FIRST + ADDED
    wrong = []
    if findings.difference_count:
        wrong.append(f"{findings.difference_count:,} differences between legacy database, CRM and ledger")
    if not findings.orders == findings.equal == findings.acks == findings.synced == expected:
        wrong.append(
            f"expected {expected:,} of each, found {findings.orders:,} legacy orders, {findings.equal:,} equal "
            f"records, {findings.acks:,} acks, {findings.synced:,} of them synced"
        )
    if written != CREDITS:
        wrong.append(f"expected credits {CREDITS}, found {dict(written)}")
    return wrong


def _written(spent: Spent, way: str) -> int:
    """Records inserted or updated in this way."""
    return sum(spent.records.get(f"{way} {action}", 0) for action in ("insert", "update"))


def _more(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> int:
    return int(after.get(name, 0)) - int(before.get(name, 0))


def _all_more(before: Spent, after: Spent, kinds: set[str]) -> int:
    return sum(_more(before.credits, after.credits, kind) for kind in kinds)
