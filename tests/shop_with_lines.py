"""A shop whose orders have lines: a second legacy table, and the CRM's lines to compare with."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from pair_of_plugins import METADATA, ORDERS, Shop

LINES = sa.Table(
    "order_lines",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("order_id", sa.String(40), nullable=False, index=True),
    sa.Column("line_number", sa.Integer),
    sa.Column("product", sa.Unicode(200)),
    sa.Column("quantity", sa.Numeric(12, 3)),
    sa.Column("unit_price", sa.Numeric(12, 2)),
    sa.Column("note", sa.UnicodeText),
)
COMPARED = {
    "line_number": "Line_Number",
    "product": "Product",
    "quantity": "Quantity",
    "unit_price": "Unit_Price",
    "note": "Note",
}
MODULE_NAMES = ("Order_Lines", "line_id", "Order")
SUBFORM_NAMES = ("Lines", "Line_Id", "Parent_Id")
TO_MODULE = {"write_to": "module"}
TO_SUBFORM = {"write_to": "subform"}


@dataclass
class ShopWithLines(Shop):
    """Orders and their lines."""

    write_to: dict[str, Any] = field(default_factory=lambda: dict(TO_MODULE))
    last_line: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        METADATA.create_all(self.engine, tables=[LINES])
        self.tap_config["lines"] = {"table": "order_lines", "parent_key": "order_id"}
        self.target_config["lines"] = self.write_to
        if self.in_subform:  # so that jobs of rows are tried too
            self.target_config["child_rows_per"] = "parent"
            self.emulator.admin.switch(child_rows_per="parent")
        self.random = random.Random(7)  # noqa: S311 - made-up orders

    @property
    def in_subform(self) -> bool:
        return self.write_to["write_to"] == "subform"

    # The legacy side

    def insert_whole(self, keys: Iterable[str], most_lines: int = 40) -> None:
        """Insert orders with 0 to `most_lines` lines each."""
        keys = list(keys)
        self.insert(keys)
        self.add_lines({key: self.random.randint(0, most_lines) for key in keys})

    def add_lines(self, counts: dict[str, int]) -> None:
        rows = [self.line(key, number) for key, count in counts.items() for number in range(count)]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(sa.insert(LINES), rows)

    def line(self, order: str, number: int, **values: Any) -> dict[str, Any]:
        self.last_line += 1
        return {
            "id": self.last_line,
            "order_id": order,
            "line_number": number,
            "product": f"Größe {self.last_line}",
            "quantity": Decimal(self.last_line % 900) + Decimal("0.125"),
            "unit_price": Decimal(self.last_line % 9_999) + Decimal("0.99"),
            "note": None if self.last_line % 3 else f'"{self.last_line}", with\na line feed',
            **values,
        }

    def change_lines(self, keys: Sequence[str], most_added: int = 3) -> None:
        """Add, edit and remove lines of each of these orders, and touch the orders, as a trigger would."""
        with self.engine.begin() as connection:
            for key in keys:
                ids = list(connection.scalars(sa.select(LINES.c.id).where(LINES.c.order_id == key)))
                self.random.shuffle(ids)
                removed, edited = ids[: len(ids) // 3], ids[len(ids) // 3 : 2 * len(ids) // 3]
                connection.execute(sa.delete(LINES).where(LINES.c.id.in_(removed)))
                changed = {"quantity": Decimal("7.5"), "note": "edited"}
                connection.execute(sa.update(LINES).where(LINES.c.id.in_(edited)).values(changed))
                added = [self.line(key, 100 + n) for n in range(self.random.randint(0, most_added))]
                if added:
                    connection.execute(sa.insert(LINES), added)
                moment = {"updated_at": self.tick()}
                connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == key).values(moment))

    def legacy_lines(self) -> dict[str, dict[str, Any]]:
        """Each line by its key, with its order."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(LINES)).mappings()
            return {str(row["id"]): {**{k: row[k] for k in COMPARED}, "order": row["order_id"]} for row in rows}

    # The CRM's side

    def crm_lines(self) -> dict[str, dict[str, Any]]:
        """The same of the CRM; fails where a line is there twice, or belongs to no order."""
        orders = {record["id"]: key for key, record in self.crm().items()}
        module, key, parent = (
            ("Lines", "Line_Id", "Parent_Id") if self.in_subform else ("Order_Lines", "line_id", "Order")
        )
        found: dict[str, dict[str, Any]] = {}
        for record in self.emulator.admin.records(module):
            assert record[key] not in found, f"line {record[key]} is in the CRM twice"
            line = {column: _plain(record[name]) for column, name in COMPARED.items()}
            found[record[key]] = {**line, "order": orders[record[parent]["id"]]}
        return found

    def assert_whole(self, *, but: Iterable[str] = ()) -> None:
        """All orders are synced, and the CRM's lines are the legacy lines exactly."""
        self.assert_all_synced(but=but)
        ours, theirs = self.legacy_lines(), self.crm_lines()
        gone = set(but)
        ours = {key: line for key, line in ours.items() if line["order"] not in gone}
        assert theirs.keys() == ours.keys()
        wrong = {key: (ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]}
        assert not wrong, f"{len(wrong)} lines differ, such as {next(iter(wrong.items()))}"


def _plain(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, (Decimal, float)) else value
