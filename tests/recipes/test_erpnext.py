"""docs/recipes/erpnext.md: drafts, cancelled and amended orders in one table, whose names have blanks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recipes.recipe_shop import assert_contents_are_a_net, assert_each_is_found, local_zone, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TABLES = """
CREATE TABLE `tabSales Order` (
    name varchar(140) NOT NULL PRIMARY KEY, creation datetime(6), modified datetime(6), modified_by varchar(140),
    owner varchar(140), docstatus int(1) NOT NULL DEFAULT 0, idx int(8) NOT NULL DEFAULT 0, status varchar(140)
    DEFAULT 'Draft', customer varchar(140), company varchar(140), transaction_date date, currency varchar(140),
    conversion_rate decimal(21,9) NOT NULL DEFAULT 1, base_grand_total decimal(21,9) NOT NULL DEFAULT 0,
    grand_total decimal(21,9) NOT NULL DEFAULT 0, amended_from varchar(140), address_display text, KEY (creation)
);
CREATE TABLE `tabSales Order Item` (
    name varchar(140) NOT NULL PRIMARY KEY, creation datetime(6), modified datetime(6), docstatus int(1) NOT NULL
    DEFAULT 0, idx int(8) NOT NULL DEFAULT 0, parent varchar(140), parentfield varchar(140), parenttype varchar(140),
    item_code varchar(140), item_name varchar(140), qty decimal(21,9) NOT NULL DEFAULT 0, delivered_qty decimal(21,9)
    NOT NULL DEFAULT 0, rate decimal(21,9) NOT NULL DEFAULT 0, amount decimal(21,9) NOT NULL DEFAULT 0, KEY (parent)
);
INSERT INTO `tabSales Order` (name, creation, modified, docstatus, status, customer, transaction_date, currency,
    grand_total)
SELECT CONCAT('SAL-ORD-2026-', LPAD(seq, 5, '0')), '2026-01-05 10:00:00',
    '2026-01-05 10:00:00.123456' + INTERVAL seq MINUTE, seq < 17, IF(seq < 17, 'To Deliver', 'Draft'),
    IF(MOD(seq, 2), 'Grant Plastics', 'Zoë & Co'), '2026-01-05', 'INR', 1000.125 + seq FROM seq_1_to_18;
INSERT INTO `tabSales Order Item` (name, creation, modified, idx, parent, parenttype, item_code, item_name, qty, rate,
    amount)
SELECT LEFT(MD5(seq), 10), '2026-01-05 10:00:00', '2026-01-05 10:00:00', CEIL(seq / 18),
    CONCAT('SAL-ORD-2026-', LPAD(1 + MOD(seq, 18), 5, '0')), 'Sales Order', CONCAT('SKU', seq), 'Book', 2, 500, 1000
FROM seq_1_to_36
"""
ORDERS = """SELECT name AS parent_id, status AS Notes, transaction_date AS Order_Date, currency AS Currency_Code,
    grand_total AS Total_Amount, amended_from AS Name, customer AS Account FROM `tabSales Order` WHERE docstatus > 0"""
LINES = """SELECT l.name AS line_id, parent AS `Order`, item_name AS Product, item_code AS Sku, qty AS Quantity,
    delivered_qty AS Note, rate AS Unit_Price, amount AS Line_Total
    FROM `tabSales Order Item` l JOIN `tabSales Order` o ON o.name = l.parent WHERE o.docstatus > 0"""


def name(number: int) -> str:
    return f"SAL-ORD-2026-{number:05}"


def saved(number: int, values: str = "owner = 'me'", lines: str = "docstatus = docstatus") -> str:
    """What a save of the document does: the order and its items get one time."""
    return (
        f"SET @now = NOW(6); UPDATE `tabSales Order` SET {values}, modified = @now WHERE name = '{name(number)}'; "
        f"UPDATE `tabSales Order Item` SET {lines}, modified = @now WHERE parent = '{name(number)}'"
    )


def new_order(key: str, amended_from: str) -> str:
    return (
        "INSERT INTO `tabSales Order` (name, creation, modified, docstatus, status, customer, transaction_date, "
        f"currency, amended_from) VALUES ('{key}', NOW(6), NOW(6), 1, 'To Deliver', 'Zoë & Co', CURDATE(), 'USD', "
        f"{amended_from}); "
        "INSERT INTO `tabSales Order Item` (name, modified, parent, parenttype, item_name, qty) "
        f"VALUES ('i-{key}', NOW(6), '{key}', 'Sales Order', 'Pen', 1)"
    )


RENAMED = (
    f"UPDATE `tabSales Order` SET name = 'PO-9', modified = NOW(6) WHERE name = '{name(9)}'; "
    f"UPDATE `tabSales Order Item` SET parent = 'PO-9' WHERE parent = '{name(9)}'"
)
CHANGES: dict[str, str | tuple[str, int]] = {
    "a draft is submitted": saved(17, "docstatus = 1, status = 'To Deliver'"),
    "a delivery": saved(2, "status = 'Completed'", "delivered_qty = qty"),
    "a delivery that leaves the order alone": "UPDATE `tabSales Order Item` SET delivered_qty = 1, modified = NOW(6) "
    f"WHERE parent = '{name(3)}'",
    "cancelled": saved(4, "docstatus = 2, status = 'Cancelled'"),
    "amended": new_order(f"{name(4)}-1", f"'{name(4)}'"),
    "updated items": saved(5, "grand_total = 7", "qty = 3, amount = 1500"),
    "a new line": "INSERT INTO `tabSales Order Item` (name, parent, parenttype, item_name, qty) "
    f"VALUES ('new', '{name(6)}', 'Sales Order', 'Ink', 2); {saved(6)}",
    "a line less": f"DELETE FROM `tabSales Order Item` WHERE parent = '{name(7)}' AND idx = 1; {saved(7)}",
    "another customer": saved(8, "customer = 'Grant Plastics'"),
    "a new order": new_order("SAL-ORD-2026-00099", "NULL"),
    "renamed": (RENAMED, 2),
    "a deleted order": f"DELETE FROM `tabSales Order Item` WHERE parent = '{name(10)}'; "
    f"DELETE FROM `tabSales Order` WHERE name = '{name(10)}'",
}
HIDDEN = {"update_modified=False": f"UPDATE `tabSales Order` SET status = 'Closed' WHERE name = '{name(11)}'"}


@pytest.mark.nightly
def test_every_kind_of_change_is_found_by_the_run_after_it(mariadb_url: str, zoho_emulator: EmulatorProcess) -> None:
    accounts, session = ("Grant Plastics", "Zoë & Co"), (local_zone("Asia/Kolkata"),)
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": accounts, "session": session}
    with recipe_shop("erpnext", mariadb_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
        assert_contents_are_a_net(shop, name(11))
