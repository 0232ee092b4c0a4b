"""Tables, views and their columns as the database describes them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning

from sync_databases.columns import Column, Kind, kind_of
from sync_databases.engines import Engine, Family, engine_of

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql.base import PGInspector


def table_names(inspector: sa.Inspector, schema: str | None) -> list[str]:
    """Name the tables and views of a schema, or of the connection's own."""
    engine = engine_of(inspector.dialect)
    names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    if engine.has_materialized_views:
        names += inspector.get_materialized_view_names(schema)
    if engine.family is Family.POSTGRESQL:
        names += cast("PGInspector", inspector).get_foreign_table_names(schema)
    return names


def columns_of(inspector: sa.Inspector, name: str, schema: str | None) -> dict[str, Column]:
    """Describe the columns of a table or view, by name.

    Raises:
        NoSuchTableError: there is none.
    """
    engine = engine_of(inspector.dialect)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)  # such a column is of `Kind.OTHER`
        found = inspector.get_columns(name, schema)
    columns = (
        Column(
            name=_name(column["name"], engine),
            type=column["type"],
            kind=kind_of(column["type"], engine),
            nullable=bool(column.get("nullable", True)),
            comment=column.get("comment"),
        )
        for column in found
    )
    return {column.name: column for column in columns}


def primary_key(inspector: sa.Inspector, name: str, schema: str | None) -> list[str]:
    """Name the columns of a table's primary key; none of a view."""
    engine = engine_of(inspector.dialect)
    columns = inspector.get_pk_constraint(name, schema).get("constrained_columns") or []
    return [_name(column, engine) for column in columns]


def _name(name: str, engine: Engine) -> str:
    # SQLAlchemy reads MySQL's from SHOW CREATE TABLE, and leaves a backtick doubled as it stands there.
    return name.replace("``", "`") if engine.family is Family.MYSQL else name


def typed(connection: sa.Connection, table: str, schema: str | None, column: Column) -> Column:
    """Give a column without a declared type (SQLite's views) the type of its values, so that texts compare with it."""
    if column.kind is not Kind.ANY:
        return column
    largest = sa.func.typeof(sa.func.max(sa.column(column.name)))
    storage = connection.execute(sa.select(largest).select_from(sa.table(table, schema=schema))).scalar()
    return replace(column, type=sa.Numeric()) if storage in {"integer", "real"} else column
