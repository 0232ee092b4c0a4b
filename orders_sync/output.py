"""What the commands print for a person: each text on one line, and nothing in it acts on the terminal.

Keys, versions, names and messages come from orders, databases and servers; no command prints by another way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sync_databases.displayed_text import displayed, displayed_json

_UNFOLDED = 1_000_000
"""Characters of a line where nobody looks at it in a terminal: a file, or another program, gets each row whole."""


def open_console() -> Console:
    """Standard output, for tables: only a terminal folds them, at its width."""
    return Console(width=None if sys.stdout.isatty() else _UNFOLDED)


def new_table(*headings: str, right: Collection[str] = ()) -> Table:
    """A table without lines; the columns `right` hold numbers. What a terminal is too narrow for is folded, not cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for each in headings:
        table.add_column(each, overflow="fold", justify="right" if each in right else "left")
    return table


def say(text: str, *, err: bool = False, colour: str | None = None) -> None:
    """Print one line."""
    click.secho(displayed(text), err=err, fg=colour)


def line(console: Console, text: str, *, style: str = "") -> None:
    """Print one line on a console, whose other lines may be tables."""
    console.print(Text(displayed(text), style), highlight=False, soft_wrap=True)


def heading(console: Console, before: str, name: str, behind: str) -> None:
    """Print one line with a name that stands out."""
    console.print(Text.assemble(displayed(before), (displayed(name), "bold"), displayed(behind)), highlight=False)


def row(table: Table, *cells: str) -> None:
    """Add a row to a table."""
    table.add_row(*(Text(displayed(cell)) for cell in cells))


def print_json(document: Any) -> None:
    """Print one JSON document; a character that is not simply seen stands in it as an escape."""
    click.echo(displayed_json(msgspec.json.format(msgspec.json.encode(document)).decode()))


def for_owner(name: str, flags: int) -> int:
    """An opener of files that name orders: a new one is readable by its owner only."""
    return os.open(name, flags, 0o600)
