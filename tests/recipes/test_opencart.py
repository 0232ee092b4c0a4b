"""docs/recipes/opencart.md: a history that alone shows another status, and lines whose ids change with every edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_contents_are_a_net, assert_each_is_found, local_zone, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TABLES = """
CREATE TABLE oc_order (
    order_id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY, invoice_no int(11) NOT NULL DEFAULT 0,
    invoice_prefix varchar(26) NOT NULL DEFAULT 'INV-', store_id int(11) NOT NULL DEFAULT 0,
    customer_id int(11) NOT NULL DEFAULT 0, firstname varchar(32) NOT NULL DEFAULT '', lastname varchar(32) NOT NULL,
    email varchar(96) NOT NULL, payment_country varchar(128) NOT NULL DEFAULT '', comment text, custom_field text,
    total decimal(15,4) NOT NULL DEFAULT 0, order_status_id int(11) NOT NULL DEFAULT 0,
    currency_code varchar(3) NOT NULL, currency_value decimal(15,8) NOT NULL DEFAULT 1, date_added datetime NOT NULL,
    date_modified datetime NOT NULL
) ENGINE=MyISAM;
CREATE TABLE oc_order_product (
    order_product_id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id int(11) NOT NULL, product_id int(11)
    NOT NULL DEFAULT 0, name varchar(255) NOT NULL, model varchar(64) NOT NULL, quantity int(4) NOT NULL,
    price decimal(15,4) NOT NULL DEFAULT 0, total decimal(15,4) NOT NULL DEFAULT 0, KEY order_id (order_id)
) ENGINE=MyISAM;
CREATE TABLE oc_order_history (
    order_history_id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id int(11) NOT NULL, order_status_id int(11)
    NOT NULL, notify tinyint(1) NOT NULL DEFAULT 0, comment text NOT NULL, date_added datetime NOT NULL
) ENGINE=MyISAM;
INSERT INTO oc_order (order_id, customer_id, lastname, email, payment_country, total, order_status_id, currency_code,
    date_added, date_modified)
SELECT seq, MOD(seq, 3), 'Müller', CONCAT('d', seq, '@example.com'), 'Germany', 30.5 + seq, IF(seq > 18, 0, 1), 'EUR',
    '2026-01-05 10:00:00', '2026-01-05 10:00:00' + INTERVAL seq MINUTE FROM seq_1_to_20;
INSERT INTO oc_order_product (order_id, name, model, quantity, price, total)
SELECT 1 + MOD(seq, 20), CONCAT('Lamp ', seq), CONCAT('L', seq), 1, 15.25, 15.25 FROM seq_1_to_40;
INSERT INTO oc_order_history (order_id, order_status_id, comment, date_added)
SELECT order_id, 1, '', date_added FROM oc_order WHERE order_status_id > 0
"""
ORDERS = """SELECT order_id AS parent_id, order_status_id AS Notes, lastname AS Customer_Name, email AS Customer_Email,
    payment_country AS Country, currency_code AS Currency_Code, total AS Total_Amount, DATE(date_added) AS Order_Date,
    NULLIF(customer_id, 0) AS Account FROM oc_order WHERE order_status_id > 0"""
LINES = """SELECT CONCAT(l.order_id, '|', ROW_NUMBER() OVER (PARTITION BY l.order_id ORDER BY order_product_id)) AS
    line_id, l.order_id AS `Order`, name AS Product, model AS Sku, quantity AS Quantity, price AS Unit_Price,
    l.total AS Line_Total FROM oc_order_product l JOIN oc_order USING (order_id) WHERE order_status_id > 0"""
COPIED = "order_id, name, model, {}, price, total FROM oc_order_product WHERE order_id = "


def edited(order: int, *, quantity: str = "quantity", less: int = 0) -> str:
    """What an edit does: all lines are deleted and inserted again, `less` of them not."""
    return (
        f"CREATE TEMPORARY TABLE old AS SELECT {COPIED.format(f'{quantity} AS quantity')} {order} "
        f"ORDER BY order_product_id LIMIT {less}, 99; DELETE FROM oc_order_product WHERE order_id = {order}; "
        "INSERT INTO oc_order_product (order_id, name, model, quantity, price, total) SELECT * FROM old; "
        f"DROP TABLE old; UPDATE oc_order SET date_modified = NOW() WHERE order_id = {order}"
    )


def with_status(order: int, status: int, more: str = "") -> str:
    """Another status since 4.1; up to 4.0 with the time of change as `more`."""
    return (
        f"UPDATE oc_order SET order_status_id = {status}{more} WHERE order_id = {order}; INSERT INTO oc_order_history "
        f"(order_id, order_status_id, comment, date_added) VALUES ({order}, {status}, '', NOW())"
    )


CHANGES = {
    "another status since 4.1": with_status(2, 3),
    "another status up to 4.0": with_status(3, 5, ", date_modified = NOW()"),
    "a finished checkout": with_status(19, 1),
    "a new order of a guest": "INSERT INTO oc_order (order_id, lastname, email, total, currency_code, date_added, "
    "date_modified) VALUES (50, 'New', 'n@example.com', 5, 'USD', NOW(), NOW()); INSERT INTO oc_order_product "
    f"(order_id, name, model, quantity) VALUES (50, 'Bulb', 'B', 1); {with_status(50, 1)}",
    "an edit that changes a quantity": edited(4, quantity="quantity + 1"),
    "an edit that takes a line away": edited(5, less=1),
    "an edit that adds a line": "INSERT INTO oc_order_product (order_id, name, model, quantity) VALUES "
    f"(6, 'Cord', 'C', 2); {edited(6)}",
    "another customer": "UPDATE oc_order SET customer_id = 1, date_modified = NOW() WHERE order_id = 7",
    "another country": "UPDATE oc_order SET payment_country = 'Austria', date_modified = NOW() WHERE order_id = 8",
    "an edit that changes nothing": edited(9),
    "a deleted order": "DELETE FROM oc_order WHERE order_id = 10; DELETE FROM oc_order_product WHERE order_id = 10; "
    "DELETE FROM oc_order_history WHERE order_id = 10",
}
HIDDEN = {
    "a checkout that is not finished": "INSERT INTO oc_order (lastname, email, currency_code, date_added, "
    "date_modified) VALUES ('No', 'no@example.com', 'EUR', NOW(), NOW())",
    "a status by a module of 3.x": "UPDATE oc_order SET order_status_id = 7 WHERE order_id = 11",
}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    session = (local_zone("Europe/Berlin"),)
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": ("1", "2"), "session": session}
    with recipe_shop("opencart", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
        assert_contents_are_a_net(shop, "11")
