"""`orders-sync init` shows what it would make, makes it, and makes nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pair_of_plugins import Shop
from shop_with_lines import ShopWithLines

from orders_sync.cli import main
from sync_databases.engines import engine_of
from sync_ledger.tables import ledger_tables as ledger_tables_of
from tap_legacy_orders.poll_wakeup import PollWakeup
from tap_legacy_orders.tap import TapLegacyOrders

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SQLITE = engine_of(sa.create_engine("sqlite://").dialect)
LEDGER = {table.name for table in ledger_tables_of(SQLITE).metadata.sorted_tables}


@pytest.fixture
def shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(engine_url, zoho_emulator, tmp_path)
    made.target_config["module"] = "Fresh_Orders"
    zoho_emulator.admin.add_module("Fresh_Orders", [{"api_name": "Customer_Name", "data_type": "text", "length": 250}])
    yield made
    made.engine.dispose()


def orders_sync(shop: Shop, command: str, *options: str, typed: str = "") -> Result:
    tap, target = shop.configs()
    files = ["--tap-config", str(tap), "--target-config", str(target)]
    return CliRunner().invoke(main, [command, *files, *options], input=typed)


def ledger_tables(shop: Shop) -> set[str]:
    return set(sa.inspect(shop.engine).get_table_names()) & LEDGER


def fields(shop: Shop) -> dict[str, dict[str, Any]]:
    base, session = shop.emulator.base_url, requests.Session()
    form = {"grant_type": "refresh_token", "refresh_token": shop.emulator.refresh_token}
    client = {"client_id": shop.emulator.client_id, "client_secret": shop.emulator.client_secret}
    token = session.post(f"{base}/oauth/v2/token", data=form | client, timeout=120).json()["access_token"]
    header = {"Authorization": f"Zoho-oauthtoken {token}"}
    answer = session.get(f"{base}/crm/v8/settings/fields?module=Fresh_Orders", headers=header, timeout=120)
    return {field["api_name"]: field for field in answer.json()["fields"]}


def test_a_dry_run_shows_everything_and_makes_nothing(shop: Shop) -> None:
    before = fields(shop)
    result = orders_sync(shop, "init", "--dry-run", "--all-columns")
    assert result.exit_code == 0, result.output
    assert f"{', '.join(sorted(LEDGER))} are to be made" in result.output
    assert "parent_id: text, up to 40 characters, unique (upper and lower case differ), for order_id" in result.output
    assert "Total_Amount: double, 2 decimal places, for total_amount" in result.output
    assert fields(shop) == before
    assert ledger_tables(shop) == set()


def test_nothing_is_made_without_a_yes(shop: Shop) -> None:
    before = fields(shop)
    assert orders_sync(shop, "init", typed="n\n").exit_code == 1
    assert fields(shop) == before
    assert ledger_tables(shop) == set()


def test_ledger_and_key_field_are_made_and_a_second_time_there_is_nothing_to_make(shop: Shop) -> None:
    result = orders_sync(shop, "init", typed="y\n")
    assert result.exit_code == 0, result.output
    assert ledger_tables(shop) == LEDGER
    made = fields(shop)
    assert (made["parent_id"]["data_type"], made["parent_id"]["unique"]) == ("text", {"case_sensitive": True})
    assert "Total_Amount" not in made
    assert "--all-columns makes these too" in result.output
    again = orders_sync(shop, "init")
    assert (again.exit_code, "Make these?" in again.output) == (0, False)
    assert fields(shop) == made


def test_after_init_with_all_columns_a_first_run_brings_every_order_over(shop: Shop) -> None:
    shop.insert([f"SO-{number}" for number in range(20)])
    assert orders_sync(shop, "init", "--yes", "--all-columns").exit_code == 0
    examined = json.loads(orders_sync(shop, "doctor", "--json").output)
    assert examined["ok"], examined
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == 20
    records = {record["parent_id"]: record for record in shop.emulator.admin.records("Fresh_Orders")}
    orders = shop.orders()
    assert set(records) == set(orders)
    for key, order in orders.items():
        assert records[key]["Notes"] == order.notes
        assert records[key]["Is_Gift"] == order.is_gift
        assert str(records[key]["Total_Amount"]) == str(order.total_amount)
        assert records[key]["Order_Date"] == order.order_date.isoformat()


def test_a_field_that_the_settings_name_is_made_for_its_column(shop: Shop) -> None:
    dated = {"Day": {"source": "notes", "format": "%d.%m.%Y"}, "At": {"source": "notes", "format": "%d.%m.%Y %H:%M"}}
    shop.target_config["fields"] = {"notes": "Remarks", "no_such_column": "Ghost", **dated}
    result = orders_sync(shop, "init", "--yes")
    assert result.exit_code == 0, result.output
    assert "Remarks" in fields(shop)
    assert [fields(shop)[name]["data_type"] for name in dated] == ["date", "datetime"]
    assert "Ghost" not in fields(shop)
    assert "Column no_such_column: no field Ghost can be made for it: the tap does not read it" in result.output


def test_a_refused_field_is_named_and_the_others_are_made(shop: Shop) -> None:
    shop.emulator.admin.add_fault(
        "create_field", kind="answer", times=1, status=400,
        body={"fields": [{"code": "LIMIT_EXCEEDED", "status": "error", "message": "field limit", "details": {}}]},
    )  # fmt: skip
    shop.target_config["fields"] = {"notes": "Remarks"}
    result = orders_sync(shop, "init", "--yes")
    assert result.exit_code == 1
    assert "parent_id was not made" in result.output
    assert "field limit" in result.output
    assert "Remarks" in fields(shop)
    assert orders_sync(shop, "init", "--yes").exit_code == 0
    assert "parent_id" in fields(shop)


def test_a_key_field_that_is_not_unique_is_left_to_a_person(shop: Shop) -> None:
    shop.target_config["key_field"] = "Customer_Name"
    result = orders_sync(shop, "init", "--yes")
    assert result.exit_code == 1
    assert "not unique" in result.output
    assert "Do not allow duplicate values" in result.output


def test_a_missing_scope_is_named(shop: Shop) -> None:
    scopes = ["ZohoCRM.settings.READ", "ZohoCRM.org.READ"]
    shop.target_config["refresh_token"] = shop.emulator.admin.grant(scopes)
    result = orders_sync(shop, "init", "--yes")
    assert result.exit_code == 1
    assert "OAUTH_SCOPE_MISMATCH" in result.output
    assert "ZohoCRM.settings.ALL" in result.output


def test_the_trigger_for_follow_mode_is_displayed_made_and_made_again(shop: Shop) -> None:
    shown = orders_sync(shop, "init", "--notify", "--dry-run")
    if shop.engine.dialect.name != "postgresql":
        assert shown.exit_code == 1
        assert "only a table of PostgreSQL can notify of changes" in shown.output
        return
    assert "CREATE OR REPLACE TRIGGER" in shown.output
    assert triggers(shop) == 0
    for _ in range(2):
        assert orders_sync(shop, "init", "--notify", "--yes").exit_code == 0
        assert triggers(shop) == 1
    again = orders_sync(shop, "init", "--notify", "--dry-run").output
    assert "Table orders: the trigger orders_sync_orders is there." in again
    assert "to be made" not in again
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders DISABLE TRIGGER orders_sync_orders")
    assert "this trigger is to be made" in orders_sync(shop, "init", "--notify", "--dry-run").output
    with shop.engine.begin() as connection:  # docs/upgrading.md, "Removing it"
        connection.exec_driver_sql("DROP TRIGGER orders_sync_orders ON orders")
        connection.exec_driver_sql("DROP FUNCTION orders_sync_orders()")
    assert orders_sync(shop, "init", "--notify", "--yes").exit_code == 0
    with shop.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.autocommit = True
        raw.execute('LISTEN "orders_sync_orders"')
        shop.insert(["SO-1"])
        told = list(raw.notifies(timeout=120, stop_after=1))
    assert [each.payload for each in told] == [""]


def triggers(shop: Shop) -> int:
    with shop.engine.connect() as connection:
        query = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal"
        return int(connection.execute(sa.text(query)).scalar_one())


def test_a_view_is_woken_by_the_trigger_of_the_table_that_a_setting_names(shop: Shop) -> None:
    if shop.engine.dialect.name != "postgresql":
        return
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW shown_orders AS SELECT * FROM orders")
    shop.tap_config |= {"orders_table": "shown_orders", "key_column": "order_id"}
    refused = orders_sync(shop, "init", "--notify", "--yes")
    assert refused.exit_code == 1
    assert "name by `notify_table` the table whose changes it shows" in refused.output
    shop.tap_config |= {"notify_table": "orders"}
    assert orders_sync(shop, "init", "--notify", "--yes").exit_code == 0
    wakeup = PollWakeup()
    tap = TapLegacyOrders(config=json.loads(shop.configs()[0].read_text()))
    wakeup.listen(tap.engine, tap.orders_table.notified_by)
    shop.insert(["SO-1"])
    assert wakeup.wait(60.0)
    wakeup.close()
    tap.engine.dispose()


# What the tables ask for


def test_what_only_the_tap_needs_gets_no_field_and_what_is_not_written_is_named(shop: Shop) -> None:
    result = orders_sync(shop, "init", "--yes", "--all-columns")
    assert result.exit_code == 0, result.output
    assert "Column updated_at: only the tap needs it, as `replication_key`" in result.output
    assert "1 of 7 columns of the orders are not written then: updated_at." in result.output
    assert "Updated_At" not in fields(shop)


@pytest.fixture
def with_lines(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopWithLines]:
    made = ShopWithLines(engine_url, zoho_emulator, tmp_path)
    with made.engine.begin() as connection:
        for table, column in (("orders", "weight"), ("orders", "share"), ("order_lines", "rebate")):
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} DOUBLE PRECISION")
    yield made
    made.engine.dispose()


def test_fields_of_lines_are_made_and_floats_keep_their_places(with_lines: ShopWithLines) -> None:
    shop = with_lines
    shop.insert_whole(["A", "B"], most_lines=1)
    shop.add_lines({"A": 1})
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE orders SET weight = 0.1234567, share = 0.123456789012")
        connection.exec_driver_sql("UPDATE order_lines SET rebate = 0.0123456")
    result = orders_sync(shop, "init", "--yes", "--all-columns")
    assert result.exit_code == 0, result.output
    assert "Rebate: double, 9 decimal places, for rebate" in result.output
    assert "Column order_id: it names the order" in result.output
    assert "Column id: it is the line's key" in result.output
    assert "2 of 8 columns of the lines are not written then: id, order_id." in result.output
    assert "Column share: values have up to 12 decimal places, and a field at most 9" in result.output
    assert "Column weight: values" not in result.output
    shop.target_config["fields"] = {"Share": {"source": "share", "on_too_long": "truncate"}}
    ended = shop.run()
    assert (ended.code, ended.summary["rejected"]) == (0, 0), ended.err
    assert {str(record["Weight"]) for record in shop.crm().values()} == {"0.1234567"}
    assert {str(line["Rebate"]) for line in shop.emulator.admin.records("Order_Lines")} == {"0.0123456"}


def test_lines_that_the_target_does_not_write_are_named(with_lines: ShopWithLines) -> None:
    del with_lines.target_config["lines"]
    result = orders_sync(with_lines, "init", "--dry-run")
    assert "The lines of table order_lines are not written: `lines` of the target is not set." in result.output


ODD_COLUMNS = {
    "postgresql": "a int4range DEFAULT '[1,9)', b tstzrange DEFAULT '(,2026-01-01)', c interval DEFAULT '1 day',"
    " d inet DEFAULT '10.0.0.1', e macaddr DEFAULT '08:00:2b:01:02:03', f point DEFAULT '(1,2)', g box DEFAULT"
    " '((1,2),(3,4))', h xml DEFAULT '<a/>', i pg_lsn DEFAULT '0/1', j int[] DEFAULT '{1,2}', k jsonb DEFAULT '{}',"
    " l bit(3) DEFAULT '101', m tsvector DEFAULT 'a b', n bytea DEFAULT '\\xff', o money DEFAULT '1.5'",
    "mysql": "a POINT, b BIT(3) DEFAULT b'101', c YEAR DEFAULT 2026, d SET('x', 'y') DEFAULT 'x', e JSON DEFAULT '{}',"
    " f INET6 DEFAULT '::1', g UUID DEFAULT '123e4567-e89b-12d3-a456-426655440000', h BLOB, i TIME DEFAULT '-01:00:00'",
    "sqlite": "a, b DEFAULT 1, c BLOB DEFAULT x'ff', d JSON DEFAULT '{}', e INTERVAL DEFAULT 'P1D'",
}


def test_a_table_with_columns_of_every_odd_type_can_be_looked_at(shop: Shop) -> None:
    odd = ODD_COLUMNS[shop.engine.dialect.name]
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE odd (id VARCHAR(20) PRIMARY KEY, updated_at TIMESTAMP DEFAULT '2026-01-01 08:00:00', {odd})"
        )
        connection.exec_driver_sql("INSERT INTO odd (id) VALUES ('A')")
    shop.tap_config["orders_table"] = "odd"
    for options in (["--dry-run"], ["--dry-run", "--all-columns"]):
        result = orders_sync(shop, "init", *options)
        assert result.exit_code == 0, result.output
