"""Zoho's modules with line items: what a record demands, what the CRM computes, and how lines come by a job."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from emulator_client import Client, files_zip

from zoho_crm_emulator.inventory import STANDARD


@pytest.fixture
def products(crm: Client) -> dict[str, str]:
    """Ids of two products by code; `Legacy_No` is the unique field of the sales orders."""
    crm.emulator.admin.add_field("Sales_Orders", "Legacy_No", "text", unique=True)
    crm.emulator.admin.add_field("Ordered_Items", "Line_Id", "text")
    body = {
        "data": [
            {"Product_Name": "Chair", "Product_Code": "C-1", "Unit_Price": 49.9},
            {"Product_Name": "Desk", "Product_Code": "D-1", "Unit_Price": 200},
        ]
    }
    items = crm.post("/crm/v8/Products", json=body).json()["data"]
    return dict(zip(["C-1", "D-1"], [item["details"]["id"] for item in items], strict=True))


def order(products: dict[str, str], key: str = "A", **more: Any) -> dict[str, Any]:
    line = {"Product_Name": {"id": products["C-1"]}, "Quantity": 3, "List_Price": 33.33, "Line_Id": f"{key}1"}
    return {"Subject": f"Order {key}", "Legacy_No": key, "Ordered_Items": [line], **more}


def upsert(crm: Client, *records: dict[str, Any], **more: Any) -> list[Any]:
    items: list[Any] = crm.upsert(records, "Sales_Orders", duplicate_check_fields=["Legacy_No"], **more).json()["data"]
    return items


def held(crm: Client, record: str) -> dict[str, Any]:
    found: dict[str, Any] = crm.get(f"/crm/v8/Sales_Orders/{record}").json()["data"][0]
    return found


def test_totals_are_computed_and_cannot_be_written(crm: Client, products: dict[str, str]) -> None:
    taxes = [{"name": "VAT", "percentage": 19}, {"name": "City Tax"}]
    lines = [
        {"Product_Name": {"id": products["C-1"]}, "Quantity": 3, "List_Price": 33.33, "Discount": 5, "Line_Tax": taxes},
        {"Product_Name": {"id": products["D-1"]}, "Quantity": 0.5, "Net_Total": 1},
    ]
    given = order(products, Ordered_Items=lines, Discount=10, Adjustment=-0.5, Grand_Total=7)
    (item,) = upsert(crm, given)
    record = held(crm, item["details"]["id"])
    first, second = record["Ordered_Items"]
    computed = ("Total", "Total_After_Discount", "Tax", "Net_Total")
    assert [first[name] for name in computed] == [99.99, 94.99, 19.0, 113.99]
    assert [tax["value"] for tax in first["Line_Tax"]] == [18.05, 0.95]
    assert first["Product_Name"] == {"id": products["C-1"], "name": "Chair", "Product_Code": "C-1", "Currency": "USD"}
    assert (second["List_Price"], second["Net_Total"]) == (200, 100)
    assert (record["Sub_Total"], record["Grand_Total"]) == (213.99, 203.49)


def test_totals_follow_lines_that_are_changed_added_and_taken_away(crm: Client, products: dict[str, str]) -> None:
    (item,) = upsert(crm, order(products))
    record = item["details"]["id"]
    (line,) = held(crm, record)["Ordered_Items"]
    new = {"Product_Name": {"id": products["D-1"]}, "Quantity": 1, "List_Price": 10}
    upsert(crm, {"id": record, "Ordered_Items": [{"id": line["id"], "Quantity": 1}, new]})
    assert held(crm, record)["Grand_Total"] == 43.33
    upsert(crm, {"id": record, "Ordered_Items": [{"id": line["id"], "_delete": None}]})
    assert held(crm, record)["Grand_Total"] == 10


def test_a_new_record_demands_a_subject_and_line_items_and_an_update_neither(
    crm: Client, products: dict[str, str]
) -> None:
    whole = order(products)
    for name in ("Subject", "Ordered_Items"):
        (item,) = upsert(crm, {key: value for key, value in whole.items() if key != name})
        assert (item["code"], item["details"]["api_name"]) == ("MANDATORY_NOT_FOUND", name)
    (item,) = upsert(crm, order(products, Ordered_Items=[]))
    assert item["code"] == "MANDATORY_NOT_FOUND"
    upsert(crm, whole)
    (item,) = upsert(crm, {"Legacy_No": "A", "Status": "Approved"})
    assert item["action"] == "update"


@pytest.mark.parametrize("away", ["all", "one by one"])
@pytest.mark.parametrize(("position", "code"), [("keep", "MANDATORY_NOT_FOUND"), ("delete", "SUCCESS")])
def test_the_last_line_item_stays_or_goes_by_a_switch(
    crm: Client, products: dict[str, str], away: str, position: str, code: str
) -> None:
    crm.emulator.admin.switch(last_line_item=position)
    (item,) = upsert(crm, order(products))
    record = item["details"]["id"]
    (line,) = held(crm, record)["Ordered_Items"]
    (item,) = upsert(
        crm, {"id": record, "Ordered_Items": [] if away == "all" else [{"id": line["id"], "_delete": None}]}
    )
    assert item["code"] == code
    assert held(crm, record)["Grand_Total"] == (99.99 if position == "keep" else 0)


@pytest.mark.parametrize(("position", "total"), [("amount", None), ("percent_too", 89.99)])
def test_a_discount_in_percent_by_a_switch(
    crm: Client, products: dict[str, str], position: str, total: float | None
) -> None:
    crm.emulator.admin.switch(line_discount=position)
    given = order(products)
    given["Ordered_Items"][0]["Discount"] = "10%"
    (item,) = upsert(crm, given)
    if total is None:
        assert item["details"]["json_path"] == "$.data[0].Ordered_Items[0].Discount"
    else:
        assert held(crm, item["details"]["id"])["Grand_Total"] == total


@pytest.mark.parametrize("tax", [{"name": "Poll Tax"}, {"id": "17"}, {"name": "VAT", "percentage": "19"}, "VAT"])
def test_only_the_orgs_taxes_are_taken(crm: Client, products: dict[str, str], tax: Any) -> None:
    given = order(products)
    given["Ordered_Items"][0]["Line_Tax"] = [tax]
    (item,) = upsert(crm, given)
    assert (item["code"], item["details"]["json_path"]) == ("INVALID_DATA", "$.data[0].Ordered_Items[0].Line_Tax")


def test_the_orgs_taxes_can_be_read(crm: Client) -> None:
    taxes = crm.get("/crm/v8/org/taxes").json()["org_taxes"]["taxes"]
    assert {tax["name"]: tax["value"] for tax in taxes} == {
        "VAT": 19, "Reduced VAT": 7, "Sales Tax": 8.375, "City Tax": 1,
    }  # fmt: skip


@pytest.mark.parametrize("module", STANDARD, ids=lambda module: module.name)
def test_metadata_say_what_is_mandatory_and_what_is_computed(crm: Client, module: Any) -> None:
    def fields(name: str) -> dict[str, Any]:
        told = crm.get("/crm/v8/settings/fields", params={"module": name}).json()["fields"]
        return {field["api_name"]: field for field in told}

    head, lines = fields(module.name), fields(module.items)
    mandatory = {name for name, field in head.items() if field["system_mandatory"]}
    assert mandatory == {"Subject", module.items} | ({"Vendor_Name"} if module.name == "Purchase_Orders" else set())
    computed = {name for name, field in lines.items() if field["operation_type"]["api_create"] is False}
    assert {"Total", "Total_After_Discount", "Tax", "Net_Total"} <= computed
    assert not head["Grand_Total"]["operation_type"]["api_update"]
    assert (lines["Line_Tax"]["data_type"], lines["Line_Tax"]["json_type"]) == ("linetax", "jsonarray")


def job(crm: Client, lines: list[list[str]]) -> Any:
    heads = [["key", "subject"], ["A", "Order A"], ["B", "Order B"]]
    header = ["order", "line", "product", "quantity", "price", "tax"]
    file = crm.upload(files_zip({"orders.csv": heads, "lines.csv": [header, *lines]})).json()["details"]["file_id"]
    names = ["Parent_Id", "Line_Id", "Product_Name", "Quantity", "List_Price", "Line_Tax"]
    child: list[dict[str, Any]] = [{"api_name": name, "index": at} for at, name in enumerate(names)]
    child[0]["parent_column_index"] = 0
    parent = [{"api_name": "Legacy_No", "index": 0}, {"api_name": "Subject", "index": 1}]
    resources = [
        {
            "type": "data",
            "module": {"api_name": module},
            "file_id": file,
            "file_names": [name],
            "field_mappings": mappings,
        }
        for module, name, mappings in (
            ("Sales_Orders", "orders.csv", parent),
            ("Ordered_Items", "lines.csv", child),
        )
    ]
    return crm.post("/crm/bulk/v8/write", json={"operation": "insert", "resource": resources})


def test_line_items_come_in_one_zip_with_their_records(crm: Client, products: dict[str, str]) -> None:
    crm.emulator.admin.switch(child_rows_per="parent", line_tax_cells="names")
    chair = products["C-1"]
    lines = [["A", "A1", chair, "2", "10.00", "VAT"], ["A", "A2", chair, "1", "1.00", ""]]
    made = job(crm, lines)
    assert made.status_code == 201, made.text
    crm.finished(made.json()["details"]["id"])
    (record,) = crm.emulator.admin.records("Sales_Orders")  # B has no line items, and is refused
    assert (record["Legacy_No"], record["Grand_Total"], len(record["Ordered_Items"])) == ("A", Decimal("24.80"), 2)


def test_a_job_takes_records_without_line_items_by_a_switch(crm: Client, products: dict[str, str]) -> None:
    crm.emulator.admin.switch(line_tax_cells="names", line_items_in_job="later")
    crm.finished(job(crm, [["A", "A1", products["C-1"], "2", "10.00", ""]]).json()["details"]["id"])
    assert {each["Legacy_No"] for each in crm.emulator.admin.records("Sales_Orders")} == {"A", "B"}


def lines_after_a_second_job(crm: Client, product: str) -> tuple[int, list[str]]:
    """Lines of A once an insert job has met it again, and the names in that job's result."""
    crm.emulator.admin.switch(child_rows_per="parent", line_tax_cells="names")
    for line in ("A1", "A2"):
        lines = [["A", line, product, "2", "10.00", ""], ["B", f"B{line}", product, "1", "1.00", ""]]
        done = crm.finished(job(crm, lines).json()["details"]["id"])
    (record,) = [each for each in crm.emulator.admin.records("Sales_Orders") if each["Legacy_No"] == "A"]
    return len(record["Ordered_Items"]), [*crm.results(done)]


@pytest.mark.parametrize(("position", "lines"), [("refuse", 1), ("add", 2)])
def test_lines_in_the_zip_of_a_known_record(crm: Client, products: dict[str, str], position: str, lines: int) -> None:
    crm.emulator.admin.switch(rows_of_skipped=position)
    assert lines_after_a_second_job(crm, products["C-1"])[0] == lines


@pytest.mark.parametrize(("position", "csvs"), [("own_csv", 2), ("none", 1)])
def test_a_result_has_a_csv_for_lines_or_not(crm: Client, products: dict[str, str], position: str, csvs: int) -> None:
    crm.emulator.admin.switch(child_results=position)
    assert len(lines_after_a_second_job(crm, products["C-1"])[1]) == csvs


def test_taxes_have_no_column_in_a_job_by_default(crm: Client, products: dict[str, str]) -> None:
    refused = job(crm, [["A", "A1", products["C-1"], "2", "10.00", "VAT"]])
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_FIELD")
