"""The rows that are read of a table: all, or those that meet the condition of a setting."""

from __future__ import annotations

import sqlalchemy as sa

from sync_databases.value_sql import Element


def filtered(table: sa.TableClause, condition: str | None, name: str, *computed: Element) -> sa.FromClause:
    """The table by another name, or the rows of it that meet a condition: a subquery, where all names are its own.

    `computed` are columns that it has besides.
    """
    if condition is None and not computed:
        return table.alias(name)
    query = sa.select(*table.c, *computed).select_from(table)
    if condition is not None:
        trusted: Element = sa.literal_column(f"({condition})")  # typed as a boolean, SQL Server would get "= 1"
        query = query.where(trusted)
    return query.subquery(name)
