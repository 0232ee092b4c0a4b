"""What the SQL of all engines has in common: a value as text, back, and as a place in an order. It is standard SQL."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from sync_databases.columns import Column, Kind
from sync_databases.engines import engine_of

Element = sa.ColumnElement[Any]
MICROSECONDS_TEXT = "%Y-%m-%d %H:%M:%S.%f"
TIME_KINDS = frozenset({Kind.NAIVE_TIME, Kind.ZONED_TIME, Kind.DATE})


class ValueSql:
    """How one engine does it. This base class is standard SQL; each family overrides what it does otherwise."""

    length_function: ClassVar[str] = "length"
    """Counts the characters of a text."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.engine = engine_of(dialect)

    def text(self, column: Column, element: Element) -> Element:
        """Render the column as the database's own text."""
        raise NotImplementedError

    def bound(self, column: Column, text: str) -> Element:
        """Bind the column's own text as a value of the column's type."""
        return self.back(column, parameter(text))

    def back(self, column: Column, element: Element) -> Element:
        """Turn the column's own text, as SQL has it, back into a value of the column's type."""
        raise NotImplementedError

    def candidates(self, column: Column, text: str) -> list[Element]:
        """The values of which the column's text may be this one."""
        return [self.bound(column, text)]

    # Positions: what ORDER BY and its comparisons go by

    def place(self, column: Column, element: Element) -> Element:  # noqa: ARG002 - those of some engines need it
        """What is compared to find what lies behind a position; in the order in which the column itself is sorted."""
        return element

    def place_of(self, column: Column, text: str) -> Element:
        """A position's text as a value to compare with `place`."""
        return self.bound(column, text)

    def order_by(self, column: Column, element: Element) -> Element:  # noqa: ARG002
        """What to sort by: the column itself wherever that can be, for its index."""
        return element

    def last_value(self, row_value: Any, text: str) -> Element | None:  # noqa: ARG002
        """A value of a row bound as it is, where the driver gives it exactly; None: its text is to be bound."""
        return None

    def has_greatest(self, column: Column) -> bool:  # noqa: ARG002
        """Whether max() knows the column's type, and by the order of ORDER BY."""
        return True

    def outside(self, column: Column, element: Element) -> Element:  # noqa: ARG002
        """The condition that a value has no place among the positions."""
        return element.is_(None)

    def floor(self, column: Column, element: Element) -> Element | None:  # noqa: ARG002
        """The condition that a value is not below all positions; None where that need not be said."""
        return None

    def ceiling(self, column: Column, element: Element) -> Element | None:  # noqa: ARG002
        """The same of what is above all positions."""
        return None

    def fetched(self, column: Column, element: Element) -> Element:
        """Say what to select for a record: the column itself where the driver gives its value exactly."""
        if column.padded_length is not None:
            return sa.func.rtrim(element, type_=sa.String())
        return self.text(column, element) if column.kind is Kind.OTHER else element

    def length(self, text: Element) -> Element:
        """Count the characters of a text."""
        counted: Element = getattr(sa.func, self.length_function)(text, type_=sa.Integer())
        return counted

    def timestamp_text(self, column: Column, timestamp: datetime, zone: tzinfo) -> str:
        """Write a naive UTC timestamp so that `bound` takes it; `zone` is where the column's naive ones belong."""
        if column.kind is Kind.ZONED_TIME:
            return timestamp.strftime(MICROSECONDS_TEXT) + "+00:00"
        local = timestamp.replace(tzinfo=timezone.utc).astimezone(zone)
        return local.strftime("%Y-%m-%d" if column.kind is Kind.DATE else MICROSECONDS_TEXT)


def parameter(text: str) -> Element:
    """Bind a text."""
    return sa.bindparam(None, text, type_=sa.String())


def cast_to(element: Element, type_text: str) -> Element:
    """Cast to a type given by its SQL name, as text to SQLAlchemy, which so leaves the result alone."""
    return sa.type_coerce(sa.cast(element, _Named(type_text)), sa.String())


def typed_cast(element: Element, sql_type: sa.types.TypeEngine[Any]) -> Element:
    """Cast to a type that SQLAlchemy knows; on MySQL it leaves out casts to any other."""
    return sa.type_coerce(sa.cast(element, sql_type), sa.String())


class _Named(sa.types.UserDefinedType[Any]):
    """A type known by its SQL name only."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name
