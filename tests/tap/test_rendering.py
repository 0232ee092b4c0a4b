"""Records that the database writes as JSON are, byte for byte, those that the tap writes of fetched values."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_tables import INSERT, TABLES, contents, lines, row


@pytest.fixture(params=["postgresql", "mysql"])
def table(request: pytest.FixtureRequest) -> sa.Engine:
    """The empty table with a column of each type."""
    url = request.getfixturevalue("postgresql_url" if request.param == "postgresql" else "mariadb_url")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(TABLES[request.param].replace("%", "%%"))
    return engine


@settings(
    max_examples=examples(8, 40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_both_ways_give_the_same_bytes(table: sa.Engine, data: st.DataObject) -> None:
    rows = data.draw(st.lists(row(table.dialect.name), min_size=1, max_size=40))
    with table.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders")
        connection.exec_driver_sql(INSERT[table.dialect.name], [(n, *values) for n, values in enumerate(rows)])
    url = table.url.render_as_string(hide_password=False)
    values, _ = lines(url, rendered=False)
    texts, to_the_end = lines(url, rendered=True)
    assert texts == values
    assert to_the_end
    assert values.count(b"\n") == len(rows)


@settings(
    max_examples=examples(5, 25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_content_is_the_same_on_both_ways_and_in_pages_of_any_size(table: sa.Engine, data: st.DataObject) -> None:
    rows = data.draw(st.lists(row(table.dialect.name), min_size=1, max_size=20))
    with table.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders")
        connection.exec_driver_sql(INSERT[table.dialect.name], [(n, *values) for n, values in enumerate(rows)])
    url = table.url.render_as_string(hide_password=False)
    found = [
        contents(url, rendered=rendered, page_size=page_size)
        for rendered, page_size in ((True, 1), (True, 3), (False, 1), (False, 1000))
    ]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == len(rows)
    assert any(found[0].values())


ODD = {
    "postgresql": [
        "ts = '0044-03-15 12:00:00 BC'",
        "ts = 'infinity'",
        "ts = '20240-01-01 00:00:00'",
        "updated_at = '0044-03-15 12:00:00+00 BC'",
        "cents = 'NaN'",
        "\"free %%s\" = 'NaN'",
        "f8 = 'Infinity'",
        "note = REPEAT('é😀\"', 100000)",
    ],
    "mysql": [
        "ts = '0000-00-00'",
        "ts = '2024-02-30'",
        "ts = '2024-00-10'",
        "d = '0000-00-00'",
        "note = REPEAT('é😀\"', 100000)",
    ],
}


def test_what_the_database_cannot_write_exactly_is_written_by_the_tap(
    table: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    url = table.url.render_as_string(hide_password=False)
    for odd in ODD[table.dialect.name]:
        with table.begin() as connection:
            if table.dialect.name == "mysql":
                connection.exec_driver_sql("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'")
            connection.exec_driver_sql("DELETE FROM orders")
            for number in range(30):
                connection.exec_driver_sql(
                    f"INSERT INTO orders (id, updated_at, note) VALUES ({number}, '2024-01-01 00:00:{number:02}', 'é')"
                )
            connection.exec_driver_sql(f"UPDATE orders SET {odd} WHERE id = 15")
        values, _ = lines(url, rendered=False)
        texts, _ = lines(url, rendered=True)
        assert texts == values, odd
    if table.dialect.name == "postgresql":
        assert "holds NaN or Infinity" in caplog.text


@pytest.mark.parametrize("body", ["RAISE EXCEPTION 'no such function'", "RETURN '\"x\"'::json"])
def test_a_server_that_cannot_write_json_as_we_do_is_not_asked_to(postgresql_url: str, body: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INT PRIMARY KEY, updated_at TIMESTAMP NOT NULL, name TEXT)")
        connection.exec_driver_sql("INSERT INTO orders VALUES (1, '2024-07-01', 'é')")
        connection.exec_driver_sql(
            f"CREATE FUNCTION to_json(VARCHAR) RETURNS json LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"
        )
    engine.dispose()
    values, rendered = lines(postgresql_url, rendered=True)
    assert '"name":"é"'.encode() in values
    assert not rendered


def test_moments_in_another_zone_and_odd_names_are_left_to_the_tap(postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            'CREATE TABLE orders (id INT PRIMARY KEY, updated_at TIMESTAMP NOT NULL, "a""b" TEXT)'
        )
        connection.exec_driver_sql("INSERT INTO orders VALUES (1, '2024-07-01', 'x'), (2, '2024-01-01', NULL)")
    engine.dispose()
    values, _ = lines(postgresql_url, rendered=False, timezone="Europe/Berlin")
    assert lines(postgresql_url, rendered=True, timezone="Europe/Berlin") == (values, False)
    columns = ["id", "updated_at"]
    values, _ = lines(postgresql_url, rendered=False, timezone="Europe/Berlin", columns=columns)
    assert lines(postgresql_url, rendered=True, timezone="Europe/Berlin", columns=columns) == (values, True)
    assert b"2024-07-01T00:00:00+02:00" in values
