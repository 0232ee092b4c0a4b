"""The table of faults: what was done to real processes, what was expected and what was seen, a row a test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 190


@dataclass
class Row:
    """One fault on one engine. `exits` are codes of tap and target (negative: the signal that killed it)."""

    fault: str = ""
    engine: str = ""
    expected: str = ""
    seen: str = ""
    orders: str = ""
    """Orders in legacy / CRM / acks that say synced, after the last clean run."""
    exits: str = ""
    seconds: str = ""
    """From the fault to the end of the last process that it met."""

    def as_property(self) -> dict[str, Any]:
        return asdict(self)


NOT_THERE = (
    "Not in the table: SQLite has no server to stop and no connection to cut; disks are filled for what this project "
    "writes itself (the spool, STATE, an SQLite ledger), not for database servers."
)
LEFT_OUT = "Left out: what takes long, and most cases on a second and third engine; `make faults` runs them too."


def printed(rows: Iterable[Row], *, all_run: bool) -> str:
    """The table as text, and below it what is not in it and why."""
    table = Table(title="Faults on real processes", show_lines=True)
    for heading in ("fault", "engine", "expected", "seen", "legacy / CRM / acks", "exits (tap, target)", "seconds"):
        table.add_column(heading, overflow="fold")
    for row in sorted(rows, key=lambda row: (row.fault, row.engine)):
        table.add_row(*asdict(row).values())
    console = Console(width=WIDTH, no_color=True)
    with console.capture() as captured:
        console.print(table)
    left_out = "" if all_run else f"{LEFT_OUT}\n"
    return f"{captured.get()}{NOT_THERE}\n{left_out}"
