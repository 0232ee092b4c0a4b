"""docs/recipes/woocommerce-posts.md: orders whose values are rows of a table of meta, compared by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_each_is_found, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TABLES = """
CREATE TABLE wp_posts (
    ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, post_author bigint unsigned NOT NULL DEFAULT 0, post_date
    datetime NOT NULL DEFAULT '2026-01-05', post_date_gmt datetime NOT NULL DEFAULT '2026-01-05 10:00:00',
    post_content longtext, post_title text, post_excerpt text, post_status varchar(20) NOT NULL DEFAULT 'publish',
    post_modified datetime NOT NULL DEFAULT '2026-01-05', post_modified_gmt datetime NOT NULL DEFAULT '2026-01-05',
    post_parent bigint unsigned NOT NULL DEFAULT 0, post_type varchar(20) NOT NULL DEFAULT 'post',
    KEY type_status_date (post_type, post_status, post_date, ID)
);
CREATE TABLE wp_postmeta (
    meta_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, post_id bigint unsigned NOT NULL DEFAULT 0,
    meta_key varchar(255), meta_value longtext, KEY post_id (post_id), KEY meta_key (meta_key(191))
);
CREATE TABLE wp_woocommerce_order_items (
    order_item_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, order_item_name text NOT NULL,
    order_item_type varchar(200) NOT NULL DEFAULT 'line_item', order_id bigint unsigned NOT NULL,
    KEY order_id (order_id)
);
CREATE TABLE wp_woocommerce_order_itemmeta (
    meta_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, order_item_id bigint unsigned NOT NULL,
    meta_key varchar(255), meta_value longtext, KEY order_item_id (order_item_id)
);
INSERT INTO wp_posts (ID, post_status, post_type)
SELECT seq, IF(seq > 14, 'auto-draft', 'wc-processing'), 'shop_order' FROM seq_1_to_15;
INSERT INTO wp_posts (ID, post_status, post_type) VALUES (20, 'publish', 'page'),
    (21, 'wc-completed', 'shop_order_refund');
INSERT INTO wp_postmeta (post_id, meta_key, meta_value)
SELECT seq, '_order_total', IF(seq = 1, '9.90', 10.5 + seq) FROM seq_1_to_14;
INSERT INTO wp_postmeta (post_id, meta_key, meta_value) SELECT seq, '_order_currency', 'EUR' FROM seq_1_to_14;
INSERT INTO wp_postmeta (post_id, meta_key, meta_value) SELECT seq, '_customer_user', MOD(seq, 3) FROM seq_1_to_14;
INSERT INTO wp_postmeta (post_id, meta_key, meta_value)
SELECT seq, '_billing_email', CONCAT('f', seq, '@example.com') FROM seq_1_to_14;
INSERT INTO wp_woocommerce_order_items (order_item_id, order_item_name, order_id)
SELECT seq, CONCAT('Hat ', seq), 1 + MOD(seq, 14) FROM seq_1_to_28;
INSERT INTO wp_woocommerce_order_itemmeta (order_item_id, meta_key, meta_value)
SELECT seq, '_qty', '1' FROM seq_1_to_28;
INSERT INTO wp_woocommerce_order_itemmeta (order_item_id, meta_key, meta_value)
SELECT seq, '_line_total', '5.25' FROM seq_1_to_28
"""


def meta(post: str, key: str, table: str = "postmeta", of: str = "post_id") -> str:
    return f"(SELECT meta_value FROM wp_{table} WHERE {of} = {post} AND meta_key = '{key}')"


ORDERS = f"""SELECT ID AS parent_id, post_status AS Notes, post_date_gmt AS Ordered_At,
    {meta("ID", "_billing_email")} AS Customer_Email, {meta("ID", "_order_currency")} AS Currency_Code,
    CAST({meta("ID", "_order_total")} AS DECIMAL(20, 4)) AS Total_Amount,
    NULLIF({meta("ID", "_customer_user")}, '0') AS Account
    FROM wp_posts WHERE post_type = 'shop_order' AND post_status <> 'auto-draft'"""
OF_ITEM = ("woocommerce_order_itemmeta", "order_item_id")
LINES = f"""SELECT order_item_id AS line_id, order_id AS `Order`, order_item_name AS Product,
    CAST({meta("i.order_item_id", "_qty", *OF_ITEM)} AS DECIMAL(20, 4)) AS Quantity,
    CAST({meta("i.order_item_id", "_line_total", *OF_ITEM)} AS DECIMAL(20, 4)) AS Line_Total
    FROM wp_woocommerce_order_items i JOIN wp_posts ON ID = order_id WHERE post_status <> 'auto-draft'"""


def set_meta(order: int, key: str, value: str) -> str:
    return f"UPDATE wp_postmeta SET meta_value = '{value}' WHERE post_id = {order} AND meta_key = '{key}'"


CHANGES = {
    "another status": "UPDATE wp_posts SET post_status = 'wc-completed', post_modified_gmt = UTC_TIMESTAMP() "
    "WHERE ID = 2",
    "an address that code saves": set_meta(3, "_billing_email", "g@example.com"),
    "a total by the REST API": set_meta(4, "_order_total", "9.9"),
    "a new order of a guest": "INSERT INTO wp_posts (ID, post_status, post_type) VALUES (50, 'wc-pending', "
    "'shop_order'); INSERT INTO wp_postmeta (post_id, meta_key, meta_value) VALUES (50, '_order_total', '7'), "
    "(50, '_customer_user', '0'); INSERT INTO wp_woocommerce_order_items (order_item_name, order_id) "
    "VALUES ('Cap', 50)",
    "a draft that becomes an order": "UPDATE wp_posts SET post_status = 'wc-pending' WHERE ID = 15",
    "another customer": set_meta(5, "_customer_user", "1"),
    "a line's quantity": "UPDATE wp_woocommerce_order_itemmeta SET meta_value = '4' WHERE order_item_id = 6 "
    "AND meta_key = '_qty'",
    "a new line": "INSERT INTO wp_woocommerce_order_items (order_item_name, order_id) VALUES ('Scarf', 8)",
    "a line less": "DELETE FROM wp_woocommerce_order_items WHERE order_item_id = 9",
    "to the trash": "UPDATE wp_posts SET post_status = 'trash' WHERE ID = 11",
    "deleted for good": "DELETE FROM wp_woocommerce_order_items WHERE order_id = 12; "
    "DELETE FROM wp_postmeta WHERE post_id = 12; DELETE FROM wp_posts WHERE ID = 12",
}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": ("1", "2")}
    with recipe_shop("woocommerce-posts", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES)
