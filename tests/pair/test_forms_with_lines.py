"""A column more or elsewhere in the lines' table sends no order by itself; what changed in a line meanwhile is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from pair_of_plugins import ORDERS
from shop_with_lines import LINES, ShopWithLines

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

KEYS = [f"SO-{number}" for number in range(6)]
COLUMNS = [column.name for column in LINES.c]


@pytest.fixture
def shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopWithLines]:
    """A shop on each engine whose orders have lines, all of them synced."""
    shop = ShopWithLines(engine_url, zoho_emulator, tmp_path)
    shop.insert(KEYS)
    shop.add_lines({key: number % 3 for number, key in enumerate(KEYS)})
    assert shop.run().summary["synced"] == len(KEYS)
    yield shop
    shop.engine.dispose()


def sql(shop: ShopWithLines, *statements: str) -> None:
    with shop.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_column_more_or_in_another_place_of_the_lines_sends_nothing_by_itself(shop: ShopWithLines) -> None:
    spent = shop.written_credits()
    sql(shop, "ALTER TABLE order_lines ADD COLUMN shelf VARCHAR(20)")
    assert shop.run().summary["synced"] == 0
    assert shop.run().summary["read"] == 0
    names = ", ".join(reversed([*COLUMNS, "shelf"]))
    sql(shop, f"CREATE TABLE moved AS SELECT {names} FROM order_lines", "DROP TABLE order_lines")
    sql(shop, "ALTER TABLE moved RENAME TO order_lines")
    shop.tap_config["lines"] |= {"key_column": "id"}
    assert shop.run().summary["synced"] == 0
    shop.tap_config["lines"] |= {"columns": ["unit_price", *COLUMNS[:-2], "note"]}
    assert shop.run().summary["synced"] == 0
    assert shop.written_credits() == spent
    shop.assert_whole()


def test_a_line_that_changed_while_a_column_came_is_sent(shop: ShopWithLines) -> None:
    sql(shop, "ALTER TABLE order_lines ADD COLUMN shelf VARCHAR(20)")
    with shop.engine.begin() as connection:  # alone, under the version that the order has
        line = connection.execute(sa.select(LINES.c.id).where(LINES.c.order_id == KEYS[2]).limit(1)).scalar_one()
        connection.execute(sa.update(LINES).where(LINES.c.id == line).values(note="changed"))
        connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == KEYS[2]).values(status="Paid"))
    ended = shop.run()
    assert ended.summary["synced"] == 1
    assert shop.run().summary["read"] == 0
    shop.assert_whole()
