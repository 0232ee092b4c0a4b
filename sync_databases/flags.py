"""The flag by which some shops say that an order is synced: which columns can be one, and what is unset."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from sync_databases.columns import Column, Kind
from sync_databases.databases import Database, Element

_PARTIAL_INDEXES = frozenset({"sqlite", "postgresql"})


class FlaggedTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The orders' table and the columns that matter, by name."""

    table: str
    schema: str | None
    key: tuple[str, ...]
    version: str
    flag: str


def is_flag(column: Column) -> bool:
    """Tell whether a column can say yes or no: a boolean, a number (1) or a text ('Y')."""
    return column.kind in {Kind.BOOLEAN, Kind.INTEGER, Kind.NUMBER, Kind.TEXT}


def is_unset(database: Database, column: Column, element: Element) -> Element:
    """Say that an order is not synced: whatever does not say that it is, NULL among it, so that no order is lost."""
    if column.kind is Kind.BOOLEAN:
        is_false = sa.not_(element) if database.dialect.name == "postgresql" else element == sa.literal_column("0")
    else:
        is_false = element != yes(database, column)
    return sa.or_(element.is_(None), is_false) if column.nullable else is_false


def yes(database: Database, column: Column) -> Element:
    """What a set flag holds."""
    if column.kind is Kind.TEXT:
        return sa.literal_column("'Y'")
    return sa.literal_column("true" if column.kind is Kind.BOOLEAN and database.dialect.name == "postgresql" else "1")


def index_columns(database: Database, flag: str, replication: str, key: Sequence[str]) -> list[str]:
    """The columns of the index by which unflagged orders are found in their order."""
    rest = [replication, *(name for name in key if name != replication)]
    return rest if database.dialect.name in _PARTIAL_INDEXES else [flag, *rest]


def index_statement(database: Database, table: sa.TableClause, flag: Column, columns: Sequence[str]) -> str:
    """Write the statement that makes that index."""
    preparer = database.dialect.identifier_preparer
    names = ", ".join(map(preparer.quote, columns))
    name = preparer.quote(f"{table.name}_unsynced"[:60])
    statement = f"CREATE INDEX {name} ON {preparer.format_table(table)} ({names})"
    if database.dialect.name not in _PARTIAL_INDEXES:
        return statement
    unset = is_unset(database, flag, sa.column(flag.name)).compile(dialect=database.dialect)
    return f"{statement} WHERE {unset}"
