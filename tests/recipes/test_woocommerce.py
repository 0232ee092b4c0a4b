"""docs/recipes/woocommerce.md: the tables of orders of newer shops, changed as WooCommerce changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_contents_are_a_net, assert_each_is_found, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TABLES = """
CREATE TABLE wp_wc_orders (
    id bigint unsigned PRIMARY KEY, status varchar(20), currency varchar(10), type varchar(20),
    tax_amount decimal(26,8), total_amount decimal(26,8), customer_id bigint unsigned, billing_email varchar(320),
    date_created_gmt datetime, date_updated_gmt datetime, parent_order_id bigint unsigned,
    payment_method varchar(100), payment_method_title text, transaction_id varchar(100), ip_address varchar(100),
    user_agent text, customer_note text, KEY date_updated (date_updated_gmt)
);
CREATE TABLE wp_woocommerce_order_items (
    order_item_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, order_item_name text NOT NULL,
    order_item_type varchar(200) NOT NULL DEFAULT '', order_id bigint unsigned NOT NULL, KEY order_id (order_id)
);
CREATE TABLE wp_woocommerce_order_itemmeta (
    meta_id bigint unsigned AUTO_INCREMENT PRIMARY KEY, order_item_id bigint unsigned NOT NULL,
    meta_key varchar(255), meta_value longtext, KEY order_item_id (order_item_id)
);
INSERT INTO wp_wc_orders (id, status, currency, type, total_amount, customer_id, billing_email, date_created_gmt,
    date_updated_gmt)
SELECT 100 + seq, 'wc-processing', 'EUR', 'shop_order', 19.9 + seq, MOD(seq, 3), CONCAT('a', seq, '@example.com'),
    '2026-01-05 10:00:00', '2026-01-05 10:00:00' + INTERVAL seq MINUTE FROM seq_1_to_20;
INSERT INTO wp_wc_orders (id, status, currency, type, total_amount, customer_id, date_created_gmt, date_updated_gmt)
VALUES (200, 'auto-draft', 'EUR', 'shop_order', 0, 0, '2026-01-06', '2026-01-06'),
    (201, 'wc-completed', 'EUR', 'shop_order_refund', -5, 0, '2026-01-06', '2026-01-06');
INSERT INTO wp_woocommerce_order_items (order_item_id, order_item_name, order_item_type, order_id)
SELECT 1000 + seq, CONCAT('Cup ', seq), IF(seq > 40, 'shipping', 'line_item'), 101 + MOD(seq, 20) FROM seq_1_to_60;
INSERT INTO wp_woocommerce_order_itemmeta (order_item_id, meta_key, meta_value)
SELECT order_item_id, '_qty', '2' FROM wp_woocommerce_order_items WHERE order_item_type = 'line_item';
INSERT INTO wp_woocommerce_order_itemmeta (order_item_id, meta_key, meta_value)
SELECT order_item_id, '_line_total', '9.9' FROM wp_woocommerce_order_items;
INSERT INTO wp_woocommerce_order_itemmeta (order_item_id, meta_key, meta_value)
SELECT order_item_id, '_product_id', order_item_id - 900 FROM wp_woocommerce_order_items
"""
ORDERS = """SELECT id AS parent_id, status AS Notes, currency AS Currency_Code, total_amount AS Total_Amount,
    billing_email AS Customer_Email, date_created_gmt AS Ordered_At, NULLIF(customer_id, 0) AS Account
    FROM wp_wc_orders WHERE type = 'shop_order' AND status <> 'auto-draft'"""
LINES = """SELECT l.order_item_id AS line_id, l.order_id AS `Order`, l.name AS Product, l.product_id AS Sku,
    l.qty AS Quantity, l.line_total AS Line_Total FROM order_lines l JOIN wp_wc_orders o ON o.id = l.order_id"""
SAVED = "UPDATE wp_wc_orders SET date_updated_gmt = UTC_TIMESTAMP() WHERE id = "
CHANGES = {
    "another status": "UPDATE wp_wc_orders SET status = 'wc-completed', date_updated_gmt = UTC_TIMESTAMP() "
    "WHERE id = 102",
    "another address for mails": "UPDATE wp_wc_orders SET billing_email = 'zoe@example.com', "
    "date_updated_gmt = UTC_TIMESTAMP() WHERE id = 103",
    "an order by a guest": """INSERT INTO wp_wc_orders (id, status, currency, type, total_amount, customer_id,
        date_created_gmt, date_updated_gmt)
        VALUES (300, 'wc-pending', 'USD', 'shop_order', 12.345, 0, UTC_TIMESTAMP(), UTC_TIMESTAMP());
        INSERT INTO wp_woocommerce_order_items VALUES (2000, 'Plate', 'line_item', 300);
        INSERT INTO wp_woocommerce_order_itemmeta (order_item_id, meta_key, meta_value) VALUES (2000, '_qty', '1.5')""",
    "a draft that becomes an order": "UPDATE wp_wc_orders SET status = 'wc-pending', customer_id = 2, "
    "date_updated_gmt = UTC_TIMESTAMP() WHERE id = 200",
    "a line's quantity": "UPDATE wp_woocommerce_order_itemmeta SET meta_value = '7' WHERE meta_key = '_qty' AND "
    f"order_item_id = (SELECT MIN(order_item_id) FROM wp_woocommerce_order_items WHERE order_id = 104); {SAVED} 104",
    "a new line": "INSERT INTO wp_woocommerce_order_items VALUES (2001, 'Bowl', 'line_item', 105); INSERT INTO "
    "wp_woocommerce_order_itemmeta (order_item_id, meta_key, meta_value) VALUES (2001, '_qty', '3'), "
    f"(2001, '_line_total', '30'); {SAVED} 105",
    "a line less": "DELETE FROM wp_woocommerce_order_items WHERE order_id = 106 AND order_item_type = 'line_item' "
    f"LIMIT 1; {SAVED} 106",
    "another customer": "UPDATE wp_wc_orders SET customer_id = 1, date_updated_gmt = UTC_TIMESTAMP() WHERE id = 107",
    "to the trash": "UPDATE wp_wc_orders SET status = 'trash', date_updated_gmt = UTC_TIMESTAMP() WHERE id = 108",
    "deleted for good": "DELETE FROM wp_woocommerce_order_items WHERE order_id = 109; "
    "DELETE FROM wp_wc_orders WHERE id = 109",
}
HIDDEN = {
    "an item that a plugin saved alone": "UPDATE wp_woocommerce_order_itemmeta SET meta_value = '8.8' "
    "WHERE meta_key = '_line_total' AND order_item_id = 1010",
}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": ("1", "2")}
    with recipe_shop("woocommerce", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
        assert_contents_are_a_net(shop, "111")
