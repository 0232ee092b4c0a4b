"""Where a page ended, as values to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sync_databases.columns import Column
from sync_databases.value_sql import Element, ValueSql


@dataclass(frozen=True, slots=True)
class Place:
    """A value where a page ended: what it is equal to, and what is compared to find what lies behind it."""

    value: Element
    place: Element


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the replication key (None outside the range walk) and the key's columns."""

    replication: Place | None
    key: tuple[Place, ...]


def place_at(database: ValueSql, column: Column, text: str, raw: Any) -> Place:
    """The place of a value that has this text; `raw` is the value itself, where the driver gives it exactly."""
    exact = None if raw is None else database.last_value(raw, text)
    if exact is not None:
        return Place(exact, exact)
    return Place(database.bound(column, text), database.place_of(column, text))
