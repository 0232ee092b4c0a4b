"""Tables, views and their columns as the database describes them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import SAWarning

from sync_databases.columns import Column, Spatial, json_types_of, kind_of, may_be_null
from sync_databases.engines import Engine, Family, engine_of

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql.base import PGInspector

SPATIAL = "geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection geomcollection"
"""The spatial types of MySQL and MariaDB, which SQLAlchemy does not know, and no CAST makes a text of."""


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
    if engine.family is Family.MYSQL:
        _tell_spatial(inspector, name, schema, found)
    columns = (_column(column, engine) for column in found)
    return {column.name: column for column in columns}


def _tell_spatial(inspector: sa.Inspector, name: str, schema: str | None, columns: list[ReflectedColumn]) -> None:
    """Give spatial columns a type of their own, where SQLAlchemy knows none."""
    unknown = [column for column in columns if isinstance(column["type"], sa.types.NullType)]
    if not unknown:
        return
    there = sa.text(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = COALESCE(:owner, DATABASE()) AND table_name = :name"
    )
    with inspector._operation_context() as connection:  # noqa: SLF001 - the connection that it was made of
        types = {row[0]: row[1] for row in connection.execute(there, {"owner": schema, "name": name})}
    for column in unknown:
        if str(types.get(column["name"], "")).lower() in SPATIAL.split():
            column["type"] = Spatial()


def primary_key(inspector: sa.Inspector, name: str, schema: str | None) -> list[str]:
    """Name the columns of a table's primary key; none of a view."""
    engine = engine_of(inspector.dialect)
    columns = inspector.get_pk_constraint(name, schema).get("constrained_columns") or []
    return [_name(column, engine) for column in columns]


def _name(name: str, engine: Engine) -> str:
    # SQLAlchemy reads MySQL's from SHOW CREATE TABLE, and leaves a backtick doubled as it stands there.
    return name.replace("``", "`") if engine.family is Family.MYSQL else name


def _column(reflected: ReflectedColumn, engine: Engine) -> Column:
    sql_type = reflected["type"]
    kind = kind_of(sql_type, engine)
    return Column(
        name=_name(reflected["name"], engine),
        type=sql_type,
        kind=kind,
        nullable=bool(reflected.get("nullable", True)),
        comment=reflected.get("comment"),
        json_types=json_types_of(sql_type, kind, engine),
        may_be_null=may_be_null(sql_type, kind, engine),
    )
