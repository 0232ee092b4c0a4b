"""Change columns of docs/database.md: by its statements the next run finds every change of an order or of its lines."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from pair_of_plugins import Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PAGE = Path(__file__).parents[2] / "docs" / "database.md"
HEADINGS = {"postgresql": "PostgreSQL", "mysql": "MySQL and MariaDB", "sqlite": "SQLite"}
TABLES = (
    "CREATE TABLE orders (order_id VARCHAR(40) PRIMARY KEY, customer_name VARCHAR(100))",
    "CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id VARCHAR(40) NOT NULL, quantity INTEGER)",
    "INSERT INTO orders VALUES ('A', 'Ada'), ('B', 'Bob'), ('C', 'Cy')",
    "INSERT INTO order_lines VALUES (1, 'A', 1), (2, 'A', 2), (3, 'B', 3)",
)
CHANGES = {
    "INSERT INTO orders (order_id, customer_name) VALUES ('D', 'Di')": {"D"},
    "UPDATE orders SET customer_name = 'Zoe' WHERE order_id = 'A'": {"A"},
    "INSERT INTO order_lines VALUES (4, 'B', 4)": {"B"},
    "UPDATE order_lines SET quantity = 9 WHERE id = 2": {"A"},
    "UPDATE order_lines SET order_id = 'C' WHERE id = 3": {"B", "C"},
    "DELETE FROM order_lines WHERE id = 1": {"A"},
}


class ShopOfThePage(Shop):
    """Tables without a column of changes, and the page's statements over them."""

    def __post_init__(self) -> None:
        self.ack_url = self.url
        self.engine = sa.create_engine(self.url)
        self.state = self.folder / "state.json"
        self.tap_config |= {"lines": {"table": "order_lines"}, "settle_seconds": 0}
        self.target_config |= {"lines": {"write_to": "module"}}
        for statement in (*TABLES, *statements(self.engine.dialect.name)):
            self.write(statement)

    def write(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement.replace("%", "%%") if self.engine.name != "sqlite" else statement)

    def times(self) -> dict[str, str]:
        with self.engine.connect() as connection:
            return {key: str(at) for key, at in connection.exec_driver_sql("SELECT order_id, updated_at FROM orders")}

    def lines(self) -> set[tuple[str, str, int]]:
        """Key, order and quantity of each line of the shop."""
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT id, order_id, quantity FROM order_lines")
            return {(str(key), order, quantity) for key, order, quantity in rows}

    def lines_in_the_crm(self) -> set[tuple[str, str, int]]:
        keys = {record["id"]: record["parent_id"] for record in self.emulator.admin.records("Orders")}
        found = self.emulator.admin.records("Order_Lines")
        return {(line["line_id"], keys[line["Order"]["id"]], int(line["Quantity"])) for line in found}


def statements(dialect: str) -> list[str]:
    """Those under the engine's heading; a blank line parts them."""
    heading = HEADINGS["mysql" if dialect == "mariadb" else dialect]
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    blocks = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    return [each.strip() for block in blocks for each in block.strip().split("\n\n")]


@pytest.fixture
def shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopOfThePage]:
    made = ShopOfThePage(engine_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()


def test_each_change_of_an_order_or_of_its_lines_sets_the_column(shop: ShopOfThePage) -> None:
    for change, of in CHANGES.items():
        before = shop.times()
        shop.write(change)
        assert {key for key, at in shop.times().items() if at != before.get(key)} == of, change


def the_second_is_over() -> None:
    """Wait for the next one: what changed in this second is left to a later run, as the column has seconds alone."""
    since = int(time.time())
    while int(time.time()) <= since + 1:
        time.sleep(0.05)


def test_the_next_run_finds_what_changed_and_nothing_else(shop: ShopOfThePage) -> None:
    the_second_is_over()
    first = shop.run()
    assert (first.code, first.summary["synced"]) == (0, 3), first.err
    assert "by updated_at" in first.err
    for change in CHANGES:
        shop.write(change)
    the_second_is_over()
    assert shop.run().summary["read"] == 4
    assert shop.lines_in_the_crm() == shop.lines()
    assert shop.run().summary["read"] == 0
