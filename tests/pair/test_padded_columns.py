"""Columns that a database pads with blanks (CHAR): none of these blanks reaches the CRM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from careful_shop import CarefulShop
from click.testing import CliRunner
from pair_of_plugins import Shop
from shop_with_lines import LINES, TO_SUBFORM, ShopWithLines

from orders_sync.cli import main

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

pytestmark = pytest.mark.parametrize("engine_url", ["postgresql", "mariadb"], indirect=True)
CHANNELS = ["upsert", "bulk_write"]


def pad(shop: Shop, table: str, column: str, length: int) -> None:
    """Give a column a fixed length."""
    change = "ALTER {0} TYPE CHAR({1})" if shop.engine.dialect.name == "postgresql" else "MODIFY {0} CHAR({1})"
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} {change.format(column, length)}")


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_short_value_of_a_long_column_fits_a_short_field(any_shop: Shop, channel: str) -> None:
    any_shop.target_config = {"channel": channel, "fields": {"customer_name": "Code"}}
    any_shop.emulator.admin.add_field("Orders", "Code", "text", length=3)
    pad(any_shop, "orders", "customer_name", 10)
    any_shop.insert(["A"], customer_name="abc")
    any_shop.insert(["B"], customer_name="")
    any_shop.insert(["C"], customer_name="abcd")
    ended = any_shop.run()
    assert ended.code == 0, ended.err
    assert {key: record["Code"] for key, record in any_shop.crm().items()} == {"A": "abc", "B": None}
    assert any_shop.acks()["C"].status == "rejected"
    any_shop.state.unlink()
    assert any_shop.run().summary["synced"] == 0


def test_lines_carry_no_padding(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    shop = ShopWithLines(engine_url, zoho_emulator, tmp_path, write_to=dict(TO_SUBFORM))
    pad(shop, "order_lines", "product", 50)
    shop.insert(["A"])
    with shop.engine.begin() as connection:
        connection.execute(sa.insert(LINES), [shop.line("A", 1, product="ab"), shop.line("A", 2, product=" b")])
    assert shop.run().code == 0
    assert [line["product"] for line in shop.crm_lines().values()] == ["ab", " b"]
    shop.engine.dispose()


@pytest.fixture
def careful(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[CarefulShop]:
    shop = CarefulShop(engine_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


def test_neither_a_first_load_nor_an_audit_minds_padding_where_the_crm_trims(careful: CarefulShop) -> None:
    for column in ("customer_name", "notes"):
        pad(careful, "orders", column, 60)
        careful.alter({"field": "Customer_Name", "does": "trim"}, {"field": "Notes", "does": "trim"})
    careful.insert([f"SO-{number}" for number in range(12)], notes="ring twice")
    ended = careful.run()
    assert (ended.code, len(careful.crm())) == (0, 12), ended.err
    tap, target = map(str, careful.configs())
    audit = CliRunner().invoke(main, ["audit", "--tap-config", tap, "--target-config", target])
    assert audit.exit_code == 0, audit.output
