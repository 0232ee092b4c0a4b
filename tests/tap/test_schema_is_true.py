"""SCHEMA is true of the records: no value of any type of any engine is another than it says."""

from __future__ import annotations

from typing import Any

import pytest
from engine_fixtures import fresh_database
from page_types import OF_ENGINE, PageType
from small_shop import run
from walked_pages import Tables

NOT_READABLE = {"point"}
"""MariaDB's bytes of it are no text."""

_JSON_TYPES = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def _json_type(value: Any) -> str:
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")


def _fits(value: Any, types: list[str]) -> bool:
    found = _json_type(value)
    return found in types or (found == "integer" and "number" in types)


def _table(tables: Tables, kinds: list[PageType]) -> tuple[str, int]:
    """A table with a column of each type, none of which may be NULL, and rows until each value was in one."""
    for kind in kinds:
        tables.prepare(kind)
    count = max(len(kind.values) for kind in kinds)
    columns = ", ".join(f"c{at} {kind.declared} NOT NULL" for at, kind in enumerate(kinds))
    rows = [
        f"{number}, {', '.join(kind.values[number % len(kind.values)] for kind in kinds)}" for number in range(count)
    ]
    return tables.made(f"id INTEGER PRIMARY KEY, {columns}", rows), count


@pytest.mark.parametrize("engine", OF_ENGINE)
def test_each_value_has_a_type_that_the_schema_says(engine: str, tmp_path: Any) -> None:
    kinds = [kind for kind in OF_ENGINE[engine] if engine != "mariadb" or kind.name not in NOT_READABLE]
    with fresh_database(engine, tmp_path) as url, Tables.opened(url) as tables:
        table, count = _table(tables, kinds)
        output = run({"sqlalchemy_url": url, "orders_table": table, "replication_key": "id", "stream_name": "orders"})
    schema = next(message for message in output.messages if message["type"] == "SCHEMA")["schema"]["properties"]
    assert len(output.records) == count
    wrong = {
        f"{kinds[int(name[1:])].name}: {_json_type(value)} is none of {schema[name]['type']}"
        for record in output.records
        for name, value in record.items()
        if name.startswith("c") and not _fits(value, schema[name]["type"])
    }
    assert not wrong
