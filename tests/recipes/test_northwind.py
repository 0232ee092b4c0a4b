"""docs/recipes/northwind.md: a schema without a column of changes, first loaded, then changed in ten ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
import yaml
from pair_of_plugins import Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PAGE = Path(__file__).parents[2] / "docs" / "recipes" / "northwind.md"
TABLES = """
CREATE TABLE customers (customer_id VARCHAR(5) PRIMARY KEY, company_name VARCHAR(40) NOT NULL);
CREATE TABLE orders (
    order_id SMALLINT PRIMARY KEY, customer_id VARCHAR(5) REFERENCES customers, order_date DATE, required_date DATE,
    shipped_date DATE, freight REAL, ship_name VARCHAR(40), ship_country VARCHAR(15)
);
CREATE TABLE order_details (
    order_id SMALLINT NOT NULL REFERENCES orders, product_id SMALLINT NOT NULL, unit_price REAL NOT NULL,
    quantity SMALLINT NOT NULL, discount REAL NOT NULL, PRIMARY KEY (order_id, product_id)
);
INSERT INTO customers SELECT id, 'Company ' || id FROM unnest(ARRAY['ALFKI', 'BONAP', 'CHOPS']) AS id;
INSERT INTO orders SELECT 10248 + n, CASE mod(n, 2) WHEN 0 THEN 'ALFKI' ELSE 'BONAP' END, date '1996-07-04' + n,
    date '1996-08-01' + n, NULL, 32.38 + n, 'Ship ' || n, 'Norway' FROM generate_series(0, 39) AS n;
INSERT INTO order_details SELECT 10248 + n, p, 14.5, n + p, 0.05
    FROM generate_series(0, 39) AS n, generate_series(1, 3) AS p
"""
CUSTOMERS = ("ALFKI", "BONAP", "CHOPS")
ORDERS = 40
CHANGES = {
    "a name": "UPDATE orders SET ship_name = 'Blondel père et fils' WHERE order_id = 10250",
    "a date of shipment": "UPDATE orders SET shipped_date = '1998-05-06' WHERE order_id = 10251",
    "a price": "UPDATE orders SET freight = 12.5 WHERE order_id = 10252",
    "another customer": "UPDATE orders SET customer_id = 'CHOPS' WHERE order_id = 10250",
    "a new order": "INSERT INTO orders VALUES (10999, 'ALFKI', '1998-05-06', NULL, NULL, 1, 'New', 'Peru')",
    "an old number": "INSERT INTO orders VALUES (10001, 'ALFKI', '1995-01-01', NULL, NULL, 1, 'Late', 'Peru')",
    "a line's quantity": "UPDATE order_details SET quantity = 99 WHERE order_id = 10253 AND product_id = 1",
    "a new line": "INSERT INTO order_details VALUES (10254, 77, 5, 5, 0.25)",
    "a line less": "DELETE FROM order_details WHERE order_id = 10255 AND product_id = 2",
    "an order less": "DELETE FROM order_details WHERE order_id = 10256; DELETE FROM orders WHERE order_id = 10256",
}
COSTS_A_RECORD = set(CHANGES) - {"a date of shipment"}
"""No field is mapped to the date of shipment, so that change costs no credit."""


def settings() -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of tap and target, as the page has them."""
    text = PAGE.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    tap, target = text.split("# target-zoho-crm\n")
    return yaml.safe_load(tap), yaml.safe_load(target)


class Northwind(Shop):
    """The shop with tables of its own."""

    def __post_init__(self) -> None:
        self.ack_url = self.url
        self.engine = sa.create_engine(self.url)
        self.state = self.folder / "state.json"
        self.tap_config, self.target_config = settings()
        self.tap_config["page_size"] = 7
        self.write(TABLES)

    def write(self, statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements.split(";"):
                connection.exec_driver_sql(statement)


@pytest.fixture
def northwind(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Northwind]:
    shop = Northwind(postgresql_url, zoho_emulator, tmp_path)
    accounts = [{"Account_Name": f"Account {customer}", "Legacy_Id": customer} for customer in CUSTOMERS]
    zoho_emulator.admin.put_records("Accounts", accounts)
    yield shop
    shop.engine.dispose()


def rows(shop: Shop, query: str) -> list[Any]:
    with shop.engine.connect() as connection:
        return list(connection.exec_driver_sql(query))


def assert_the_same(shop: Shop) -> None:
    """The CRM holds what the tables hold."""
    accounts = {each["id"]: each["Legacy_Id"] for each in shop.emulator.admin.records("Accounts")}
    orders = {
        str(row.order_id): (
            row.ship_name,
            row.ship_country,
            row.customer_id,
            str(row.order_date),
            round(row.freight, 2),
        )
        for row in rows(shop, "SELECT * FROM orders")
    }
    crm = shop.crm()
    assert orders == {
        key: (
            each["Customer_Name"],
            each["Country"],
            accounts[each["Account"]["id"]],
            each["Order_Date"],
            round(float(each["Total_Amount"]), 2),
        )
        for key, each in crm.items()
    }
    keys = {record["id"]: key for key, record in crm.items()}
    lines = {
        (str(row.order_id), str(row.product_id), row.quantity, round(row.unit_price, 2), round(row.discount, 2))
        for row in rows(shop, "SELECT * FROM order_details")
    }
    assert lines == {
        (
            keys[each["Order"]["id"]],
            each["Product"],
            int(each["Quantity"]),
            round(float(each["Unit_Price"]), 2),
            round(float(each["Discount"]), 2),
        )
        for each in shop.emulator.admin.records("Order_Lines")
    }


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(northwind: Northwind) -> None:
    assert northwind.run().summary["synced"] == ORDERS
    assert_the_same(northwind)
    assert northwind.run().summary["read"] == 0
    for what, statements in CHANGES.items():
        spent = northwind.written_credits()
        northwind.write(statements)
        ended = northwind.run()
        assert ended.code == 0, (what, ended.err)
        assert ended.summary["read"] == 1, what
        assert (northwind.written_credits() > spent) == (what in COSTS_A_RECORD), what
        assert_the_same(northwind)
    assert northwind.run().summary["read"] == 0
