"""Tables, views and their columns as the database describes them."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from sync_databases.columns import Column, Kind, kind_of
from sync_databases.engines import engine_of


def table_names(inspector: sa.Inspector, schema: str | None) -> list[str]:
    """Name the tables and views of a schema, or of the connection's own."""
    names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    if engine_of(inspector.dialect).has_materialized_views:
        names += inspector.get_materialized_view_names(schema)
    return names


def columns_of(inspector: sa.Inspector, name: str, schema: str | None) -> dict[str, Column]:
    """Describe the columns of a table or view, by name.

    Raises:
        NoSuchTableError: there is none.
    """
    engine = engine_of(inspector.dialect)
    return {
        column["name"]: Column(
            name=column["name"],
            type=column["type"],
            kind=kind_of(column["type"], engine),
            nullable=bool(column.get("nullable", True)),
            comment=column.get("comment"),
        )
        for column in inspector.get_columns(name, schema)
    }


def typed(connection: sa.Connection, table: str, schema: str | None, column: Column) -> Column:
    """Give a column without a declared type (SQLite's views) the type of its values, so that texts compare with it."""
    if column.kind is not Kind.ANY:
        return column
    largest = sa.func.typeof(sa.func.max(sa.column(column.name)))
    storage = connection.execute(sa.select(largest).select_from(sa.table(table, schema=schema))).scalar()
    return replace(column, type=sa.Numeric()) if storage in {"integer", "real"} else column
