"""Columns of any name go from a table into the CRM."""

from __future__ import annotations

from pair_of_plugins import Shop

NOTE = 'the "note"\\\nof it'
"""With a quote, a backslash, a line end: what no struct of msgspec takes for a name."""


def test_columns_of_any_name_are_written(any_shop: Shop) -> None:
    shop = any_shop
    with shop.engine.begin() as connection:
        name = shop.engine.dialect.identifier_preparer.quote(NOTE)
        connection.exec_driver_sql(f"ALTER TABLE orders ADD COLUMN {name} VARCHAR(40) DEFAULT 'fresh'")
    shop.target_config["fields"] = {NOTE: "Country"}
    shop.insert(["A", "B"])
    ended = shop.run()
    assert (ended.code, ended.errors) == (0, []), ended.err
    assert {key: record["Country"] for key, record in shop.crm().items()} == {"A": "fresh", "B": "fresh"}
    shop.assert_all_synced()
    assert shop.run().summary["read"] == 0
