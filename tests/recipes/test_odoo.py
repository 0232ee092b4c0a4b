"""docs/recipes/odoo.md: quotations beside orders, lines that change alone, and transactions that commit late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipes.recipe_shop import assert_contents_are_a_net, assert_each_is_found, recipe_shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TABLES = """
CREATE TABLE sale_order (
    id serial PRIMARY KEY, name varchar NOT NULL, state varchar, partner_id int NOT NULL, company_id int NOT NULL
    DEFAULT 1, currency_id int, client_order_ref varchar, date_order timestamp NOT NULL, amount_untaxed numeric,
    amount_total numeric, locked boolean, note text, create_date timestamp, write_date timestamp
);
CREATE TABLE sale_order_line (
    id serial PRIMARY KEY, order_id int NOT NULL REFERENCES sale_order ON DELETE CASCADE, sequence int, product_id int,
    name text NOT NULL, display_type varchar, product_uom_qty numeric, qty_delivered numeric, price_unit numeric,
    price_subtotal numeric, discount numeric, create_date timestamp, write_date timestamp
);
CREATE INDEX sale_order_line_order_id_index ON sale_order_line (order_id);
INSERT INTO sale_order (name, state, partner_id, date_order, amount_total, create_date, write_date)
SELECT 'S' || to_char(n, 'FM00000'), CASE WHEN n > 17 THEN 'draft' ELSE 'sale' END, 7 + mod(n, 2),
    timestamp '2026-01-05 10:00' + n * interval '1 min', 12.5 * n, timestamp '2026-01-05 10:00',
    timestamp '2026-01-05 10:00:00.123456' + n * interval '1 min' FROM generate_series(1, 20) AS n;
INSERT INTO sale_order_line (order_id, sequence, name, display_type, product_uom_qty, qty_delivered, price_unit,
    price_subtotal, create_date, write_date)
SELECT 1 + mod(n, 20), 10, 'Desk ' || n, CASE WHEN n > 40 THEN 'line_section' END, 2, 0, 6.25, 12.5,
    timestamp '2026-01-05 10:00', timestamp '2026-01-05 10:00:00.5' FROM generate_series(1, 60) AS n
"""
ORDERS = """SELECT id AS parent_id, name AS "Name", state AS "Notes", amount_total AS "Total_Amount",
    date_trunc('second', date_order) AS "Ordered_At", client_order_ref AS "Customer_Name", partner_id AS "Account"
    FROM sale_order WHERE state IN ('sale', 'cancel')"""
LINES = """SELECT l.id AS line_id, l.order_id AS "Order", l.name AS "Product", product_uom_qty AS "Quantity",
    qty_delivered AS "Note", price_unit AS "Unit_Price", price_subtotal AS "Line_Total"
    FROM sale_order_line l JOIN sale_order o ON o.id = l.order_id
    WHERE display_type IS NULL AND state IN ('sale', 'cancel')"""
NOW = "now() AT TIME ZONE 'UTC'"


def written(order: int, values: str) -> str:
    """What Odoo does when an order is written."""
    return f"UPDATE sale_order SET {values}, write_date = {NOW} WHERE id = {order}"


def line(order: int, values: str) -> str:
    """The same of an order's first product."""
    first = f"(SELECT min(id) FROM sale_order_line WHERE order_id = {order})"
    return f"UPDATE sale_order_line SET {values}, write_date = {NOW} WHERE id = {first}"


TOTAL = "amount_total = amount_total + 1"
CHANGES = {
    "a quotation is confirmed": written(18, "state = 'sale'"),
    "cancelled": written(2, "state = 'cancel'"),
    "a line's quantity": f"{line(3, 'product_uom_qty = 9')}; {written(3, TOTAL)}",
    "a delivery, which changes the line alone": line(4, "qty_delivered = 2"),
    "a new order": f"INSERT INTO sale_order (name, state, partner_id, date_order, amount_total, write_date) VALUES "
    f"('S00099', 'sale', 7, {NOW}, 5, {NOW}); INSERT INTO sale_order_line (order_id, name, product_uom_qty, "
    f"write_date) SELECT max(id), 'Chair', 1, {NOW} FROM sale_order",
    "a new line": "INSERT INTO sale_order_line (order_id, name, product_uom_qty, write_date) VALUES "
    f"(5, 'Lamp', 3, {NOW}); {written(5, TOTAL)}",
    "a line less": "DELETE FROM sale_order_line WHERE id = (SELECT min(id) FROM sale_order_line WHERE order_id = 6); "
    f"{written(6, TOTAL)}",
    "another customer": written(7, "partner_id = 7"),
    "a job that began half an hour ago": f"UPDATE sale_order SET client_order_ref = 'late', write_date = {NOW} - "
    "interval '30 min' WHERE id = 8",
    "a heading among the lines, of an order that changes": "INSERT INTO sale_order_line (order_id, name, display_type, "
    f"write_date) VALUES (9, 'Head', 'line_section', {NOW}); {written(9, 'note = 1')}",
    "a deleted order": "DELETE FROM sale_order WHERE id = 10",
}
HIDDEN = {"a change by SQL": "UPDATE sale_order SET client_order_ref = 'by SQL' WHERE id = 11"}


def test_every_kind_of_change_is_found_by_the_run_after_it(postgresql_url: str, zoho_emulator: EmulatorProcess) -> None:
    parts = {"tables": TABLES, "orders": ORDERS, "lines": LINES, "accounts": ("7", "8")}
    with recipe_shop("odoo", postgresql_url, zoho_emulator, **parts) as shop:
        assert_each_is_found(shop, CHANGES, HIDDEN)
        assert_contents_are_a_net(shop, "11")
