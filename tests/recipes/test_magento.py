"""docs/recipes/magento.md: the database itself keeps the times of change, of orders and of their items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_contents_are_a_net, assert_each_is_found, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TABLES = """
CREATE TABLE sales_order (
    entity_id int(10) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, state varchar(32), status varchar(32),
    store_id smallint(5) unsigned, customer_id int(10) unsigned, base_grand_total decimal(20,4),
    grand_total decimal(20,4), increment_id varchar(50), order_currency_code varchar(3), customer_email varchar(128),
    edit_increment int(11), original_increment_id varchar(50), relation_parent_id varchar(32), shipping_address_id int,
    created_at timestamp NOT NULL DEFAULT current_timestamp(),
    updated_at timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
    UNIQUE KEY (increment_id, store_id), KEY (updated_at)
);
CREATE TABLE sales_order_item (
    item_id int(10) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id int(10) unsigned NOT NULL,
    parent_item_id int(10) unsigned, product_type varchar(255), product_options longtext, sku varchar(255),
    name varchar(255), qty_ordered decimal(12,4), qty_shipped decimal(12,4), price decimal(12,4) NOT NULL DEFAULT 0,
    row_total decimal(20,4) NOT NULL DEFAULT 0, created_at timestamp NOT NULL DEFAULT current_timestamp(),
    updated_at timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(), KEY (order_id)
);
CREATE TABLE sales_order_address (
    entity_id int(10) unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, parent_id int(10) unsigned, city varchar(255)
);
INSERT INTO sales_order (entity_id, state, status, store_id, customer_id, grand_total, increment_id,
    order_currency_code, customer_email, created_at, updated_at)
SELECT seq, 'new', 'pending', 1, IF(MOD(seq, 3) = 0, NULL, MOD(seq, 3)), 20.55 + seq, LPAD(seq, 9, '0'), 'EUR',
    CONCAT('b', seq, '@example.com'), '2026-01-05 10:00:00', '2026-01-05 10:00:00' + INTERVAL seq MINUTE
FROM seq_1_to_20;
INSERT INTO sales_order_item (item_id, order_id, parent_item_id, product_type, sku, name, qty_ordered, price,
    row_total, created_at, updated_at)
SELECT seq, 1 + MOD(seq, 20), IF(seq > 40, seq - 20, NULL), 'simple', CONCAT('SKU-', seq), 'Shirt', 2, 10.2775, 20.555,
    '2026-01-05 10:00:00', '2026-01-05 10:00:00' FROM seq_1_to_60;
INSERT INTO sales_order_address (parent_id, city) SELECT entity_id, 'Lyon' FROM sales_order
"""
ORDERS = """SELECT entity_id AS parent_id, increment_id AS Name, status AS Notes, customer_email AS Customer_Email,
    order_currency_code AS Currency_Code, grand_total AS Total_Amount, CONVERT_TZ(created_at, @@session.time_zone,
    '+00:00') AS Ordered_At, customer_id AS Account FROM sales_order"""
LINES = """SELECT item_id AS line_id, order_id AS `Order`, name AS Product, sku AS Sku, qty_ordered AS Quantity,
    qty_shipped AS Note, price AS Unit_Price, row_total AS Line_Total FROM sales_order_item
    WHERE parent_item_id IS NULL"""
ITEM = "(SELECT id FROM (SELECT MIN(item_id) AS id FROM sales_order_item WHERE order_id = {}) AS t)"
EDIT = (
    "UPDATE sales_order SET status = 'canceled' WHERE entity_id = 5; INSERT INTO sales_order (entity_id, status, "
    "store_id, grand_total, increment_id, original_increment_id, edit_increment, relation_parent_id) "
    "VALUES (103, 'pending', 1, 6, '000000005-1', '000000005', 1, '5')"
)
CHANGES: dict[str, str | tuple[str, int]] = {
    "another status": "UPDATE sales_order SET state = 'processing', status = 'processing' WHERE entity_id = 2",
    "a shipment, which changes the item alone": "UPDATE sales_order_item SET qty_shipped = 2 "
    f"WHERE item_id = {ITEM.format(3)}",
    "a price": f"UPDATE sales_order_item SET price = 9, row_total = 18 WHERE item_id = {ITEM.format(4)}; "
    "UPDATE sales_order SET grand_total = 18 WHERE entity_id = 4",
    "a new order of a guest": "INSERT INTO sales_order (entity_id, status, store_id, grand_total, increment_id, "
    "order_currency_code) VALUES (101, 'pending', 1, 5, '000000101', 'USD'); "
    "INSERT INTO sales_order_item (order_id, sku, name, qty_ordered) VALUES (101, 'X', 'Cap', 1)",
    "the same number in another store": "INSERT INTO sales_order (entity_id, status, store_id, grand_total, "
    "increment_id) VALUES (102, 'pending', 2, 5, '000000101')",
    "an edit, which cancels the order and makes another one": (EDIT, 2),
    "a new line": "INSERT INTO sales_order_item (order_id, sku, name, qty_ordered) VALUES (6, 'Y', 'Belt', 1)",
    "a line less": f"DELETE FROM sales_order_item WHERE item_id = {ITEM.format(7)}; "
    "UPDATE sales_order SET grand_total = 1 WHERE entity_id = 7",
    "a customer that is deleted": "UPDATE sales_order SET customer_id = NULL WHERE entity_id = 8",
    "by SQL of somebody": "UPDATE sales_order SET customer_email = 'c@example.com' WHERE entity_id = 9",
    "a deleted order": "DELETE FROM sales_order_item WHERE order_id = 10; DELETE FROM sales_order WHERE entity_id = 10",
}
HIDDEN = {
    "an address alone": "UPDATE sales_order_address SET city = 'Nantes' WHERE parent_id = 11",
    "an item that is deleted by SQL": f"DELETE FROM sales_order_item WHERE item_id = {ITEM.format(12)}",
}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": ("1", "2")}
    with recipe_shop("magento", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
        assert_contents_are_a_net(shop, "12")
