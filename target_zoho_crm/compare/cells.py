"""A cell of bulk read's CSV as a read by JSON gives the value, as far as a comparison asks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from target_zoho_crm.api.metadata import Field


def held_value(field: Field, cell: str) -> Any:
    """The value that a cell of this field holds; numbers, times and references stay texts, which compare as well."""
    if cell == "":
        return None
    return choices_in(field.picklist, cell) if field.data_type == "multiselectpicklist" else cell


def choices_in(picklist: Sequence[str], cell: str) -> list[str]:
    """The choices of a multi-select, which stand with commas between them; a choice may have a comma of its own."""
    known, parts, found = set(picklist), cell.split(","), list[str]()
    while parts:
        # The longest text that is a choice; a value that the list does not have ends at the next comma.
        ends = (end for end in range(len(parts), 0, -1) if ",".join(parts[:end]).strip() in known)
        end = next(ends, 1)
        found.append(",".join(parts[:end]).strip())
        parts = parts[end:]
    return found
