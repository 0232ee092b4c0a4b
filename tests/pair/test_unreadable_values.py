"""Dates that are none, and values that a field cannot hold: null where that is wanted, and the run says so."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import Finished, Shop


def summary_line(ended: Finished) -> str:
    (line,) = [line for line in ended.err.splitlines() if ": read " in line]
    return line


def insert(shop: Shop, key: str, **texts: str) -> None:
    """An order whose columns hold what SQLAlchemy's types would not write."""
    shop.insert([key])
    with shop.engine.begin() as connection:
        if shop.engine.dialect.name == "mysql":
            connection.exec_driver_sql("SET SESSION sql_mode = ''")
        settings = ", ".join(f"{name} = :{name}" for name in texts)
        connection.execute(sa.text(f"UPDATE orders SET {settings} WHERE order_id = :key"), {"key": key, **texts})


@pytest.mark.parametrize("engine_url", ["sqlite", "mariadb"], indirect=True)
@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_zero_date_is_null_on_both_channels_and_the_run_names_the_field(any_shop: Shop, channel: str) -> None:
    any_shop.target_config["channel"] = channel
    insert(any_shop, "SO-1", order_date="0000-00-00")
    any_shop.insert(["SO-2"])
    ended = any_shop.run()
    assert ended.summary["synced"] == 2
    assert "null in place of what cannot be read: Order_Date" in summary_line(ended)
    crm = any_shop.crm()
    assert crm["SO-1"].get("Order_Date") is None
    assert crm["SO-2"]["Order_Date"] is not None


@pytest.mark.parametrize(("options", "synced"), [({"unreadable": "null"}, 2), ({}, 1)])
def test_what_a_field_cannot_hold_is_null_where_its_options_say_so(
    shop: Shop, options: dict[str, Any], synced: int
) -> None:
    shop.target_config["fields"] = {"Total_Amount": {"source": "notes", **options}}
    shop.insert(["SO-1"], notes="12,50")
    shop.insert(["SO-2"], notes="8.50")
    ended = shop.run()
    assert ended.summary["synced"] == synced
    assert ("null in place of what cannot be read: Total_Amount" in summary_line(ended)) == bool(options)
    if options:
        assert shop.crm()["SO-1"].get("Total_Amount") is None
        shop.change(["SO-1"], notes="7")
        ended = shop.run()
        assert float(shop.crm()["SO-1"]["Total_Amount"]) == 7
        assert "cannot be read" not in summary_line(ended)


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_values_that_mean_none_are_null_on_both_channels(shop: Shop, channel: str) -> None:
    """The customer 0 of a guest, an empty date of 1753, a word for nothing."""
    shop.target_config |= {
        "channel": channel,
        "fields": {
            "Account": {"source": "status", "find_by": "Legacy_Id", "null_if": [0, "n/a"]},
            "Order_Date": {"null_if": "1753-01-01"},
            "Notes": {"null_if": "-"},
        },
    }
    shop.emulator.admin.put_records("Accounts", [{"Account_Name": "A", "Legacy_Id": "7"}])
    shop.insert(["SO-1"], status="0", order_date=date(1753, 1, 1), notes="-")
    shop.insert(["SO-2"], status="7", order_date=date(1753, 1, 2), notes="--")
    assert shop.run().summary["synced"] == 2
    crm = shop.crm()
    assert [crm["SO-1"].get(name) for name in ("Account", "Order_Date", "Notes")] == [None, None, None]
    assert crm["SO-2"]["Account"] is not None
    assert (crm["SO-2"]["Order_Date"], crm["SO-2"]["Notes"]) == ("1753-01-02", "--")
