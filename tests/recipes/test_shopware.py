"""docs/recipes/shopware.md: binary keys, drafts as further versions, and a time of change that is NULL at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_contents_are_a_net, assert_each_is_found, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

LIVE = "0x0fa91ce3e96a4bc2be4bd9ce752c3425"
TABLES = f"""
CREATE TABLE state_machine_state (id binary(16) NOT NULL PRIMARY KEY, technical_name varchar(255) NOT NULL);
CREATE TABLE `order` (
    id binary(16) NOT NULL, version_id binary(16) NOT NULL, order_number varchar(64), state_id binary(16) NOT NULL,
    currency_factor double, price json NOT NULL,
    amount_total double GENERATED ALWAYS AS (json_unquote(json_extract(price, '$.totalPrice'))) VIRTUAL,
    order_date_time datetime(3) NOT NULL, order_date date GENERATED ALWAYS AS (cast(order_date_time AS date)) STORED,
    custom_fields json, created_at datetime(3) NOT NULL, updated_at datetime(3), PRIMARY KEY (id, version_id)
);
CREATE TABLE order_line_item (
    id binary(16) NOT NULL, version_id binary(16) NOT NULL, order_id binary(16) NOT NULL, order_version_id binary(16)
    NOT NULL, parent_id binary(16), label varchar(255) NOT NULL, quantity int NOT NULL, price json,
    unit_price double GENERATED ALWAYS AS (json_unquote(json_extract(price, '$.unitPrice'))) VIRTUAL,
    total_price double GENERATED ALWAYS AS (json_unquote(json_extract(price, '$.totalPrice'))) VIRTUAL,
    created_at datetime(3) NOT NULL, updated_at datetime(3), PRIMARY KEY (id, version_id),
    KEY of_order (order_id, order_version_id)
);
CREATE TABLE order_customer (
    id binary(16) NOT NULL, version_id binary(16) NOT NULL, order_id binary(16) NOT NULL, order_version_id binary(16)
    NOT NULL, customer_id binary(16), email varchar(254) NOT NULL, created_at datetime(3) NOT NULL,
    updated_at datetime(3), PRIMARY KEY (id, version_id), KEY of_order (order_id)
);
INSERT INTO state_machine_state VALUES (UNHEX(MD5('open')), 'open'), (UNHEX(MD5('completed')), 'completed');
INSERT INTO `order` (id, version_id, order_number, state_id, price, order_date_time, created_at)
SELECT UNHEX(MD5(seq)), {LIVE}, 10000 + seq, UNHEX(MD5('open')), JSON_OBJECT('totalPrice', 19.99 + seq),
    '2026-01-05 10:00:00', '2026-01-05 10:00:00.123' + INTERVAL seq MINUTE FROM seq_1_to_16;
INSERT INTO order_line_item (id, version_id, order_id, order_version_id, label, quantity, price, created_at)
SELECT UNHEX(MD5(CONCAT('line', seq))), {LIVE}, UNHEX(MD5(1 + MOD(seq, 16))), {LIVE}, CONCAT('Lamp ', seq), 2,
    JSON_OBJECT('unitPrice', 9.995, 'totalPrice', 19.99), '2026-01-05 10:00:00' FROM seq_1_to_32;
INSERT INTO order_customer (id, version_id, order_id, order_version_id, customer_id, email, created_at)
SELECT UNHEX(MD5(CONCAT('customer', seq))), {LIVE}, UNHEX(MD5(seq)), {LIVE}, UNHEX(MD5(IF(MOD(seq, 2), 'a', 'b'))),
    CONCAT('e', seq, '@example.com'), '2026-01-05 10:00:00' FROM seq_1_to_16
