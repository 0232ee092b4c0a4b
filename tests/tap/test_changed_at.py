"""Where no one column says when an order changed: the latest of several, of the orders' table and of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from small_shop import Shop

from tap_legacy_orders.tap_errors import TapConfigError

KINDS = {"mysql": "DATETIME(6)", "postgresql": "TIMESTAMP", "sqlite": "DATETIME"}
TWO = ["sqlite", "postgresql"]
"""MariaDB has the recipes."""


@pytest.fixture
def shop(engine_url: str) -> Iterator[Shop]:
    with Shop.opened(engine_url) as shop:
        kind = KINDS[shop.engine.dialect.name]
        shop.sql(f"ALTER TABLE orders ADD COLUMN created_at {kind} NULL")
        for name in ("order_lines", "history"):
            shop.sql(
                f"CREATE TABLE {name} (no INTEGER PRIMARY KEY, order_id INTEGER, kind INTEGER, at_time {kind} NULL)"
            )
        yield shop


def put(shop: Shop, number: int, created: float | None, updated: float | None = None) -> None:
    shop.put((number, updated))
    shop.sql("UPDATE orders SET created_at = :c WHERE id = :i", {"i": number, "c": shop.moment(created)})


def add(shop: Shop, table: str, number: int, order: int, seconds: float | None, kind: int = 1) -> None:
    row = {"n": number, "o": order, "k": kind, "t": shop.moment(seconds)}
    shop.sql(f"INSERT INTO {table} VALUES (:n, :o, :k, :t)", row)


@pytest.mark.parametrize("engine_url", TWO, indirect=True)
def test_a_column_that_is_null_until_the_first_change_gives_way_to_another(shop: Shop) -> None:
    put(shop, 1, created=10)
    put(shop, 2, created=20, updated=30)
    put(shop, 3, created=25)
    settings: dict[str, Any] = {"replication_key": ["updated_at", "created_at"], "page_size": 1}
    first = shop.run(**settings)
    assert first.keys == ["1", "3", "2"]  # in the order of their times
    assert "_sync_changed_at" not in first.records[0]
    assert "-" not in first.versions.values()
    shop.ack_all(first)
    assert shop.run(first.state, **settings).keys == []
    put(shop, 1, created=10, updated=40)
    assert shop.run(first.state, **settings).keys == ["1"]


@pytest.mark.parametrize("engine_url", TWO, indirect=True)
def test_a_change_in_another_table_is_one_of_its_order(shop: Shop) -> None:
    """Of lines, and of a history; rows that a filter leaves out and rows without a time count for nothing."""
    for number in (1, 2, 3, 4):
        put(shop, number, created=number, updated=number)
    add(shop, "order_lines", 1, 1, 100)
    add(shop, "history", 1, 2, None)
    settings: dict[str, Any] = {
        "replication_key": "updated_at",
        "lines": {"table": "order_lines", "parent_key": "order_id", "replication_key": "at_time"},
        "changes_in": [
            {"table": "history", "parent_key": "order_id", "replication_key": "at_time", "filter": "kind = 1"}
        ],
        "page_size": 2,
        "lookback_seconds": 0,
    }
    first = shop.run(**settings)
    assert first.keys == ["2", "3", "4", "1"]
    shop.ack_all(first)
    assert shop.run(first.state, **settings).keys == []
    shop.sql("UPDATE order_lines SET at_time = :t", {"t": shop.moment(200)})
    add(shop, "history", 2, 3, 300)
    add(shop, "history", 3, 4, 400, kind=2)
    second = shop.run(first.state, **settings)
    assert second.keys == ["1", "3"]
    shop.ack_all(second)
    add(shop, "order_lines", 2, 2, 500)
    assert shop.run(second.state, **settings).keys == ["2"]
    assert shop.run({}, **settings).keys == ["2"]  # and when all are compared


@pytest.mark.parametrize("engine_url", ["sqlite"], indirect=True)
def test_a_bookmark_of_other_columns_is_not_used(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    put(shop, 1, created=1, updated=5)
    first = shop.run(replication_key="updated_at")
    shop.ack_all(first)
    put(shop, 1, created=1, updated=6)
    again = shop.run(first.state, replication_key=["updated_at", "created_at"])
    assert again.keys == ["1"]
    assert "it is for updated_at, not the latest of updated_at, created_at" in caplog.text
    history = {"table": "history", "parent_key": "order_id", "replication_key": "at_time"}
    state = again.state
    for condition in ("kind = 1", "kind = 2"):
        state = shop.run(state, replication_key="updated_at", changes_in=[{**history, "filter": condition}]).state
    assert "not the latest of updated_at, history.at_time where kind = 2" in caplog.text


def test_a_date_and_the_time_beside_it_are_one_time(shop: Shop) -> None:
    """The time may be a number, a text or a time."""
    put(shop, 1, created=1)
    put(shop, 2, created=1)
    times = {"at_number": ("INTEGER", 92745, 0), "at_text": ("VARCHAR(8)", "'09:27:45'", "'00:00:00'")}
    times["at_clock"] = ("TIME", *times["at_text"][1:])
    shop.sql("ALTER TABLE orders ADD COLUMN on_day DATE")
    for name, (kind, late, early) in times.items():
        shop.sql(f"ALTER TABLE orders ADD COLUMN {name} {kind}")
        shop.sql(f"UPDATE orders SET on_day = '2024-02-29', {name} = {late} WHERE id = 1")
        shop.sql(f"UPDATE orders SET on_day = '2024-03-01', {name} = {early} WHERE id = 2")
        settings: dict[str, Any] = {"replication_key": f"on_day + {name}", "page_size": 1, "columns": ["name"]}
        settings["stream_name"] = name
        first = shop.run(**settings)
        assert first.keys == ["1", "2"]
        assert first.versions["1"].startswith("2024-02-29 09:27:45"), name
        for key, version in first.versions.items():
            shop.ack(key, version, stream=name)
        assert shop.run(first.state, **settings).keys == []
        shop.sql("UPDATE orders SET on_day = '2024-03-02' WHERE id = 1")
        assert shop.run(first.state, **settings).keys == ["1"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replication_key": ["updated_at", "name"]}, "none can be said to be the latest"),
        ({"replication_key": ["updated_at", "changed"]}, "orders has no column 'changed'"),
        ({"replication_key": "updated_at + created_at"}, "is no date with a time beside it"),
        ({"changes_in": [{"table": "history"}]}, "changes_in[0].replication_key: name the column of its changes"),
        ({"changes_in": [{"table": "histori", "replication_key": "at_time"}]}, "did you mean history?"),
        (
            {"changes_in": [{"table": "history", "replication_key": "at_time"}]},
            "changes_in[0].parent_key: name the columns of history that hold the order's id: no, order_id",
        ),
        (
            {"replication_key": ["updated_at", "created_at"], "sync_flag_column": "name", "unsynced_by": "sync_flag"},
            "a flag stands for one replication key",
        ),
    ],
)
@pytest.mark.parametrize("engine_url", ["sqlite"], indirect=True)
def test_what_cannot_be_meant_is_refused_in_one_line(shop: Shop, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TapConfigError) as raised:
        shop.run(**{"replication_key": "updated_at", **settings})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
