"""Flags are set for just the orders meant, at just the version meant, whatever keys a shop has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import sqlalchemy as sa

from sync_databases.flag_statements import LISTED, LISTED_FROM, FlagStatements
from sync_databases.flags import FlaggedTable
from sync_databases.reflection import columns_of
from sync_databases.session_settings import pin_for_writing
from sync_databases.value_sql import value_sql_for
from sync_databases.writable_database import writable_engine


@pytest.fixture
def engine(engine_url: str) -> Iterator[sa.Engine]:
    made = writable_engine(engine_url).execution_options(ledger_write=True)
    pin_for_writing(made)
    yield made
    made.dispose()


def _statements(engine: sa.Engine, *key: str) -> FlagStatements:
    with engine.connect() as connection:
        columns = columns_of(sa.inspect(connection), "orders", None)
    named = FlaggedTable(table="orders", schema=None, key=key, version="changed", flag="synced")
    return FlagStatements(value_sql_for(engine.dialect), named, columns)


def _set(engine: sa.Engine, versions: Mapping[str, str], *key: str) -> list[str]:
    """Set flags, and give the names of the orders whose flag is set then."""
    statements = _statements(engine, *key)
    with engine.begin() as connection:
        statements.set(connection, versions)
    with engine.connect() as connection:
        return sorted(connection.exec_driver_sql("SELECT name FROM orders WHERE synced = 1").scalars())


def _table(engine: sa.Engine, key: str, rows: list[dict[str, object]]) -> None:
    names = list(rows[0])
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE orders (name VARCHAR(20), changed BIGINT NULL, synced INTEGER DEFAULT 0, {key})"
        )
        connection.execute(
            sa.text(f"INSERT INTO orders ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"), rows
        )


@pytest.mark.parametrize("count", [1, LISTED_FROM, LISTED + 1])
def test_each_order_of_its_version_and_no_other(engine: sa.Engine, count: int) -> None:
    rows: list[dict[str, object]] = [{"id": n, "name": f"n{n:04}", "changed": n * 10} for n in range(count + 5)]
    _table(engine, "id BIGINT PRIMARY KEY", rows)
    versions = {str(n): str(n * 10) for n in range(count)} | {str(count): "another", str(count + 1): ""}
    assert _set(engine, versions, "id") == [f"n{n:04}" for n in range(count)]
    assert _set(engine, versions, "id") == [f"n{n:04}" for n in range(count)]


def test_keys_of_several_columns_and_orders_without_a_version(engine: sa.Engine) -> None:
    rows: list[dict[str, object]] = [
        {"region": "EU|1", "number": 7, "name": "bar", "changed": 1},
        {"region": "EU", "number": 7, "name": "plain", "changed": None},
        {"region": "EU", "number": 8, "name": "other", "changed": 1},
        *({"region": "US", "number": n, "name": f"us{n:02}", "changed": n} for n in range(60)),
    ]
    _table(engine, "region VARCHAR(20), number INTEGER, PRIMARY KEY (region, number)", rows)
    few = {"EU\\|1|7": "1", "EU|7": "-", "EU|8": "2"}
    assert _set(engine, few, "region", "number") == ["bar", "plain"]
    many = {f"US|{n}": str(n) for n in range(60)} | {"EU|8": "2"}
    assert _set(engine, many, "region", "number") == ["bar", "plain", *(f"us{n:02}" for n in range(60))]


def test_keys_that_differ_in_case_alone_and_keys_of_bytes(engine: sa.Engine) -> None:
    _table(engine, "id VARCHAR(20) PRIMARY KEY", [{"id": "a1", "name": "small", "changed": 1}])
    assert _set(engine, {"A1": "1"}, "id") == []
    assert _set(engine, {"A1": "1"} | {f"k{n}": "1" for n in range(60)}, "id") == []
    assert _set(engine, {"a1": "1"}, "id") == ["small"]
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE orders")
    kind = {"postgresql": "BYTEA", "sqlite": "BLOB"}.get(engine.dialect.name, "VARBINARY(8)")
    _table(engine, f"id {kind} PRIMARY KEY", [{"id": b"\x00\xff", "name": "bytes", "changed": 1}])
    assert _set(engine, {"00ff": "1", "00fe": "1"}, "id") == ["bytes"]
