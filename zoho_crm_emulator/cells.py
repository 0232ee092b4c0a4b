"""Values in CSV cells: one reading function for each mapped column, used on a whole column at a time.

A reader takes a cell that is not empty and returns what is stored, or raises Refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import msgspec

from zoho_crm_emulator.accepted_values import (
    EMAIL,
    PHONE,
    WEBSITE,
    World,
    bigint,
    decimal_text,
    pick,
    text,
    wrong_type,
)
from zoho_crm_emulator.dates import WITH_OFFSET, cell_date, cell_datetime, zone
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import Field
from zoho_crm_emulator.taxes import line_taxes_in_cell

Read = Callable[[str], Any]
ReadColumn = Callable[[Sequence[str]], "list[Any] | None"]
PLAIN_TEXT = frozenset({"text", "textarea"})
TRUTH = {"true": True, "false": False}


def whole_number(field: Field) -> Read:
    """An integer column."""
    longest = field.max_length

    def read(cell: str) -> int:
        digits = cell[1:] if cell[:1] == "-" else cell
        if not (digits.isascii() and digits.isdigit()):
            raise wrong_type("integer")
        if len(digits.lstrip("0")) > longest:
            raise Refused("INVALID_DATA", {"maximum_length": longest})
        return int(cell)

    return read


def truth(cell: str) -> bool:
    """A boolean column: true or false, in any case."""
    value = TRUTH.get(cell.lower())
    if value is None:
        raise wrong_type("boolean")
    return value


def choices(field: Field) -> Read:
    """A multi-select column: values with semicolons between them."""
    one = pick(field)

    def read(cell: str) -> list[str]:
        return [one(part.strip()) for part in dict.fromkeys(cell.split(";")) if part.strip()]

    return read


def reference(found: Callable[[str], int | None]) -> Read:
    """A lookup or owner column; `found` knows the record or user that a cell names."""

    def read(cell: str) -> dict[str, str]:
        record = found(cell)
        if record is None:
            raise Refused("INVALID_DATA", {}, "the id given seems to be invalid")
        return {"id": str(record)}

    return read


def reader(field: Field, world: World, pattern: str | None, found: Callable[[str], int | None]) -> Read:
    """The reading function of one column; `pattern` is the date format of its mapping."""
    switches = world.switches
    makers: dict[str, Callable[[], Read]] = {
        "text": lambda: text(field),
        "textarea": lambda: text(field),
        "email": lambda: text(field, EMAIL),
        "phone": lambda: text(field, PHONE),
        "website": lambda: text(field, WEBSITE),
        "picklist": lambda: pick(field),
        "multiselectpicklist": lambda: choices(field),
        "date": lambda: cell_date(pattern or switches.default_date_format),
        "datetime": lambda: cell_datetime(pattern or switches.default_datetime_format, zone(switches.time_zone)),
        "integer": lambda: whole_number(field),
        "bigint": lambda: bigint(field, switches),
        "currency": lambda: decimal_text(field, switches),
        "double": lambda: decimal_text(field, switches),
        "percent": lambda: decimal_text(field, switches),
        "boolean": lambda: truth,
        "lookup": lambda: reference(found),
        "ownerlookup": lambda: reference(found),
        "userlookup": lambda: reference(found),
        "autonumber": lambda: text(field),
        "linetax": lambda: line_taxes_in_cell,
    }
    return makers[field.data_type]()


def short_texts(field: Field) -> ReadColumn:
    """A look at a whole column of plain text: its values, or None when a cell is too long."""
    longest = field.max_length

    def read(cells: Sequence[str]) -> list[Any] | None:
        return [cell or None for cell in cells] if max(map(len, cells)) <= longest else None

    return read


def all_at_once(field: Field, world: World, pattern: str | None) -> ReadColumn | None:
    """A quick look at a whole column, for the types that have one; it gives None where it must be read by cell."""
    if field.data_type in PLAIN_TEXT:
        return short_texts(field)
    if field.data_type == "datetime" and pattern in WITH_OFFSET and zone(world.switches.time_zone) is timezone.utc:
        return utc_moments
    return None


def utc_moments(cells: Sequence[str]) -> list[Any] | None:
    """A column of date-times that are all in UTC, as an org in UTC keeps them."""
    there = [cell for cell in cells if cell]
    if {cell[10:11] + cell[19:] for cell in there} - {"T+00:00"}:
        return None
    try:
        msgspec.convert(there, list[datetime])
    except msgspec.ValidationError:
        return None
    return [cell or None for cell in cells]


def read_column(
    read: Read, cells: Sequence[str], quickly: ReadColumn | None = None
) -> tuple[list[Any], list[tuple[int, Refused]]]:
    """A whole column: its values (None where a cell is empty or refused), and the refusals by row.

    A value that a column repeats is read once.
    """
    values = quickly(cells) if quickly is not None else None
    if values is not None:
        return values, []
    distinct = set(cells)
    if len(distinct) * 2 > len(cells):
        try:
            return [read(cell) if cell else None for cell in cells], []
        except Refused:
            pass  # below, which tells the rows
    known: dict[str, Any] = {"": None}
    wrong: dict[str, Refused] = {}
    for cell in distinct:
        if cell:
            try:
                known[cell] = read(cell)
            except Refused as refusal:
                known[cell] = None
                wrong[cell] = refusal
    values = [known[cell] for cell in cells]
    if not wrong:
        return values, []
    return values, [(row, wrong[cell]) for row, cell in enumerate(cells) if cell in wrong]
