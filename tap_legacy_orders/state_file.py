"""The file behind `--state`, as pipes leave it: empty after a run that failed, a line more after each run, or missing.

What a target writes is one STATE a line, the last of which counts. A bookmark only saves time, the ledger decides: so a
file without any is no reason to end, and is said.
"""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

logger = logging.getLogger("tap-legacy-orders")

if TYPE_CHECKING:
    _ParamType = click.ParamType[io.StringIO | None]
else:
    _ParamType = click.ParamType


class StateFile(_ParamType):
    """The newest STATE of a file; None where there is none."""

    name = "FILENAME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> io.StringIO | None:
        """Read the file; `-` is standard input."""
        if isinstance(value, io.StringIO):
            return value
        path = str(value)
        try:
            text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            logger.warning("--state: there is no file %s; all orders are compared with the ledger", path)
            return None
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{path} cannot be read: {error}", param, ctx)
        state = newest_state(text)
        if state is None:
            logger.warning("--state: %s is empty; all orders are compared with the ledger", path)
            return None
        return io.StringIO(state)


def newest_state(text: str) -> str | None:
    """The one document of a text, or the last of several lines; None where it holds nothing.

    A last line that was cut off, as by a full disk, is left to be refused: what stands before it may be of another run.
    """
    if not text.strip():
        return None
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text.strip().splitlines()[-1]
    return text
