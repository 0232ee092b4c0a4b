"""What the commands print for a person: each text on one line, and nothing in it acts on the terminal.

Keys, versions, names and messages come from orders, databases and servers; no command prints by another way.
"""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sync_databases.displayed_text import displayed, displayed_json


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
