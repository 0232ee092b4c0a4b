"""Discovery states what the table has, and settings that fit nothing are named in one line."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from small_shop import run

from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError


def _create(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _stream(url: str, **config: Any) -> dict[str, Any]:
    tap = TapLegacyOrders(config={"sqlalchemy_url": url, "orders_table": "orders", **config})
    (stream,) = tap.catalog_dict["streams"]
    tap.engine.dispose()
    found: dict[str, Any] = stream
    return found


def test_the_catalog_states_types_lengths_nullability_and_keys(engine_url: str) -> None:
    _create(
        engine_url,
        "CREATE TABLE orders (order_no VARCHAR(20) NOT NULL PRIMARY KEY, total DECIMAL(12, 2) NOT NULL,"
        " note VARCHAR(50), changed_at TIMESTAMP NOT NULL, ship_date DATE)",
    )
    stream = _stream(engine_url)
    assert stream["key_properties"] == ["order_no"]
    assert stream["replication_key"] == "changed_at"
    assert stream["replication_method"] == "INCREMENTAL"
    assert stream["is_view"] is False
    properties = stream["schema"]["properties"]
    assert properties["order_no"] == {"type": ["string"], "maxLength": 20}
    # PostgreSQL's decimals may be NaN, which is sent as null.
    more = ["null"] if engine_url.startswith("postgresql") else []
    assert properties["total"] == {"type": ["number", *more]}
    assert properties["note"] == {"type": ["string", "null"], "maxLength": 50}
    assert properties["changed_at"] == {"type": ["string"], "format": "date-time"}
    assert properties["ship_date"] == {"type": ["string", "null"], "format": "date"}
    assert properties["_sync_key"]["type"] == properties["_sync_version"]["type"] == ["string"]
    inclusion = {
        entry["breadcrumb"][-1]: entry["metadata"].get("inclusion")
        for entry in stream["metadata"]
        if entry["breadcrumb"]
    }
    assert {name for name, value in inclusion.items() if value == "automatic"} == {
        "order_no",
        "changed_at",
        "_sync_key",
        "_sync_version",
        "_sync_content",
    }


def test_a_view_works_once_its_key_is_named(engine_url: str) -> None:
    _create(
        engine_url,
        "CREATE TABLE raw (id INTEGER PRIMARY KEY, UpdatedAt TIMESTAMP NOT NULL)",
        "INSERT INTO raw VALUES (1, '2024-01-01 00:00:00')",
        "INSERT INTO raw VALUES (2, '2024-01-01 00:00:00')",
        "CREATE VIEW orders AS SELECT id + 1 AS number, UpdatedAt AS changed FROM raw",
    )
    with pytest.raises(
        TapConfigError, match="no primary key; name the column that identifies an order: number, changed"
    ):
        _stream(engine_url)
    config = {"key_column": "number", "replication_key": "changed", "page_size": 1}
    assert _stream(engine_url, **config)["is_view"] is True
    assert run({"sqlalchemy_url": engine_url, "orders_table": "orders", **config}).keys == ["2", "3"]


def test_camel_case_names_of_the_moment_of_change_are_found(engine_url: str) -> None:
    _create(engine_url, "CREATE TABLE orders (id INTEGER PRIMARY KEY, LastModified TIMESTAMP NOT NULL)")
    assert _stream(engine_url)["replication_key"].casefold() == "lastmodified"


def test_a_table_in_another_schema_is_found(postgresql_url: str) -> None:
    _create(
        postgresql_url,
        "CREATE SCHEMA sales",
        'CREATE TABLE sales."Orders" (id INTEGER PRIMARY KEY, updated_at TIMESTAMP)',
        """INSERT INTO sales."Orders" VALUES (1, '2024-01-01')""",
    )
    output = run({"sqlalchemy_url": postgresql_url, "orders_table": "sales.Orders"})
    assert output.keys == ["1"]
    assert output.bookmark("Orders") == "2024-01-01 00:00:00"
    with pytest.raises(TapConfigError, match=r"no table or view 'sales.order'.*did you mean Orders\?"):
        _stream(postgresql_url, orders_table="sales.order")
    with pytest.raises(TapConfigError, match=r"it has the schemas .*sales"):
        _stream(postgresql_url, orders_table="sale.Orders")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"orders_table": "order"}, r"orders_table: there is no table or view 'order' in .*; did you mean orders\?"),
        ({"key_column": "ID_"}, r"key_column: orders has no column 'ID_'; it has id"),
        ({"key_column": ["id", "nr"]}, r"key_column: orders has no column 'nr'"),
        ({"key_column": "[id"}, r"key_column: \[id is no JSON list of column names"),
        ({"replication_key": "changed_at"}, r"replication_key: orders has no column 'changed_at'; it has .*updated_at"),
        ({"version_column": "etag"}, r"version_column: orders has no column 'etag'"),
        ({"columns": ["note", "colour"]}, r"columns: orders has no column 'colour'"),
        ({}, r"replication_key: orders has several candidates, name one: updated_at, modified_at"),
        ({"timezone": "Mars/Olympus"}, r"timezone: there is no zone 'Mars/Olympus'"),
        (
            {"filter": "no_such = 1", "replication_key": "updated_at"},
            r"the database with the orders, .* says: no such column",
        ),
    ],
)
def test_a_setting_that_fits_nothing_is_named(sqlite_url: str, config: dict[str, Any], message: str) -> None:
    _create(
        sqlite_url,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, doc JSON, updated_at DATETIME, modified_at DATETIME)",
    )
    defaults = {"sqlalchemy_url": sqlite_url, "orders_table": "orders"}
    if "several candidates" not in message:
        defaults["replication_key"] = "updated_at"
    with pytest.raises((TapConfigError, TapSyncError), match=message):
        run(defaults | config)


def test_no_candidate_for_the_replication_key_names_those_that_may_change_and_no_date_of_business(
    sqlite_url: str,
) -> None:
    _create(sqlite_url, "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_date DATETIME, UpdateTS INT)")
    with pytest.raises(TapConfigError, match=r"no column named like updated_at .* \(perhaps UpdateTS\)"):
        run({"sqlalchemy_url": sqlite_url, "orders_table": "orders", "follow": True})


def test_a_table_with_dates_of_business_alone_has_no_replication_key(sqlite_url: str) -> None:
    _create(sqlite_url, "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_date DATETIME, shipped_date DATETIME)")
    with pytest.raises(TapConfigError, match=r"no name looks like one.*`follow` looks for.*changes are lost"):
        run({"sqlalchemy_url": sqlite_url, "orders_table": "orders", "follow": True})


def test_columns_and_selection_limit_what_is_sent_but_never_the_keys(sqlite_url: str) -> None:
    _create(
        sqlite_url,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, a TEXT, b TEXT, updated_at DATETIME NOT NULL)",
        "INSERT INTO orders VALUES (1, 'a', 'b', '2024-01-01')",
    )
    config = {"sqlalchemy_url": sqlite_url, "orders_table": "orders"}
    ours = ["updated_at", "_sync_key", "_sync_version", "_sync_content"]
    assert list(run(config | {"columns": ["b"]}).records[0]) == ["b", "id", *ours]  # in the order of their names
    entry = _stream(sqlite_url)
    for item in entry["metadata"]:
        if item["breadcrumb"][-1:] in (["a"], ["_sync_version"], ["updated_at"]):
            item["metadata"]["selected"] = False
    output = run(config, catalog={"streams": [entry]})
    assert list(output.records[0]) == ["b", "id", *ours]
    assert list(output.messages[0]["schema"]["properties"]) == ["id", "b", *ours]


def test_a_catalog_without_our_properties_gets_them_and_one_that_is_out_of_date_is_refused(sqlite_url: str) -> None:
    _create(
        sqlite_url,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, a TEXT, updated_at DATETIME NOT NULL, other_at DATETIME)",
        "INSERT INTO orders VALUES (1, 'a', '2024-01-01', NULL)",
    )
    config = {"sqlalchemy_url": sqlite_url, "orders_table": "orders"}
    entry = _stream(sqlite_url)
    for name in ("_sync_key", "_sync_version"):
        del entry["schema"]["properties"][name]
    output = run(config, catalog={"streams": [entry]})
    assert output.records[0]["_sync_key"] == "1"
    assert "_sync_version" in output.messages[0]["schema"]["properties"]
    with pytest.raises(TapConfigError, match="its replication key is 'updated_at', that of the settings 'other_at'"):
        run(config | {"replication_key": "other_at"}, catalog={"streams": [entry]})
    with pytest.raises(TapConfigError, match="has no stream 'sales'; run discovery again"):
        run(config | {"stream_name": "sales"}, catalog={"streams": [entry]})
    _create(sqlite_url, "ALTER TABLE orders DROP COLUMN a")
    with pytest.raises(TapConfigError, match="orders has no column a; run discovery again"):
        run(config, catalog={"streams": [entry]})


def test_columns_that_are_excluded_are_not_sent_and_later_ones_are(engine_url: str) -> None:
    _create(engine_url, "CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(50), secret INT, updated_at TIMESTAMP)")
    assert {"id", "note", "updated_at"} == _data(_stream(engine_url, exclude=["secret"]))
    assert {"id", "note", "updated_at"} == _data(_stream(engine_url, columns=["note", "secret"], exclude=["secret"]))
    _create(engine_url, "ALTER TABLE orders ADD COLUMN gift VARCHAR(20)")
    assert {"id", "note", "updated_at", "gift"} == _data(_stream(engine_url, exclude=["secret"]))
    with pytest.raises(TapConfigError, match="exclude: orders has no column 'secrets'; it has secret"):
        _stream(engine_url, exclude=["secrets"])
    with pytest.raises(TapConfigError, match="exclude: id, updated_at of orders is key or replication key, always"):
        _stream(engine_url, exclude=["updated_at", "id"])


def _data(stream: dict[str, Any]) -> set[str]:
    return {name for name in stream["schema"]["properties"] if not name.startswith("_sync_")}
