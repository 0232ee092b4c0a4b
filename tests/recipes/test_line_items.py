"""Zoho's own sales orders in docs/whole-orders.md: init, doctor and a first run by the settings of the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from pair_of_plugins import Shop

from orders_sync.cli import main

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PAGE = Path(__file__).parents[2] / "docs" / "whole-orders.md"
SECTION = "## Zoho's own sales orders"
TABLES = """
CREATE TABLE orders (order_no VARCHAR(20) PRIMARY KEY, customer_no VARCHAR(20), status VARCHAR(10),
    shipping_costs DECIMAL(12, 2), updated_at TIMESTAMP NOT NULL);
CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id VARCHAR(20) REFERENCES orders, sku VARCHAR(20),
    quantity INTEGER, unit_price DECIMAL(12, 2), discount_percent DECIMAL(5, 2), tax VARCHAR(20));
INSERT INTO orders VALUES ('A-1', 'C-7', 'new', 4.9, '2026-01-01 08:00:00'), ('A-2', 'C-7', 'shipped', 0, '2026-01-02');
INSERT INTO order_items VALUES (1, 'A-1', 'CHAIR', 3, 33.33, 10, 'VAT'), (2, 'A-1', 'DESK', 1, 200, NULL, NULL),
    (3, 'A-2', 'DESK', 2, 199.99, 2.5, 'Reduced VAT')
"""


class Page(Shop):
    """The shop of the page, with its settings."""

    def __post_init__(self) -> None:
        super().__post_init__()
        with self.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE orders")
            for statement in TABLES.split(";"):
                connection.exec_driver_sql(statement)
        section = PAGE.read_text(encoding="utf-8").partition(SECTION)[2]
        text = section.partition("```yaml\n")[2].partition("```")[0]
        tap, target = text.split("# target-zoho-crm\n")
        self.tap_config |= yaml.safe_load(tap)
        self.target_config |= yaml.safe_load(target)
        self.emulator.admin.put_records("Accounts", [{"Account_Name": "Ada", "Legacy_Id": "C-7"}])
        products = [{"Product_Name": code.title(), "Product_Code": code} for code in ("CHAIR", "DESK")]
        self.emulator.admin.put_records("Products", products)

    def command(self, *words: str) -> Any:
        tap, target = self.configs()
        return CliRunner().invoke(main, [*words, "--tap-config", str(tap), "--target-config", str(target)])


@pytest.fixture
def page(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Page:
    return Page(sqlite_url, zoho_emulator, tmp_path)


def test_init_makes_the_key_field_and_says_what_is_made_by_hand(page: Page) -> None:
    made = page.command("init", "--yes")
    assert made.exit_code == 0, made.output
    assert "Legacy_No is made." in made.output
    assert "Make a text field Line_Id in the line items Ordered_Items by hand" in made.output
    found = page.command("doctor")
    assert "Module Ordered_Items has no field Line_Id" in found.output
    page.emulator.admin.add_field("Ordered_Items", "Line_Id", "text")
    found = page.command("doctor")
    assert found.exit_code == 0, found.output
    assert "their settings fit, in a subform" in found.output
    assert "Account_Name" in found.output
    page.engine.dispose()


def test_a_first_run_by_the_settings_of_the_page(page: Page) -> None:
    page.command("init", "--yes")
    page.emulator.admin.add_field("Ordered_Items", "Line_Id", "text")
    ended = page.run()
    assert ended.summary["synced"] == 2, ended.err
    found = {record["Legacy_No"]: record for record in page.emulator.admin.records("Sales_Orders")}
    totals = {key: str(record["Grand_Total"]) for key, record in found.items()}
    assert totals == {"A-1": "311.99", "A-2": "417.28"}
    assert found["A-1"]["Account_Name"]["name"] == "Ada"
    assert found["A-2"]["Status"] == "Delivered"
    page.engine.dispose()
