"""The flag by which some shops say that an order is synced: which columns can be one, and what is unset."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from sync_databases.columns import Column, Kind
from sync_databases.engines import PartialIndexes
from sync_databases.value_sql import Element, ValueSql


class FlaggedTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The orders' table and the columns that matter, by name."""

    table: str
    schema: str | None
    key: tuple[str, ...]
    version: str
    flag: str
    sent: tuple[str, ...] = ()
    """The columns that are sent: while a version alone says too little, a flag is set where they are as they were."""


def is_flag(column: Column) -> bool:
    """Tell whether a column can say yes or no: a boolean, a number (1) or a text ('Y')."""
    return column.kind in {Kind.BOOLEAN, Kind.INTEGER, Kind.NUMBER, Kind.TEXT}


def is_unset(value_sql: ValueSql, column: Column, element: Element) -> Element:
    """Say that an order is not synced: whatever does not say that it is, NULL among it, so that no order is lost."""
    if column.kind is Kind.BOOLEAN:
        is_false = sa.not_(element) if value_sql.engine.has_booleans else element == sa.literal_column("0")
    else:
        is_false = element != yes(value_sql, column)
    return sa.or_(element.is_(None), is_false) if column.nullable else is_false


def yes(value_sql: ValueSql, column: Column) -> Element:
    """What a set flag holds."""
    if column.kind is Kind.TEXT:
        return sa.literal_column("'Y'")
    return sa.literal_column("true" if column.kind is Kind.BOOLEAN and value_sql.engine.has_booleans else "1")


def index_columns(value_sql: ValueSql, flag: str, replication: str, key: Sequence[str]) -> list[str]:
    """The columns of the index by which unflagged orders are found in their order."""
    rest = [replication, *(name for name in key if name != replication)]
    return rest if _is_partial(value_sql) else [flag, *rest]


def index_statement(value_sql: ValueSql, table: sa.TableClause, flag: Column, columns: Sequence[str]) -> str:
    """Write the statement that makes that index."""
    preparer = value_sql.dialect.identifier_preparer
    names = ", ".join(map(preparer.quote, columns))
    name = preparer.quote(f"{table.name}_unsynced"[:60])
    statement = f"CREATE INDEX {name} ON {preparer.format_table(table)} ({names})"
    if not _is_partial(value_sql):
        return statement
    unset = is_unset(value_sql, flag, sa.column(flag.name)).compile(dialect=value_sql.dialect)
    return f"{statement} WHERE {unset}"


def _is_partial(value_sql: ValueSql) -> bool:
    """Whether the index can hold just the unflagged orders: what is unset is said with OR where it may be NULL."""
    return value_sql.engine.partial_indexes is PartialIndexes.ANY
