"""The columns that make keys: of other ones each order would be another one, and be written beside its own record."""

from __future__ import annotations

import json

from another_set_up import EXIT_LOOK, KEYS, assert_refused, loaded, operate
from pair_of_plugins import Shop


def test_a_run_by_other_key_columns_writes_nothing(any_shop: Shop) -> None:
    shop = loaded(any_shop)
    shop.change(KEYS[:2])
    for key, named in (("customer_name", "customer_name"), (["order_id", "status"], "order_id, status")):
        shop.tap_config["key_column"] = key
        assert_refused(shop, f"are made of order_id, and these of {named}, by which each order would be another one")
    del shop.tap_config["key_column"]
    assert shop.run().summary["synced"] == 2
    shop.assert_all_synced()


def test_records_of_another_tap_by_another_key_are_not_taken(shop: Shop) -> None:
    def messages(keys: list[str]) -> str:
        properties = {name: {"type": "string"} for name in ("number", "region", "notes")}
        head = {"type": "SCHEMA", "stream": "sales", "schema": {"properties": properties}, "key_properties": keys}
        record = {"type": "RECORD", "stream": "sales", "record": {"number": "7", "region": "EU", "notes": "x"}}
        return "".join(f"{json.dumps(message)}\n" for message in (head, record))

    assert shop.take(messages(["number"])).code == 0
    shop.target_config["on_missing_key"] = "hash"
    for keys, named in ((["number", "region"], "number, region"), ([], "a hash of the record")):
        refused = shop.take(messages(keys))
        assert refused.code == EXIT_LOOK, refused.err
        assert f"are made of number, and these of {named}" in refused.errors[0]
    assert shop.take(messages(["number"])).code == 0
    assert set(shop.crm()) == {"7"}


def test_a_renamed_key_column_goes_on(shop: Shop) -> None:
    loaded(shop)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders RENAME COLUMN order_id TO order_number")
    assert_refused(shop, "of order_id, and these of order_number, by which each order would be another one; if it was")
    assert "key column order_id is order_number now" in operate(shop, "rebind", "--yes").err
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE orders SET notes = 'new', updated_at = '2026-01-02' WHERE order_number = 'SO-1'"
        )
    ended = shop.run()
    assert (ended.code, ended.summary["read"], ended.summary["synced"]) == (0, 1, 1), ended.err
    assert set(shop.crm()) == set(KEYS)
