"""A shop with lines whose CRM differs in known ways: lines missing, unknown, other, doubled, in another order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audited_shop import CLERK, FULL_WIDTH, delete_records, edit
from emulator_client import Client
from shop_with_lines import MODULE_NAMES, SUBFORM_NAMES, ShopWithLines

from sync_databases.chunks import chunks_of

OF_LINES = ("line_missing", "line_unknown", "line_differs", "line_doubled", "line_order")
OF_ORDERS = ("missing_in_crm", "edited_by_people", "differs")
KINDS = (*OF_LINES, *OF_ORDERS)


def whole(shop: ShopWithLines, count: int, lookback_seconds: int = 0) -> list[str]:
    """So many orders of 2 to 4 lines, in the CRM; and one three hours later, so that no window reaches back to them."""
    keys = [f"SO-{number:06d}" for number in range(count)]
    shop.tap_config["lookback_seconds"] = lookback_seconds
    for some in chunks_of(keys, 10_000):
        shop.insert(some)
        shop.add_lines({key: 2 + int(key[-1]) % 3 for key in some})
    shop.ticks += 10_000_000
    shop.insert(["LAST"])
    shop.add_lines({"LAST": 2})
    ended = shop.run()
    assert ended.code == 0, ended.err
    return keys


def plant(shop: ShopWithLines, keys: Sequence[str], each: int) -> dict[str, set[str]]:
    """Plant so many differences of each kind; by kind, the keys of the orders that are to be found."""
    kinds = [kind for kind in KINDS if shop.in_subform or kind != "line_order"]
    parts = {kind: list(keys[at * each : (at + 1) * each]) for at, kind in enumerate(kinds)}
    delete_records(shop, parts["missing_in_crm"])
    edit(shop, parts["edited_by_people"], Status="Returned", Total_Amount=1.5)
    edit(shop, parts["differs"], None, Notes="as nobody wrote it")
    (plant_rows if shop.in_subform else plant_records)(shop, parts)
    return {kind: set(some) for kind, some in parts.items()}


def rows_of(shop: ShopWithLines, keys: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The CRM's lines of these orders, in their order, by the order's key."""
    module, key_field, order = SUBFORM_NAMES if shop.in_subform else MODULE_NAMES
    wanted = set(keys)
    order_of = {each["id"]: each["parent_id"] for each in shop.emulator.admin.records("Orders")}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in shop.emulator.admin.records(module):
        key = order_of.get((row[order] or {}).get("id"))
        if key in wanted and row[key_field]:
            found.setdefault(key, []).append(row)
    return {key: sorted(rows, key=lambda row: int(row["id"])) for key, rows in found.items()}


def change_rows(shop: ShopWithLines, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Change rows of orders' subforms."""
    client, ids = (
        Client(shop.emulator),
        {each["parent_id"]: each["id"] for each in shop.emulator.admin.records("Orders")},
    )
    for some in chunks_of(rows, 100):
        data = [{"id": ids[key], "Lines": rows[key]} for key in some]
        answer = client.put("/crm/v8/Orders", json={"data": data})
        assert {each["code"] for each in answer.json()["data"]} == {"SUCCESS"}, answer.json()


def as_new(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it may be added once more."""
    names = ("Line_Id", "Line_Number", "Product", "Quantity", "Unit_Price", "Note")
    return {name: row[name] for name in names}


def plant_rows(shop: ShopWithLines, parts: Mapping[str, Sequence[str]]) -> None:
    """Change rows of the orders' subform."""
    there = rows_of(shop, [key for kind in OF_LINES for key in parts[kind]])
    first = {key: rows[0] for key, rows in there.items()}
    changes: dict[str, list[dict[str, Any]]] = {}
    changes |= {key: [{"id": first[key]["id"], "_delete": None}] for key in parts["line_missing"]}
    changes |= {key: [{"Line_Id": f"x-{key}", "Product": "added"}] for key in parts["line_unknown"]}
    changes |= {key: [{"id": first[key]["id"], "Quantity": 0.5}] for key in parts["line_differs"]}
    changes |= {key: [as_new(first[key])] for key in parts["line_doubled"]}
    changes |= {key: [{"id": first[key]["id"], "_delete": None}, as_new(first[key])] for key in parts["line_order"]}
    change_rows(shop, changes)


def plant_records(shop: ShopWithLines, parts: Mapping[str, Sequence[str]]) -> None:
    """Change records of the lines' module, as a person does."""
    there = rows_of(shop, [key for kind in OF_LINES for key in parts.get(kind, ())])
    client, admin = Client(shop.emulator), shop.emulator.admin
    for some in chunks_of([there[key][0]["id"] for key in parts["line_missing"]], 100):
        answer = client.delete(f"/crm/v8/Order_Lines?ids={','.join(some)}")
        assert {each["code"] for each in answer.json()["data"]} == {"SUCCESS"}
    unknown = [{"line_id": f"x-{key}", "Order": there[key][0]["Order"]} for key in parts["line_unknown"]]
    other = [{"line_id": there[key][0]["line_id"], "Quantity": 0.5} for key in parts["line_differs"]]
    rows = [there[key][0] for key in parts["line_doubled"]]
    doubled = [{"line_id": row["line_id"].translate(FULL_WIDTH), "Order": row["Order"]} for row in rows]
    admin.put_records("Order_Lines", [*unknown, *other, *doubled], user=CLERK)
