"""How a database would run a query: its own plan, and how that reads each table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from sync_databases.engines import Family, engine_of

_EXPLAIN: Mapping[Family, str] = {
    Family.SQLITE: "EXPLAIN QUERY PLAN ",
    Family.POSTGRESQL: "EXPLAIN (VERBOSE, FORMAT JSON) ",
    Family.MYSQL: "EXPLAIN FORMAT=JSON ",
}
"""Engines whose plans are read here; the others need permissions or tables of their own for one."""


@dataclass(frozen=True, slots=True)
class TableAccess:
    """How a plan reads one table. `index` None: every row is read."""

    alias: str
    index: str | None
    rows: int | None
    """Rows that the database expects to read, where its plan has it."""


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How a database would run a query."""

    accesses: tuple[TableAccess, ...]
    cost: float | None
    """In the database's own unit, where its plan has it."""

    def of(self, alias: str) -> TableAccess | None:
        """How the table of this alias is read."""
        return next((access for access in self.accesses if access.alias == alias), None)


def can_explain(dialect: sa.Dialect) -> bool:
    """Whether the plans of this engine are read here."""
    return engine_of(dialect).family in _EXPLAIN


def explain(connection: sa.Connection, statement: sa.Select[Any]) -> QueryPlan:
    """Ask for the plan; the query itself is not run."""
    family = engine_of(connection.dialect).family
    compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
    parameters: Any = compiled.params
    if compiled.positiontup is not None:
        parameters = tuple(compiled.params[each] for each in compiled.positiontup)
    rows = connection.exec_driver_sql(_EXPLAIN[family] + str(compiled), parameters).all()
    if family is Family.SQLITE:
        return QueryPlan(tuple(_of_sqlite(row[3]) for row in rows if row[3].startswith(("SCAN", "SEARCH"))), None)
    document = rows[0][0]
    if isinstance(document, str):
        document = msgspec.json.decode(document)
    if family is Family.POSTGRESQL:
        plan = document[0]["Plan"]
        return QueryPlan(tuple(_of_postgresql(connection, plan)), plan["Total Cost"])
    block = document["query_block"]
    cost = block.get("cost", block.get("cost_info", {}).get("query_cost"))
    return QueryPlan(tuple(_of_mysql(block)), None if cost is None else float(cost))


def _of_sqlite(line: str) -> TableAccess:
    """`SEARCH o USING INDEX ix (updated_at>?)`, `SCAN o`; before 3.36 with the word TABLE."""
    words = line.replace(" TABLE ", " ").split()
    alias = words[words.index("AS") + 1] if "AS" in words else words[1]
    index = None
    if words[0] == "SEARCH" and "USING" in words:
        rest = words[words.index("USING") + 1 :]
        index = "PRIMARY KEY" if "PRIMARY" in rest else rest[rest.index("INDEX") + 1]
    return TableAccess(alias, index, None)


def _of_postgresql(connection: sa.Connection, node: dict[str, Any]) -> Iterator[TableAccess]:
    index = node.get("Index Name")
    for child in node.get("Plans", ()):
        if node["Node Type"] == "Bitmap Heap Scan":
            index = _bitmap_index(child)
        else:
            yield from _of_postgresql(connection, child)
    if "Relation Name" in node:
        rows: int | None = int(node["Plan Rows"])
        if index is None:  # PostgreSQL's plan has only the number of rows that are left of those that are read
            size = sa.text(
                "SELECT c.reltuples FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = :schema AND c.relname = :name"
            )
            named = {"schema": node.get("Schema"), "name": node["Relation Name"]}
            counted = int(connection.execute(size, named).scalar() or 0)
            rows = None if counted < 0 else counted  # -1: nobody has looked how many they are
        yield TableAccess(node["Alias"], index, rows)


def _bitmap_index(node: dict[str, Any]) -> str | None:
    found = [node.get("Index Name"), *map(_bitmap_index, node.get("Plans", ()))]
    return next((name for name in found if name), None)


def _of_mysql(node: Any) -> Iterator[TableAccess]:
    if isinstance(node, list):
        for child in node:
            yield from _of_mysql(child)
    elif isinstance(node, dict):
        for name, child in node.items():
            if name == "table" and isinstance(child, dict) and "table_name" in child:
                full_scan = child.get("access_type") in {"ALL", "index"}
                rows = child.get("rows", child.get("rows_examined_per_scan"))
                yield TableAccess(child["table_name"], None if full_scan else child.get("key"), rows)
            yield from _of_mysql(child)
