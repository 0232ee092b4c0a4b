"""docs/recipes/prestashop.md: times are local, and dates that are not known yet are zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_contents_are_a_net, assert_each_is_found, local_zone, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SESSION = (local_zone("Europe/Paris"), "SET sql_mode = ''")
TABLES = """
CREATE TABLE ps_orders (
    id_order int(10) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, reference varchar(9),
    id_shop int(11) unsigned NOT NULL DEFAULT 1, id_customer int(10) unsigned NOT NULL,
    id_currency int(10) unsigned NOT NULL DEFAULT 1,
    id_address_delivery int(10) unsigned NOT NULL DEFAULT 1, id_address_invoice int(10) unsigned NOT NULL DEFAULT 1,
    current_state int(10) unsigned NOT NULL, payment varchar(255) NOT NULL, conversion_rate decimal(13,6) NOT NULL
    DEFAULT 1, total_paid decimal(20,6) NOT NULL DEFAULT 0, invoice_date datetime NOT NULL, delivery_date datetime
    NOT NULL, date_add datetime NOT NULL, date_upd datetime NOT NULL
);
CREATE TABLE ps_order_detail (
    id_order_detail int(10) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_order int(10) unsigned NOT NULL,
    product_id int(10) unsigned NOT NULL, product_name varchar(255) NOT NULL, product_reference varchar(64),
    product_quantity int(10) unsigned NOT NULL DEFAULT 0, unit_price_tax_incl decimal(20,6) NOT NULL DEFAULT 0,
    total_price_tax_incl decimal(20,6) NOT NULL DEFAULT 0, KEY order_detail_order (id_order)
);
CREATE TABLE ps_order_history (
    id_order_history int(10) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_order int(10) unsigned NOT NULL,
    id_order_state int(10) unsigned NOT NULL, date_add datetime NOT NULL
);
INSERT INTO ps_orders (id_order, reference, id_customer, current_state, payment, total_paid, date_add, date_upd)
SELECT seq, CONCAT('REF', FLOOR((seq + 1) / 2)), 1 + MOD(seq, 2), 1, 'Cheque', 10.5 * seq, '2026-01-05 23:30:00',
    '2026-01-05 23:30:00' + INTERVAL seq MINUTE FROM seq_1_to_20;
INSERT INTO ps_order_detail (id_order, product_id, product_name, product_reference, product_quantity,
    unit_price_tax_incl, total_price_tax_incl)
SELECT 1 + MOD(seq, 20), seq, CONCAT('Mug n° ', seq), CONCAT('M', seq), 2, 5.25, 10.5 FROM seq_1_to_40
"""
ORDERS = """SELECT id_order AS parent_id, reference AS Name, current_state AS Notes, total_paid AS Total_Amount,
    DATE(date_add) AS Order_Date, id_customer AS Account,
    IF(invoice_date = 0, NULL, invoice_date - INTERVAL 1 HOUR) AS Ordered_At FROM ps_orders"""
LINES = """SELECT id_order_detail AS line_id, id_order AS `Order`, LEFT(product_name, 200) AS Product,
    product_reference AS Sku, product_quantity AS Quantity, unit_price_tax_incl AS Unit_Price,
    total_price_tax_incl AS Line_Total
    FROM ps_order_detail"""


def saved(order: int, values: str = "total_paid = total_paid + 1") -> str:
    """What the shop does when an order is saved."""
    return f"UPDATE ps_orders SET {values}, date_upd = NOW() WHERE id_order = {order}"


CHANGES = {
    "another state": f"INSERT INTO ps_order_history VALUES (NULL, 2, 5, NOW()); {saved(2, 'current_state = 5')}",
    "an invoice": saved(3, "invoice_date = '2026-01-20 09:00:00'"),
    "another address": saved(4, "id_address_delivery = 7"),
    "a new order": "INSERT INTO ps_orders (reference, id_customer, current_state, payment, total_paid, date_add, "
    "date_upd) VALUES ('NEWREF', 2, 10, 'Card', 9.99, NOW(), NOW()); INSERT INTO ps_order_detail (id_order, "
    "product_id, product_name, product_quantity) VALUES (LAST_INSERT_ID(), 5, 'Plate', 1)",
    "a quantity": f"UPDATE ps_order_detail SET product_quantity = 9 WHERE id_order = 5 LIMIT 1; {saved(5)}",
    "a new line": "INSERT INTO ps_order_detail (id_order, product_id, product_name, product_quantity) "
    f"VALUES (6, 5, REPEAT('Bowl', 60), 3); {saved(6)}",
    "a line less": f"DELETE FROM ps_order_detail WHERE id_order = 7 LIMIT 1; {saved(7)}",
    "another customer": saved(8, "id_customer = 1"),
    "two changes in one second": f"{saved(9, 'current_state = 2')}; {saved(9, 'current_state = 4')}",
    "a deleted order": "DELETE FROM ps_order_detail WHERE id_order = 10; DELETE FROM ps_orders WHERE id_order = 10",
}
HIDDEN = {"a line that a module wrote": "UPDATE ps_order_detail SET product_name = 'Cup' WHERE id_order = 11"}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": ("1", "2"), "session": SESSION}
    with recipe_shop("prestashop", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
        assert_contents_are_a_net(shop, "11")
