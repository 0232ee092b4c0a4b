"""A content is the same however a record is read: engine by engine, with lines, and by whatever driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_tables import INSERT, TABLES, contents, row

from tap_legacy_orders import connections, order_lines, orders_source

ENGINES = ("sqlite", "postgresql", "mysql")
WAYS: Sequence[Mapping[str, Any]] = (
    {"rendered": True, "page_size": 1},
    {"rendered": True, "page_size": 3},
    {"rendered": False, "page_size": 1},
    {"rendered": False, "page_size": 1000},
)
SQLITE_TYPES = (
    *("INTEGER", "BIGINT", "NUMERIC(30, 2)", "DECIMAL(10, 0)", "REAL", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP"),
    *("TIME", "BLOB", "JSON", "UUID", "CHAR(6)", "TEXT", "VARBINARY(9)"),
)
SQLITE_VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from(
        [0, 1, 2, -1, 0.0, 1.0, 1e300, 0.1 + 0.2, "2024-02-29", "2024-02-29 00:00:00", "{", '{"a": 1.10}']
    )
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=20)
)
"""SQLite keeps in any column what is written to it, so each may hold several kinds of values."""
few = settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def named(number: int) -> str:
    return f"c{number:02}"


@few
@given(data=st.data())
def test_a_content_is_the_same_in_pages_of_any_size_of_sqlite(sqlite_url: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*[SQLITE_VALUES] * len(SQLITE_TYPES)), min_size=1, max_size=12))
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        _sqlite_table(connection, "orders", "id INTEGER PRIMARY KEY, updated_at TIMESTAMP NOT NULL")
        _sqlite_rows(
            connection, "orders", [(n, f"2024-05-{n + 1:02} 08:00:00", *values) for n, values in enumerate(rows)]
        )
    engine.dispose()
    found = [contents(sqlite_url, **way) for way in WAYS]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == len(rows)
    assert all(found[0].values())


def _sqlite_table(connection: sa.Connection, name: str, first: str) -> None:
    columns = "".join(f", {named(n)} {kind}" for n, kind in enumerate(SQLITE_TYPES))
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    connection.exec_driver_sql(f"CREATE TABLE {name} ({first}{columns})")


def _sqlite_rows(connection: sa.Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", list(rows))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """A database with empty tables of orders and of lines that have a column of each type."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgresql_url", "mysql": "mariadb_url"}[request.param]
    engine = sa.create_engine(request.getfixturevalue(fixture))
    with engine.begin() as connection:
        at = {"mysql": "DATETIME(6)"}.get(request.param, "TIMESTAMP")
        connection.exec_driver_sql(
            f"CREATE TABLE orders (number INTEGER PRIMARY KEY, changed {at} NOT NULL, note TEXT)"
        )
        if request.param == "sqlite":
            _sqlite_table(connection, "order_lines", "id INTEGER PRIMARY KEY, number INTEGER")
        else:
            table = (
                TABLES[request.param].replace("%", "%%").replace("TABLE orders (", "TABLE order_lines (number INT, ")
            )
            connection.exec_driver_sql(table)
    yield engine
    engine.dispose()


def fill(engine: sa.Engine, data: st.DataObject, orders: int) -> None:
    """Give each of so many orders up to a few lines."""
    name, is_sqlite = engine.dialect.name, engine.dialect.name == "sqlite"
    values = st.tuples(*[SQLITE_VALUES] * len(SQLITE_TYPES)) if is_sqlite else row(name)
    drawn = data.draw(st.lists(st.tuples(st.integers(0, orders - 1), values), min_size=1, max_size=20))
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders")
        connection.exec_driver_sql("DELETE FROM order_lines")
        for n in range(orders):
            connection.exec_driver_sql(f"INSERT INTO orders VALUES ({n}, '2024-05-01 08:00:{n:02}', 'é {n}')")
        if is_sqlite:
            _sqlite_rows(connection, "order_lines", [(n, order, *of) for n, (order, of) in enumerate(drawn)])
        else:
            insert = INSERT[name].replace("INTO orders (", "INTO order_lines (number, ").replace("(%s", "(%s, %s", 1)
            connection.exec_driver_sql(insert, [(order, n, *of) for n, (order, of) in enumerate(drawn)])


def of_orders(engine: sa.Engine, **way: Any) -> dict[str, str | None]:
    config = {"key_column": "number", "replication_key": "changed", "lines": {"table": "order_lines"}}
    return contents(engine.url.render_as_string(hide_password=False), **config, **way)


@few
@given(data=st.data())
def test_a_content_with_lines_is_the_same_on_both_ways_and_in_pages_of_any_size(
    engine: sa.Engine, data: st.DataObject
) -> None:
    fill(engine, data, 7)
    found = [of_orders(engine, **way) for way in WAYS]
    with mock.patch.object(order_lines, "ORDERS_AT_ONCE", 2):
        found.append(of_orders(engine, rendered=True, page_size=1000))
    assert all(each == found[0] for each in found)
    assert len(found[0]) == 7
    assert all(found[0].values())


@few
@given(data=st.data())
@pytest.mark.parametrize("engine", ENGINES[1:], indirect=True)  # SQLite's driver comes with Python
def test_a_content_is_the_same_whatever_types_of_python_a_driver_gives(engine: sa.Engine, data: st.DataObject) -> None:
    fill(engine, data, 4)
    before = of_orders(engine, rendered=False, page_size=3)
    patches = [mock.patch.object(module, "fetch_rows", as_another_driver) for module in (orders_source, order_lines)]
    with patches[0], patches[1]:
        after = of_orders(engine, rendered=False, page_size=3)
    assert after == before


def as_another_driver(connection: sa.Connection, query: Any) -> list[tuple[Any, ...]]:
    return [tuple(map(_otherwise, row)) for row in connections.fetch_rows(connection, query)]


def _otherwise(value: Any) -> Any:
    """The same value in a type that another driver, or a later version, may give."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, bytes):
        return bytearray(value)
    if isinstance(value, (datetime, UUID)):
        return str(value)
    return value.isoformat() if isinstance(value, (date, time)) else value
