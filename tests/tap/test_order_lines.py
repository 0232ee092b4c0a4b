"""Lines from a table of their own: each order carries just its own, exactly, whichever way its page is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from singer_sdk import Stream
from small_shop import Shop, run

from tap_legacy_orders import order_lines
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError

LINES = {"table": "order_lines", "parent_key": "order_id"}


@pytest.fixture
def shop(engine_url: str) -> Iterator[Shop]:
    with Shop.opened(engine_url) as shop:
        shop.sql(
            "CREATE TABLE order_lines (line_no INTEGER PRIMARY KEY, order_id INTEGER, product VARCHAR(40), "
            "price DECIMAL(18, 4), sold DATE)"
        )
        yield shop


def put_lines(shop: Shop, *lines: tuple[int, int, str]) -> None:
    """Insert lines (line_no, order_id, price)."""
    for line, order, price in lines:
        row = {"l": line, "o": order, "p": f"product, '{line}'\nof \"{order}\"", "c": price, "s": "2024-02-29"}
        shop.sql("INSERT INTO order_lines VALUES (:l, :o, :p, :c, :s)", row)


def line(number: int, order: int, price: str) -> dict[str, Any]:
    return {
        "line_no": number,
        "order_id": order,
        "product": f"product, '{number}'\nof \"{order}\"",
        "price": json.loads(price),
        "sold": "2024-02-29",
        "_sync_key": str(number),
    }


def test_each_order_carries_its_own_lines_in_the_order_of_their_keys(shop: Shop) -> None:
    shop.put((1, 1), (2, 2), (3, 3))
    put_lines(shop, (7, 3, "1.5"), (5, 1, "0.25"), (6, 3, "12345.0625"), (9, 4, "1"))
    output = shop.run(lines=LINES)
    assert output.keys == ["1", "2", "3"]
    assert [record["lines"] for record in output.records] == [
        [line(5, 1, "0.25")],
        [],
        [line(6, 3, "12345.0625"), line(7, 3, "1.5")],
    ]


def test_the_schema_states_the_lines_types(shop: Shop) -> None:
    shop.put((1, 1))
    schema = shop.run(lines=LINES).messages[0]["schema"]["properties"]["lines"]
    assert schema["type"] == ["array"]
    properties = schema["items"]["properties"]
    assert properties["line_no"]["type"] == ["integer"]
    assert properties["price"]["type"] == ["number", "null"]
    assert properties["sold"]["format"] == "date"
    assert schema["items"]["required"] == ["_sync_key"]


def test_many_pages_and_many_queries_a_page_lose_no_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_lines, "ORDERS_AT_ONCE", 4)
    shop.put(*((number, number) for number in range(23)))
    put_lines(shop, *((order * 10 + n, order, "1.5") for order in range(23) for n in range(order % 4)))
    output = shop.run(lines=LINES, page_size=10)
    assert {record["id"]: len(record["lines"]) for record in output.records} == {n: n % 4 for n in range(23)}
    assert [record["lines"] for record in output.records] == [
        [line(order * 10 + n, order, "1.5") for n in range(order % 4)] for order in range(23)
    ]
    shop.ack_all(output)
    assert shop.run(output.state, lines=LINES).records == []


def test_the_sdks_own_path_gives_equal_records(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put((1, 1), (2, 2))
    put_lines(shop, (5, 1, "0.1"), (6, 1, "99999999999999.0625"))
    fast = shop.run(lines=LINES).records
    monkeypatch.setattr(Stream, "ABORT_AT_RECORD_COUNT", 1_000)
    assert shop.run(lines=LINES).records == fast
    assert fast[0]["lines"][0]["price"] == pytest.approx(0.1)


def test_a_line_is_exact_to_the_last_digit(shop: Shop) -> None:
    if shop.engine.dialect.name == "sqlite":
        pytest.skip("SQLite keeps a DECIMAL as a binary number")
    shop.put((1, 1))
    put_lines(shop, (5, 1, "99999999999999.9999"))
    tap = TapLegacyOrders(config=shop.config | {"lines": LINES})
    (stream,) = tap.streams.values()
    (record,) = stream.get_records(None)
    assert record["lines"][0]["price"] == Decimal("99999999999999.9999")
    tap.engine.dispose()


def test_orders_and_lines_with_keys_of_two_columns(shop: Shop) -> None:
    shop.sql("CREATE TABLE o2 (shop VARCHAR(9), no INTEGER, updated_at VARCHAR(30), PRIMARY KEY (shop, no))")
    shop.sql("CREATE TABLE l2 (market VARCHAR(9), order_no INTEGER, pos INTEGER, PRIMARY KEY (market, order_no, pos))")
    for name, number in (("A|1", 1), ("A|1", 2), ("B", 1)):
        shop.sql("INSERT INTO o2 VALUES (:s, :n, '2024-01-01 00:00:00')", {"s": name, "n": number})
        shop.sql("INSERT INTO l2 VALUES (:s, :n, 1)", {"s": name, "n": number})
    shop.config["orders_table"] = "o2"
    lines = {"table": "l2", "parent_key": ["market", "order_no"], "columns": ["pos"], "name": "positions"}
    output = shop.run(lines=lines)
    assert {record["_sync_key"]: record["positions"] for record in output.records} == {
        r"A\|1|1": [{"pos": 1, "_sync_key": r"A\|1|1|1"}],
        r"A\|1|2": [{"pos": 1, "_sync_key": r"A\|1|2|1"}],
        "B|1": [{"pos": 1, "_sync_key": "B|1|1"}],
    }


def test_text_keys_belong_together_as_the_database_compares_them(shop: Shop) -> None:
    shop.sql("CREATE TABLE o3 (code VARCHAR(9) PRIMARY KEY, updated_at VARCHAR(30))")
    shop.sql("CREATE TABLE l3 (id INTEGER PRIMARY KEY, code VARCHAR(9))")
    shop.sql("INSERT INTO o3 VALUES ('So-1', '2024-01-01 00:00:00')")
    shop.sql("INSERT INTO l3 VALUES (1, 'So-1')")
    shop.sql("INSERT INTO l3 VALUES (2, 'SO-1')")
    shop.config["orders_table"] = "o3"
    (record,) = shop.run(lines={"table": "l3"}).records
    folds = shop.engine.dialect.name == "mysql"
    assert [line["_sync_key"] for line in record["lines"]] == (["1", "2"] if folds else ["1"])


def test_a_filter_on_the_orders_leaves_their_lines_whole(shop: Shop) -> None:
    shop.put((1, 1), (2, 2))
    put_lines(shop, (5, 1, "1"), (6, 2, "1"))
    output = shop.run(lines=LINES, filter="id > 1")
    assert [[each["_sync_key"] for each in record["lines"]] for record in output.records] == [["6"]]


def test_deselected_lines_are_not_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put((1, 1))
    put_lines(shop, (5, 1, "1"))
    tap = TapLegacyOrders(config=shop.config | {"lines": LINES})
    catalog = json.loads(json.dumps(tap.catalog_dict))
    tap.engine.dispose()
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] == ["properties", "lines"]:
            entry["metadata"]["selected"] = False
    monkeypatch.setattr(order_lines.OrderLines, "attach", None)
    (record,) = run(shop.config | {"lines": LINES}, catalog=catalog).records
    assert "lines" not in record


def test_a_catalog_older_than_the_setting_gets_the_lines(shop: Shop) -> None:
    shop.put((1, 1))
    put_lines(shop, (5, 1, "1"))
    tap = TapLegacyOrders(config=shop.config)
    catalog = json.loads(json.dumps(tap.catalog_dict))
    tap.engine.dispose()
    (record,) = run(shop.config | {"lines": LINES}, catalog=catalog).records
    assert [each["_sync_key"] for each in record["lines"]] == ["5"]


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no table": ({}, "lines.table: name the table"),
    "unknown table": ({"table": "order_line"}, "did you mean order_lines"),
    "unknown column": (LINES | {"columns": ["prise"]}, "it has price"),
    "unknown parent key": (LINES | {"parent_key": "order"}, "it has order_id"),
    "no parent key": ({"table": "order_lines"}, "lines.parent_key: name the columns"),
    "a name that is taken": (LINES | {"name": "name"}, "lines.name"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_setting_is_told(sqlite_url: str, mistake: str) -> None:
    config, says = MISTAKES[mistake]
    with Shop.opened(sqlite_url) as shop:
        shop.sql("CREATE TABLE order_lines (line_no INTEGER PRIMARY KEY, order_id INTEGER, price INTEGER)")
        with pytest.raises(TapConfigError, match=says):
            shop.run(lines=config or {"name": "x"})


def test_a_filter_leaves_lines_out_and_numbered_lines_are_known_by_their_place(shop: Shop) -> None:
    """Where an edit gives lines other ids, their keys stay."""
    shop.put((1, 1), (2, 2))
    put_lines(shop, (7, 1, "1.5"), (5, 1, "0"), (6, 1, "2.5"), (8, 2, "0"))
    lines = {**LINES, "filter": "price > 0", "columns": ["price"], "numbered": True}
    first = shop.run(lines=lines)
    assert [record["lines"] for record in first.records] == [
        [{"price": 2.5, "_sync_key": "1|1"}, {"price": 1.5, "_sync_key": "1|2"}],
        [],
    ]
    shop.sql("UPDATE order_lines SET line_no = line_no + 100")
    assert [record["lines"] for record in shop.run(lines=lines).records] == [each["lines"] for each in first.records]


def test_columns_of_lines_that_are_excluded_are_not_sent(shop: Shop) -> None:
    shop.put((1, 1))
    put_lines(shop, (5, 1, "0.25"))
    (order,) = shop.run(lines={**LINES, "exclude": ["price", "order_id"]}).records
    assert [set(each) for each in order["lines"]] == [{"line_no", "product", "sold", "_sync_key"}]
    with pytest.raises(TapConfigError, match=r"lines\.exclude: order_lines has no column 'prices'; it has price"):
        _ = TapLegacyOrders(config={**shop.config, "lines": {**LINES, "exclude": ["prices"]}}).lines_table
