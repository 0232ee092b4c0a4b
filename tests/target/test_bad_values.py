"""Each kind of bad value by Zoho's documented limits: refused before sending, and by Zoho alike where nobody checks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from some_tap import Sales

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

RECORDS = 500
KEY_CHARACTERS = 100
EXTRA_FIELDS: dict[str, dict[str, Any]] = {
    "Line": {"data_type": "text"},
    "Large": {"data_type": "textarea", "textarea_type": "large"},
    "Rich": {"data_type": "textarea", "textarea_type": "rich_text"},
    "Marks": {"data_type": "multiselectpicklist", "pick_list": ["gift", "express"], "pick_list_open": False},
    "Ratio": {"data_type": "double", "decimal_place": 9},
    "Clerk": {"data_type": "userlookup"},
    "Must": {"data_type": "text", "system_mandatory": True},
}
# What is bad in a record, and what is said of it; the field is the first word.
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"Line": "x" * 256}, ["Line is longer than the field's 255 characters"]),
    ({"Notes": "x" * 2001}, ["Notes is longer than the field's 2,000 characters"]),
    ({"Large": "x" * 32001}, ["Large is longer than the field's 32,000 characters"]),
    ({"Rich": "x" * 50001}, ["Rich is longer than the field's 50,000 characters"]),
    ({"Customer_Email": "a" * 89 + "@example.com"}, ["Customer_Email is longer than the field's 100 characters"]),
    ({"Customer_Email": "ada at example.com"}, ["Customer_Email is not an e-mail address"]),
    ({"Customer_Phone": "1" * 31}, ["Customer_Phone is longer than the field's 30 characters"]),
    ({"Website": "https://e.com/" + "a" * 437}, ["Website is longer than the field's 450 characters"]),
    ({"Website": "our web site"}, ["Website is not a web address"]),
    ({"Status": "Shiped"}, ['Status "Shiped" is not in the picklist (did you mean "Shipped"?)']),
    ({"Status": "PAID"}, ['Status "PAID" is not in the picklist (did you mean "Paid"?)']),
    ({"Status": "zzz"}, ['Status "zzz" is not in the picklist']),
    ({"Status": "x" * 300}, ["Status has a value of more than 40 characters that is not in the picklist"]),
    ({"Marks": ["gift", "expres"]}, ['Marks "expres" is not in the picklist (did you mean "express"?)']),
    ({"Order_Date": "2023-02-29"}, ["Order_Date is not a date"]),
    ({"Order_Date": 20240229}, ["Order_Date is not a date"]),
    ({"Ordered_At": "2024-02-29T25:00:00+00:00"}, ["Ordered_At is not a date and time"]),
    ({"Ordered_At": "later"}, ["Ordered_At is not a date and time"]),
    ({"Item_Count": 10**9}, ["Item_Count has more than 9 digits"]),
    ({"Item_Count": "1.5"}, ["Item_Count is not a whole number"]),
    ({"Loyalty_Points": 10**18}, ["Loyalty_Points has more than 18 digits"]),
    ({"Total_Amount": 10**16}, ["Total_Amount has more than 16 digits before the point"]),
    ({"Total_Amount": 9.995}, ["Total_Amount has more than 2 decimal places (on_too_long: truncate would round it)"]),
    ({"Total_Amount": "1,50"}, ["Total_Amount is not a number: it has a comma (`push --decimal-comma` reads it)"]),
    ({"Ratio": "0.1234567891"}, ["Ratio has more than 9 decimal places (on_too_long: truncate would round it)"]),
    ({"Tax_Rate": 100_000}, ["Tax_Rate has more than 5 digits before the point"]),
    ({"Is_Gift": "perhaps"}, ["Is_Gift is not a boolean"]),
    ({"Account": "Zylker"}, ["Account is not the id of a record"]),
    ({"Clerk": "nobody"}, ["Clerk is not the id of a record"]),
    ({"Must": None}, ["Must has no value, and the field is mandatory"]),
    ({"id": "x" * (KEY_CHARACTERS + 1)}, ["parent_id is longer than the field's 100 characters"]),
    ({"Status": "Payd", "Item_Count": 10**9}, ['Status "Payd" is not in the picklist (did you mean "Paid"?)',
                                                "Item_Count has more than 9 digits"]),
]  # fmt: skip


@pytest.fixture
def sales(zoho_emulator: EmulatorProcess, tmp_path: Path) -> Sales:
    for name, field in EXTRA_FIELDS.items():
        zoho_emulator.admin.add_field("Orders", name, **field)
    zoho_emulator.admin.switch(excess_decimals="refuse")
    sales = Sales(zoho_emulator, tmp_path)
    sales.config["fields"] = {"Account": {}, "Clerk": {}}
    return sales


def records() -> list[dict[str, Any]]:
    """500 records, all of them bad; a key that is too long is another one each time."""
    made = []
    for number in range(RECORDS):
        bad, _ = BAD[number % len(BAD)]
        made.append({"id": f"SO-{number}", "Must": "must", **bad})
        if "id" in bad:
            made[-1]["id"] = f"{bad['id']}-{number}"
    return made


def refusals(sales: Sales) -> dict[str, tuple[str, str | None, frozenset[str]]]:
    return {
        key: (ack.status, ack.error_code, frozenset((ack.error_field or "").split(",")))
        for key, ack in sales.acks().items()
    }


def test_500_bad_records_are_refused_before_sending_and_by_zoho_alike(
    sales: Sales, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    bad = records()
    log = sales.send(*bad)
    by_us = refusals(sales)
    assert by_us.keys() == {record["id"] for record in bad}
    asked = zoho_emulator.admin.stats()["requests"]
    assert not {"upsert", "upload", "bulk_create"} & asked.keys(), "something was sent"
    causes = Counter(cause for number in range(RECORDS) for cause in BAD[number % len(BAD)][1])
    for cause, count in causes.items():
        field = cause.partition(" ")[0]
        code = "MANDATORY_NOT_FOUND" if field == "Must" else "INVALID_DATA"
        assert log.count(f"{count} orders: {cause}; {code} in field {field} (orders ") == 1, cause
    assert log.count(" orders: ") == len(causes)
    told = re.sub(r"^\S+ \S+ \| ", "", log, flags=re.MULTILINE)  # a moment may look like a value: 08:31:11,508
    assert not {text for text in ("xxx", "1,50", "perhaps", "ada at", "Zylker") if text in told.replace("x" * 101, "")}
    for channel in ("upsert", "bulk_write"):
        sales.config["ack_url"] = f"sqlite:///{tmp_path}/{channel}.sqlite"
        sales.send(*bad, channel=channel, validate=False)
        by_zoho = refusals(sales)
        assert by_zoho == by_us, {key: (by_us[key], by_zoho[key]) for key in by_us if by_us[key] != by_zoho[key]}
        assert zoho_emulator.admin.stats()["records"][f"{channel} none"] == RECORDS
    print(f"{RECORDS} records, {len(causes)} causes; the same refusals by us, by upsert calls and by a job")  # noqa: T201
