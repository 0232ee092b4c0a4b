"""Databases that keep their texts in another encoding than UTF-8, with the ledger beside the orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pair_of_plugins import Shop

from scripts.servers import postgresql_database

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

NAMES = {"LATIN1": "Zoë Müß", "WIN1252": "Zoë €5 “Œuvre”", "LATIN2": "Łódź", "EUC_JP": "注文", "SQL_ASCII": "Zoë 注"}


@pytest.fixture(params=NAMES)
def encoded_shop(request: pytest.FixtureRequest, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    with postgresql_database(encoding=request.param) as url:
        shop = Shop(f"{url}?client_encoding=utf8", zoho_emulator, tmp_path)
        shop.url = shop.ack_url = url
        yield shop
        shop.engine.dispose()


def test_orders_of_a_database_in_another_encoding_arrive_letter_by_letter(
    encoded_shop: Shop, request: pytest.FixtureRequest
) -> None:
    name = NAMES[request.node.callspec.params["encoded_shop"]]
    encoded_shop.tap_config["page_size"] = 3
    encoded_shop.insert([f"SO-{number}" for number in range(10)], customer_name=name)
    assert encoded_shop.run().summary["synced"] == 10
    encoded_shop.change(["SO-3"], notes=name)
    encoded_shop.insert([name], notes=name)
    assert encoded_shop.run().summary["synced"] == 2
    crm = encoded_shop.crm()
    assert {record["Customer_Name"] for key, record in crm.items() if key != name} == {name}
    assert (crm["SO-3"]["Notes"], crm[name]["Notes"]) == (name, name)
    assert encoded_shop.run().summary["read"] == 0


@pytest.mark.parametrize("charset", ["utf8", "utf8mb3", "latin1", "utf8mb4"])
def test_a_charset_in_the_url_of_mysql_changes_no_letter(
    mariadb_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, charset: str
) -> None:
    shop = Shop(mariadb_url, zoho_emulator, tmp_path)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders MODIFY customer_name VARCHAR(300) CHARACTER SET latin1")
    shop.tap_config["page_size"] = 3
    shop.url = shop.ack_url = f"{mariadb_url.partition('?')[0]}?charset={charset}"
    shop.insert([f"SO-{number}" for number in range(10)], customer_name="Zoë €", notes="Łódź 注文 😀")
    assert shop.run().summary["synced"] == 10
    shop.change(["SO-3"], notes="changed")
    assert shop.run().summary["synced"] == 1
    crm = shop.crm()
    shop.engine.dispose()
    assert {record["Customer_Name"] for record in crm.values()} == {"Zoë €"}
    assert [record["Notes"] for key, record in crm.items() if key != "SO-3"] == ["Łódź 注文 😀"] * 9


@pytest.mark.parametrize("ledger", ["beside", "elsewhere"])
def test_a_byte_of_another_encoding_costs_one_order_and_names_its_column(
    zoho_emulator: EmulatorProcess, tmp_path: Path, ledger: str
) -> None:
    with postgresql_database(encoding="SQL_ASCII") as url:
        shop = Shop(f"{url}?client_encoding=utf8", zoho_emulator, tmp_path)
        shop.url = url
        shop.ack_url = url if ledger == "beside" else f"sqlite:///{tmp_path}/acks.sqlite"
        shop.tap_config["page_size"] = 3
        shop.insert([f"SO-{number}" for number in range(10)], notes="Zoë")
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE orders SET notes = E'M\\374ller' WHERE order_id = 'SO-4'")  # of LATIN1
            connection.exec_driver_sql("UPDATE orders SET order_id = E'SO-\\374' WHERE order_id = 'SO-7'")
        ended = shop.run()
        assert ended.code == 0, ended.err
        acks = shop.acks()
        assert {key for key, ack in acks.items() if ack.status == "synced"} == {f"SO-{n}" for n in range(10)} - {
            "SO-4",
            "SO-7",
        }
        assert (acks["SO-4"].status, acks["SO-4"].error_field) == ("rejected", "notes")
        assert "1 orders have no usable key in order_id" in ended.err
        shop.change(["SO-4"], notes="Müller")
        assert shop.run().summary["synced"] == 1
        shop.engine.dispose()