"""
ORDERS = f"""SELECT LOWER(HEX(o.id)) AS parent_id, order_number AS Name, technical_name AS Notes,
    email AS Customer_Email, amount_total AS Total_Amount, order_date AS Order_Date,
    LOWER(HEX(customer_id)) AS Account FROM `order` o JOIN state_machine_state s ON s.id = o.state_id
    JOIN order_customer c ON c.order_id = o.id AND order_version_id = {LIVE} WHERE o.version_id = {LIVE}"""
LINES = f"""SELECT LOWER(HEX(id)) AS line_id, LOWER(HEX(order_id)) AS `Order`, label AS Product, quantity AS Quantity,
    unit_price AS Unit_Price, total_price AS Line_Total FROM order_line_item WHERE version_id = {LIVE}"""
NOW = "UTC_TIMESTAMP(3)"


def order(number: int, values: str = "custom_fields = NULL") -> str:
    return f"UPDATE `order` SET {values}, updated_at = {NOW} WHERE id = UNHEX(MD5({number})) AND version_id = {LIVE}"


def line(name: str, values: str) -> str:
    return (
        f"UPDATE order_line_item SET {values}, updated_at = {NOW} WHERE id = UNHEX(MD5('{name}')) "
        f"AND version_id = {LIVE}"
    )


def new_order(number: int, version: str) -> str:
    key = f"UNHEX(MD5({number}))"
    return (
        f"INSERT INTO `order` (id, version_id, order_number, state_id, price, order_date_time, created_at) VALUES "
        f"""({key}, {version}, '{10000 + number}', UNHEX(MD5('open')), '{{"totalPrice": 5.5}}', {NOW}, {NOW});"""
        f"INSERT INTO order_customer (id, version_id, order_id, order_version_id, customer_id, email, created_at) "
        f"VALUES ({key}, {version}, {key}, {version}, UNHEX(MD5('a')), 'n@example.com', {NOW})"
    )


PRICE = """price = '{"totalPrice": 33.3}'"""
DRAFT = "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
CHANGES = {
    "another state": order(2, "state_id = UNHEX(MD5('completed'))"),
    "a line's quantity, and the new total": f"{line('line2', 'quantity = 5')}; {order(3, PRICE)}",
    "a line's label alone": line("line3", "label = 'Lampe'"),
    "the customer's e-mail": "UPDATE order_customer SET email = 'f@example.com', "
    f"updated_at = {NOW} WHERE order_id = UNHEX(MD5(5))",
    "another customer": "UPDATE order_customer SET customer_id = UNHEX(MD5('a')), "
    f"updated_at = {NOW} WHERE order_id = UNHEX(MD5(6))",
    "a new order": new_order(99, LIVE),
    "a new line": "INSERT INTO order_line_item (id, version_id, order_id, order_version_id, label, quantity, "
    f"created_at) VALUES (UNHEX(MD5('new')), {LIVE}, UNHEX(MD5(7)), {LIVE}, 'Bulb', 1, {NOW}); {order(7, PRICE)}",
    "a line less": f"DELETE FROM order_line_item WHERE id = UNHEX(MD5('line7')); {order(8, PRICE)}",
    "a draft that is saved": f"{new_order(9, DRAFT)}; DELETE FROM `order` WHERE version_id = {DRAFT}; "
    f"DELETE FROM order_customer WHERE version_id = {DRAFT}; {order(9, PRICE)}",
    "the same order again": order(2, "state_id = UNHEX(MD5('open'))"),
    "a deleted order": "DELETE FROM order_line_item WHERE order_id = UNHEX(MD5(10)); "
    "DELETE FROM order_customer WHERE order_id = UNHEX(MD5(10)); DELETE FROM `order` WHERE id = UNHEX(MD5(10))",
}
HIDDEN = {
    "a draft that is not saved": new_order(11, DRAFT),
    "raw SQL of a plugin": "UPDATE order_line_item SET label = 'raw' WHERE id = UNHEX(MD5('line11'))",
}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    accounts = ("0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f")
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": accounts}
    with recipe_shop("shopware", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
        assert_contents_are_a_net(shop)
