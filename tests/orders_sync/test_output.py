"""Tables for people: a terminal folds them, a file or a pipe gets each row on one line."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import click

import orders_sync

PRINTING = """
from orders_sync.output import new_table, open_console, row
table = new_table("Key", "Message", "Record id", "Count", right=("Count",))
row(table, "SO-1", "word " * 40 + "end", "5000000000101", "7")
open_console().print(table)
"""


def test_without_a_terminal_each_row_is_one_line() -> None:
    for more in ({}, {"COLUMNS": "80"}, {"FORCE_COLOR": "1"}):
        command = [sys.executable, "-c", PRINTING]
        out = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **more}).stdout
        assert len(out.splitlines()) == 2
        assert "word end" in out
        assert "5000000000101" in out


def test_a_terminal_folds_and_cuts_nothing() -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "40", "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", PRINTING], stdout=theirs, check=True, env=env)
    os.close(theirs)
    out = click.unstyle(os.read(ours, 100_000).decode())
    os.close(ours)
    assert max(map(len, out.splitlines())) <= 40
    assert out.count("word") == 40
    assert "\N{HORIZONTAL ELLIPSIS}" not in out


def test_no_command_makes_consoles_or_tables_of_its_own() -> None:
    home = Path(orders_sync.__file__).parent
    own = [path for path in home.rglob("*.py") if re.search(r"(?<![\w.])(Console|Table)\(", path.read_text())]
    assert own == [home / "output.py"]
