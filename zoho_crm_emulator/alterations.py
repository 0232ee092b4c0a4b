"""What an org makes of values once they are accepted: rounding, zones, workflows that update a field, default owners.

Set by the admin API for a module, for writes by calls, by bulk write jobs, or by both; no answer says anything of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

import msgspec

OWNER = "Owner"


class Row(Protocol):
    """A row to be written, as far as it is altered."""

    values: dict[str, Any]
    owner: int | None

    @property
    def children(self) -> Any:
        """Rows of its subforms, by field."""


class Alteration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One alteration of a field.

    `set` writes `value`, `keep` leaves what is there where the value is empty, or takes `value`; `round` to `value`
    decimals, `shift` a time by `value` seconds, `cut` to `value` characters, `trim` and `lower` a text; `reverse` the
    rows of a subform.
    """

    field: str
    does: Literal["set", "keep", "round", "shift", "cut", "trim", "lower", "reverse"]
    value: Any = None
    by: Literal["calls", "jobs", "both"] = "both"


def altered_by(alterations: Iterable[Alteration], way: Literal["calls", "jobs"]) -> tuple[Alteration, ...]:
    """Those that hold for writes of one way."""
    return tuple(each for each in alterations if each.by in {way, "both"})


def alter(rows: Sequence[Row], alterations: Sequence[Alteration]) -> None:
    """Alter the values of rows, in place."""
    for each in alterations:
        for row in rows:
            _alter(row, each)


def _alter(row: Row, alteration: Alteration) -> None:
    name, does, value = alteration.field, alteration.does, alteration.value
    if does == "reverse":
        if row.children and name in row.children:
            row.children[name].rows.reverse()
    elif does == "set":
        if name == OWNER:
            row.owner = int(value)
        else:
            row.values[name] = value
    elif does == "keep":
        if row.values.get(name) is None:
            row.values.pop(name, None)
            if value is not None:
                row.values[name] = value
    elif row.values.get(name) is not None:
        row.values[name] = _MADE[does](row.values[name], value)


_MADE: dict[str, Callable[[Any, Any], Any]] = {
    "round": lambda held, places: round(Decimal(str(held)), places),
    "shift": lambda held, seconds: (datetime.fromisoformat(held) + timedelta(seconds=seconds)).isoformat(),
    "cut": lambda held, characters: held[:characters],
    "trim": lambda held, _: held.strip(),
    "lower": lambda held, _: held.lower(),
}
