"""A shop whose orders go to Zoho's own sales orders: lines with product, discount and tax, and totals to the cent."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from pair_of_plugins import METADATA, ORDERS, Shop

LINES = sa.Table(
    "order_items",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("order_id", sa.String(40), nullable=False, index=True),
    sa.Column("sku", sa.String(40)),
    sa.Column("quantity", sa.Numeric(12, 3)),
    sa.Column("unit_price", sa.Numeric(12, 2)),
    sa.Column("discount_percent", sa.Numeric(5, 2)),
    sa.Column("tax", sa.String(40)),
    sa.Column("note", sa.UnicodeText),
)
TAXES = {"VAT": Decimal(19), "Reduced VAT": Decimal(7), "Sales Tax": Decimal("8.375"), None: Decimal(0)}
PRODUCTS = 120
LINE_SETTINGS = {
    "write_to": "subform",
    "subform": "Ordered_Items",
    "key_field": "Line_Id",
    "discount_percent": "discount_percent",
    "fields": {
        "Product_Name": {"source": "sku", "find_by": "Product_Code"},
        "List_Price": {"source": "unit_price"},
        "Line_Tax": {"source": "tax"},
        "Description": {"source": "note"},
    },
}


def cents(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.01"), ROUND_HALF_UP)


def net(line: dict[str, Any]) -> Decimal:
    """What a line comes to, as the legacy shop rounds it."""
    total = cents(line["quantity"] * line["unit_price"])
    after = total - cents(line["quantity"] * line["unit_price"] * (line["discount_percent"] or 0) / 100)
    return after + cents(after * TAXES[line["tax"]] / 100)


@dataclass
class ShopWithLineItems(Shop):
    """Orders and their lines, which go to Sales_Orders."""

    last_line: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        METADATA.create_all(self.engine, tables=[LINES])
        admin = self.emulator.admin
        admin.add_field("Sales_Orders", "Legacy_No", "text", unique=True)
        admin.add_field("Sales_Orders", "Legacy_Total", "currency", decimal_place=2)
        admin.add_field("Ordered_Items", "Line_Id", "text")
        admin.put_records(
            "Products", [{"Product_Name": f"Product {n}", "Product_Code": f"P-{n}"} for n in range(PRODUCTS)]
        )
        self.tap_config["lines"] = {"table": "order_items", "parent_key": "order_id"}
        self.target_config |= {
            "module": "Sales_Orders",
            "key_field": "Legacy_No",
            "fields": {
                "Subject": {"source": "order_id"},
                "customer_name": "Purchase_Order",
                "total_amount": "Legacy_Total",
                "order_date": "Due_Date",
                "notes": "Description",
                "Status": {"values": {"New": "Created", "Paid": "Approved", "Shipped": "Delivered"}},
            },
            "lines": dict(LINE_SETTINGS),
        }
        self.random = random.Random(11)  # noqa: S311 - made-up orders

    def by_jobs(self, **target: Any) -> None:
        """New orders go by jobs with their lines: an org with 200 rows of each order, and taxes by name in a cell."""
        found = {"child_rows_per": "parent", "line_tax_cells": "names"}
        self.emulator.admin.switch(**found)
        profile = self.folder / "zoho-profile.json"
        profile.write_text(json.dumps({"positions": found}))
        self.target_config |= {"profile": str(profile), "channel": "bulk_write", **target}

    # The legacy side

    def insert_whole(self, keys: Iterable[str], most_lines: int = 40) -> None:
        """Insert orders with 1 to `most_lines` lines each, and the total that these come to."""
        orders, lines = [], []
        for key in keys:
            mine = [self.line(key) for _ in range(self.random.randint(1, most_lines))]
            orders.append(self.order(key, total_amount=sum(map(net, mine), Decimal(0))))
            lines += mine
        with self.engine.begin() as connection:
            connection.execute(sa.insert(ORDERS), orders)
            connection.execute(sa.insert(LINES), lines)

    def line(self, order: str, **values: Any) -> dict[str, Any]:
        self.last_line += 1
        return {
            "id": self.last_line,
            "order_id": order,
            "sku": f"P-{self.random.randrange(PRODUCTS)}",
            "quantity": Decimal(self.random.randint(1, 9_000)) / 1_000,
            "unit_price": Decimal(self.random.randint(1, 99_999)) / 100,
            "discount_percent": self.random.choice([None, Decimal(5), Decimal("12.5"), Decimal("33.33")]),
            "tax": self.random.choice([*TAXES]),
            "note": None if self.last_line % 3 else f'"{self.last_line}", with\na line feed',
            **values,
        }

    def change_lines(self, keys: Sequence[str]) -> None:
        """Add, edit and remove lines of each of these orders, and bring their totals up to date."""
        with self.engine.begin() as connection:
            for key in keys:
                ids = list(connection.scalars(sa.select(LINES.c.id).where(LINES.c.order_id == key)))
                removed, edited = ids[: len(ids) // 3], ids[len(ids) // 3 : 1 + 2 * len(ids) // 3]
                connection.execute(sa.delete(LINES).where(LINES.c.id.in_(removed)))
                changed = {"quantity": Decimal("7.5"), "discount_percent": Decimal("1.25"), "tax": "VAT"}
                connection.execute(sa.update(LINES).where(LINES.c.id.in_(edited)).values(changed))
                connection.execute(sa.insert(LINES), [self.line(key) for _ in range(self.random.randint(1, 3))])
                rows = connection.execute(sa.select(LINES).where(LINES.c.order_id == key)).mappings()
                values = {"updated_at": self.tick(), "total_amount": sum((net(dict(row)) for row in rows), Decimal(0))}
                connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == key).values(values))

    # The CRM's side

    def crm(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for record in self.emulator.admin.records("Sales_Orders"):
            assert record["Legacy_No"] not in found, f"{record['Legacy_No']} is in the CRM twice"
            found[record["Legacy_No"]] = record
        return found

    def assert_whole(self) -> None:
        """Each order is synced, its lines are the legacy lines, and its Grand_Total is the legacy total to the cent."""
        orders, crm, acks = self.orders(), self.crm(), self.acks()
        assert set(crm) == set(orders)
        wanted: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        with self.engine.connect() as connection:
            for row in connection.execute(sa.select(LINES)):
                line = (str(row.id), row.sku, row.quantity, row.unit_price, row.tax, row.note)
                wanted[row.order_id].append(line)
        for key, order in orders.items():
            assert (acks[key].status, acks[key].zoho_id) == ("synced", crm[key]["id"]), (key, acks[key])
            assert sorted(map(_as_legacy, crm[key]["Ordered_Items"])) == sorted(wanted[key]), key
            assert crm[key]["Grand_Total"] == order.total_amount, key
            assert crm[key]["Legacy_Total"] == order.total_amount, key


def _as_legacy(row: dict[str, Any]) -> tuple[Any, ...]:
    (tax,) = row["Line_Tax"] or [{"name": None}]
    names = (row["Line_Id"], row["Product_Name"]["Product_Code"], row["Quantity"], row["List_Price"])
    return (*names, tax["name"], row["Description"])
