"""What the CRM computes of line items: the totals of each line, and those of its record.

    Total                = Quantity x List_Price
    Total_After_Discount = Total - Discount
    Tax                  = the sum of the line's taxes, each rounded
    Net_Total            = Total_After_Discount + Tax
    Sub_Total            = the sum of the Net_Totals of a record
    Grand_Total          = Sub_Total - Discount + Tax + Adjustment, of the record

Amounts are rounded to cents, half up. A line without quantity is one of 1; one without a price has its product's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from zoho_crm_emulator.documents import DOC_DECODER, DOC_ENCODER
from zoho_crm_emulator.schema import PARENT

CENT = Decimal("0.01")
ZERO = Decimal(0)


def recompute(connection: sqlite3.Connection, lines_module: int, heads: Collection[int]) -> None:
    """Bring the totals of these records and of their lines to what their lines say."""
    if not heads:
        return
    listed = msgspec.json.encode(sorted(heads)).decode()
    docs: dict[int, dict[str, Any]] = {
        record: DOC_DECODER.decode(doc)
        for record, doc in connection.execute(
            "SELECT id, doc FROM records WHERE id IN (SELECT value FROM json_each(?))", (listed,)
        )
    }
    lines = {
        record: DOC_DECODER.decode(doc)
        for record, doc in connection.execute(
            "SELECT r.id, r.doc FROM children c JOIN records r ON r.id = c.record "
            "WHERE c.parent IN (SELECT value FROM json_each(?)) AND c.module = ?",
            (listed, lines_module),
        )
    }
    _put_prices(connection, lines.values())
    sums = dict.fromkeys(docs, ZERO)
    for doc in lines.values():
        _compute_line(doc)
        sums[int(doc[PARENT]["id"])] += doc["Net_Total"]
    for record, doc in docs.items():
        doc["Sub_Total"] = sums[record]
        rest = _amount(doc.get("Tax")) + _amount(doc.get("Adjustment")) - _amount(doc.get("Discount"))
        doc["Grand_Total"] = sums[record] + rest
    connection.executemany(
        "UPDATE records SET doc = ? WHERE id = ?",
        [(DOC_ENCODER.encode(doc).decode(), record) for record, doc in (lines | docs).items()],
    )


def _put_prices(connection: sqlite3.Connection, lines: Collection[dict[str, Any]]) -> None:
    """Give the lines that name no price that of their product."""
    without = [doc for doc in lines if doc.get("List_Price") is None]
    if not without:
        return
    products = [int(doc["Product_Name"]["id"]) for doc in without]
    prices = {
        str(record): Decimal(price or 0)
        for record, price in connection.execute(
            "SELECT id, json_extract(doc, '$.Unit_Price') FROM records WHERE id IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(products).decode(),),
        )
    }
    for doc in without:
        doc["List_Price"] = prices.get(doc["Product_Name"]["id"], ZERO).quantize(CENT)


def _compute_line(doc: dict[str, Any]) -> None:
    quantity = _amount(doc.get("Quantity", 1))
    total = _cents(quantity * _amount(doc["List_Price"]))
    given = doc.get("Discount")
    discount = _cents(total * Decimal(given[:-1]) / 100) if isinstance(given, str) else _amount(given)
    after = total - discount
    for tax in doc.get("Line_Tax") or ():
        tax["value"] = _cents(after * _amount(tax["percentage"]) / 100)
    tax = sum((one["value"] for one in doc.get("Line_Tax") or ()), ZERO)
    doc |= {"Quantity": quantity, "Total": total, "Total_After_Discount": after, "Tax": tax, "Net_Total": after + tax}


def _amount(value: Any) -> Decimal:
    return ZERO if value is None else Decimal(value)


def _cents(number: Decimal) -> Decimal:
    return number.quantize(CENT, ROUND_HALF_UP)
