"""The lines of a job's orders, kept on the disk as they were read until the orders are in the CRM."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sync_databases.chunks import chunks_of
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import TransientError
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_reader import LineRows, count_lines
from target_zoho_crm.writing.spool import spooling

_ORDERS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LineSpool:
    """A file with one line of text an order: its key as JSON, how many lines it has, and these as JSON."""

    path: Path

    @classmethod
    @spooling()
    def write(cls, path: Path, encoded: Mapping[str, bytes | None]) -> LineSpool:
        """Write the orders whose lines are known.

        Raises:
            SpoolError: the disk does not take them.
        """
        with path.open("wb") as file:
            for order, lines in encoded.items():
                if lines is not None:
                    file.write(b"%s\t%d\t" % (msgspec.json.encode(order), count_lines(lines)))
                    file.write(lines.replace(b"\n", b" ") + b"\n")
        return cls(path)

    def counts(self) -> dict[str, int]:
        """How many lines each order has."""
        with self.path.open("rb") as file:
            parts = (text.split(b"\t", 2) for text in file)
            return {msgspec.json.decode(order): int(count) for order, count, _ in parts}

    def read(self, orders: Collection[str], lines: CompiledLines) -> Iterator[LineRows]:
        """The lines of some of the orders, some hundred orders at a time."""
        with self.path.open("rb") as file:
            parts = (text.split(b"\t", 2) for text in file)
            wanted = ((order, text) for key, _, text in parts if (order := msgspec.json.decode(key)) in orders)
            for chunk in chunks_of(wanted, _ORDERS_AT_ONCE):
                rows = lines.read(dict(chunk))
                if rows.refusals:  # what a line names was there when the order was checked
                    raise TransientError(OwnCode.LINES_NOT_WRITTEN, next(iter(rows.refusals.values())).message)
                yield rows

    def in_portions(self, orders: Collection[str], lines: CompiledLines, size: int) -> Iterator[LineRows]:
        """The same lines, `size` at a time: an order's lines may be divided."""
        waiting = LineRows()
        for rows in self.read(orders, lines):
            waiting.add(rows)
            while len(waiting.keys) >= size:
                yield waiting.take(size)
        if waiting.keys:
            yield waiting

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
