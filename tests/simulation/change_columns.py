"""The column that says when an order last changed: fine times, ticks of a second or a day, integers, local times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from simulation.chance import Chance
from simulation.kinds import Kind

DAY = 86_400.0
BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS_GO_BACK = datetime(2026, 10, 25, 0, 2, tzinfo=timezone.utc).timestamp()
"""Two minutes past two in Berlin, for the first time in that night."""


class Stamp(NamedTuple):
    """When a change was made by the application's clock, and its number in the sequence of all changes."""

    at: float
    count: int


@dataclass(frozen=True)
class ChangeColumn:
    """One kind of such a column."""

    name: str
    form: str | None = None
    """Of a time as text; None: a number."""
    zone: tzinfo = timezone.utc
    per_second: int | None = None
    """Numbers that count so many a second; None: they count the changes."""
    tick: float = 1.0
    """Seconds in which it stays the same."""
    begins: float | None = None
    """When the history begins, where that matters."""
    repeats_after: float | None = None
    """Seconds after which a value comes again."""
    seconds: float | None = None
    """How long the history lasts, where that matters."""

    def text(self, stamp: Stamp) -> str:
        """What the column holds."""
        if self.form is not None:
            return datetime.fromtimestamp(stamp.at, self.zone).strftime(self.form)
        return str(stamp.count if self.per_second is None else math.floor(stamp.at * self.per_second))


FINE = ChangeColumn("updated_at", "%Y-%m-%d %H:%M:%S.%f", tick=0.000_001)
SECONDS = ChangeColumn("updated_at", "%Y-%m-%d %H:%M:%S")
DAYS = ChangeColumn("changed_day", "%Y-%m-%d", tick=DAY, seconds=2.5 * DAY)
UNIX = ChangeColumn("changed_number", per_second=1)
MILLISECONDS = ChangeColumn("changed_number", per_second=1000, tick=0.001)
COUNTER = ChangeColumn("changed_number", tick=0.0)
LOCAL = ChangeColumn(
    "changed_local", SECONDS.form, zone=BERLIN, repeats_after=3600.0, begins=CLOCKS_GO_BACK, seconds=2_900.0
)
SHARED = {SECONDS: 3.0, DAYS: 1.0, UNIX: 3.0, MILLISECONDS: 1.0}
"""Columns in which two changes may have one value, by weight."""
COLUMNS = (
    "notes TEXT, updated_at DATETIME NOT NULL, invoice_no VARCHAR(40), "
    "changed_day DATE, changed_number INTEGER, changed_local DATETIME"
)
"""Of the orders' table, beside its key; the last three are there for those who ask for them."""


def change_column_of(chance: Chance, kinds: frozenset[Kind], usual: ChangeColumn) -> ChangeColumn:
    """That of one history; `usual` where no kind of trouble asks for another."""
    draw = chance.at("change column", 0)
    if Kind.REPEATED_HOUR in kinds:
        return LOCAL
    if Kind.SEQUENCES in kinds:
        return COUNTER
    if Kind.EQUAL_VERSIONS in kinds:
        return draw.choices(list(SHARED), list(SHARED.values()))[0]
    return usual
