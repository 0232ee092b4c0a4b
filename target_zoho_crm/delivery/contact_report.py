"""What a first contact found, as lines of the log: fields, kinds and lengths, and nothing of any order's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync_ledger.first_contact import FieldKind
from target_zoho_crm.compare.difference_kinds import WHY, shape_of
from target_zoho_crm.compare.records import Difference


class FirstContactError(Exception):
    """The first orders are in the CRM otherwise than they were meant; `lines` are the table, and what to do."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = list(lines)


@dataclass(frozen=True, slots=True)
class FoundKind:
    """One kind of difference in one field: a sample of it, and all orders that have it."""

    sample: Difference
    keys: tuple[str, ...]


def by_kind(found: Iterable[Difference]) -> dict[FieldKind, FoundKind]:
    """Differences of orders by field and kind."""
    kinds: dict[FieldKind, FoundKind] = {}
    for each in found:
        kind = each.field, each.kind.value
        known = kinds.get(kind)
        kinds[kind] = FoundKind(each, (each.key,)) if known is None else replace(known, keys=(*known.keys, each.key))
    return kinds


def report(stream: str, found: Mapping[FieldKind, FoundKind], which: str, how_far: str) -> list[str]:
    """The lines: a table, and what to do. `which` orders were looked at, and `how_far` the run came."""
    head = ("field", "difference", "sent", "held", "orders", "why that may be")
    rows = [
        (
            name,
            kind.replace("_", " "),
            shape_of(each.sample.sent),
            shape_of(each.sample.held),
            str(len(each.keys)),
            WHY[each.sample.kind],
        )
        for (name, kind), each in found.items()
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return [
        f"Stream {stream!r}: of {which} some are not in the CRM as they were sent:",
        *(f"  {line.rstrip()}" for line in table),
        f"{how_far} {what_to_do(stream)}",
    ]


def what_to_do(stream: str) -> str:
    """The way out, for the end of a line."""
    return (
        f"`orders-sync accept --stream {stream}` shows the values, and accepts what is right as it is; else change the "
        "mapping or the CRM. Then run again: it goes on from here"
    )
