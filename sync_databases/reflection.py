"""Tables, views and their columns as the database describes them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import SAWarning

from sync_databases.columns import Column, Spatial, json_types_of, kind_of, may_be_null, padded_length
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
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always", SAWarning)  # columns of types that SQLAlchemy does not know are of `Kind.OTHER`
        found = inspector.get_columns(name, schema)
    if engine.family is Family.MYSQL and (complaints or _without_type(found)):
        _complete(inspector, name, schema, found)
    columns = (_column(column, engine) for column in found)
    return {column.name: column for column in columns}


def _without_type(columns: list[ReflectedColumn]) -> list[ReflectedColumn]:
    return [column for column in columns if isinstance(column["type"], sa.types.NullType)]


def _complete(inspector: sa.Inspector, name: str, schema: str | None, columns: list[ReflectedColumn]) -> None:
    """Add the columns that SQLAlchemy cannot read, since their names have line ends; give spatial ones their type."""
    there = sa.text(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = COALESCE(:owner, DATABASE()) AND table_name = :name ORDER BY ordinal_position"
    )
    with inspector._operation_context() as connection:  # noqa: SLF001 - the connection that it was made of
        described = connection.execute(there, {"owner": schema, "name": name}).all()
    known = {_name(column["name"], engine_of(inspector.dialect)) for column in columns}
    for column_name, _, is_nullable in described:
        if column_name not in known:
            nullable = is_nullable == "YES"
            columns.append({"name": column_name, "type": sa.types.NullType(), "nullable": nullable, "default": None})
    types = {row[0]: str(row[1]).lower() for row in described}
    for column in _without_type(columns):
        if types.get(column["name"]) in SPATIAL.split():
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
        padded_length=padded_length(sql_type, engine),
    )
