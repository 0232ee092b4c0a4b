from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client, csv_zip, files_zip


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"Line_Id": f"L{number}", "Line_Number": number, "Quantity": 2, "Unit_Price": 9.95, **more}


def rows(crm: Client, key: str = "A") -> dict[str, dict[str, Any]]:
    return {row["Line_Id"]: row for row in crm.records()[key]["Lines"]}


def first(answer: Any) -> dict[str, Any]:
    item: dict[str, Any] = answer.json()["data"][0]
    return item


def test_rows_sent_without_id_are_appended_each_time(crm: Client) -> None:
    record = first(crm.upsert([{"parent_id": "A", "Lines": [line(1), line(2)]}]))["details"]["id"]
    crm.upsert([{"parent_id": "A", "Lines": [line(3)]}])
    crm.upsert([{"parent_id": "A", "Country": "Peru"}])
    held = crm.get(f"/crm/v8/Orders/{record}").json()["data"][0]
    assert [row["Line_Id"] for row in held["Lines"]] == ["L1", "L2", "L3"]
    assert {row["Parent_Id"]["id"] for row in held["Lines"]} == {record}
    assert held["Lines"][0]["Unit_Price"] == 9.95
    assert crm.emulator.admin.stats()["modules"]["Lines"] == 3


def test_rows_with_id_are_changed_or_deleted_and_the_others_stay(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Lines": [line(1), line(2), line(3)]}])
    ids = {key: row["id"] for key, row in rows(crm).items()}
    change = [{"id": ids["L1"], "Quantity": 5, "Note": "two"}, {"id": ids["L2"], "_delete": None}, line(4)]
    assert first(crm.upsert([{"parent_id": "A", "Lines": change}]))["code"] == "SUCCESS"
    held = rows(crm)
    assert {key: row["Quantity"] for key, row in held.items()} == {"L1": 5, "L3": 2, "L4": 2}
    assert held["L1"]["id"] == ids["L1"]
    assert crm.emulator.admin.stats()["modules"]["Lines"] == 3


@pytest.mark.parametrize("nothing", [[], None])
def test_an_empty_list_deletes_every_row(crm: Client, nothing: Any) -> None:
    crm.upsert([{"parent_id": "A", "Lines": [line(1)]}, {"parent_id": "B", "Lines": [line(2)]}])
    crm.upsert([{"parent_id": "A", "Lines": nothing}])
    assert (rows(crm), list(rows(crm, "B"))) == ({}, ["L2"])


def test_a_record_holds_a_hundred_rows_and_no_more(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Lines": [line(number) for number in range(99)]}])
    refused = first(crm.upsert([{"parent_id": "A", "Country": "Peru", "Lines": [line(99), line(100)]}]))
    assert (refused["code"], refused["details"]["limit"]) == ("LIMIT_EXCEEDED", 100)
    assert crm.records()["A"]["Country"] is None
    assert first(crm.upsert([{"parent_id": "A", "Lines": [line(99)]}]))["code"] == "SUCCESS"
    many = first(crm.upsert([{"parent_id": "B", "Lines": [line(number) for number in range(101)]}]))
    assert (many["code"], many["details"]["json_path"]) == ("LIMIT_EXCEEDED", "$.data[0].Lines")


@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ("text", "INVALID_DATA", "$.data[1].Lines"),
        (["text"], "INVALID_DATA", "$.data[1].Lines[0]"),
        ([line(1), line(2, Quantity="many")], "INVALID_DATA", "$.data[1].Lines[1].Quantity"),
        ([{"id": "4876876000000999999", "Quantity": 1}], "INVALID_DATA", "$.data[1].Lines[0].id"),
    ],
)
def test_a_bad_row_refuses_its_record_and_names_its_place(crm: Client, given: Any, code: str, place: str) -> None:
    answer = crm.upsert([{"parent_id": "A"}, {"parent_id": "B", "Lines": given}]).json()["data"][1]
    assert (answer["code"], answer["details"]["json_path"]) == (code, place)
    assert set(crm.records()) == {"A"}
    assert crm.emulator.admin.stats()["modules"]["Lines"] == 0


def test_a_row_of_another_record_cannot_be_touched(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Lines": [line(1)]}])
    other = rows(crm)["L1"]["id"]
    for change in ({"id": other, "Quantity": 9}, {"id": other, "_delete": None}):
        assert first(crm.upsert([{"parent_id": "B", "Lines": [change]}]))["code"] == "INVALID_DATA"
    assert rows(crm)["L1"]["Quantity"] == 2


def test_a_mandatory_field_of_a_row_is_demanded(crm: Client) -> None:
    crm.emulator.admin.alter_field("Lines", "Product", layout_mandatory=True)
    refused = first(crm.upsert([{"parent_id": "A", "Lines": [line(1)]}]))
    assert (refused["code"], refused["details"]["parent_api_name"]) == ("MANDATORY_NOT_FOUND", "Lines")
    assert refused["details"]["json_path"] == "$.data[0].Lines[0].Product"


def test_the_same_key_twice_in_one_call_appends_to_one_record(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Lines": [line(1)]}, {"parent_id": "a", "Lines": [line(2)]}])
    (held,) = crm.emulator.admin.records("Orders")
    assert [row["Line_Id"] for row in held["Lines"]] == ["L1", "L2"]


def test_lists_leave_rows_out_and_reading_by_ids_has_them(crm: Client) -> None:
    record = first(crm.upsert([{"parent_id": "A", "Lines": [line(1)]}]))["details"]["id"]
    assert "Lines" not in crm.get("/crm/v8/Orders?fields=parent_id").json()["data"][0]
    named = crm.get(f"/crm/v8/Orders?fields=parent_id,Lines&ids={record}").json()["data"][0]
    assert [row["Line_Id"] for row in named["Lines"]] == ["L1"]


def test_deleting_a_record_deletes_its_rows_and_a_row_can_be_deleted_alone(crm: Client) -> None:
    made = crm.upsert([{"parent_id": "A", "Lines": [line(1), line(2)]}, {"parent_id": "B", "Lines": [line(3)]}])
    crm.delete(f"/crm/v8/Lines?ids={rows(crm)['L1']['id']}")
    assert set(rows(crm)) == {"L2"}
    crm.delete(f"/crm/v8/Orders?ids={made.json()['data'][0]['details']['id']}")
    assert [row["Line_Id"] for row in crm.emulator.admin.records("Lines")] == ["L3"]
    assert crm.emulator.admin.stats()["modules"]["Lines"] == 1


def test_the_fields_call_tells_the_module_of_the_rows(crm: Client) -> None:
    fields = {f["api_name"]: f for f in crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]}
    assert (fields["Lines"]["data_type"], fields["Lines"]["json_type"]) == ("subform", "jsonarray")
    module = fields["Lines"]["associated_module"]["module"]
    told = {f["api_name"]: f for f in crm.get(f"/crm/v8/settings/fields?module={module}").json()["fields"]}
    assert told["Parent_Id"]["lookup"]["module"]["api_name"] == "Orders"
    assert told["Quantity"]["data_type"] == "double"


def test_coql_reads_rows_by_the_record_they_belong_to(crm: Client) -> None:
    made = crm.upsert([{"parent_id": "A", "Lines": [line(1), line(2)]}, {"parent_id": "B", "Lines": [line(3)]}])
    record = made.json()["data"][0]["details"]["id"]
    query = f"select id, Line_Id from Lines where Parent_Id in ('{record}')"
    found = crm.post("/crm/v8/coql", json={"select_query": query}).json()["data"]
    assert {row["Line_Id"] for row in found} == {"L1", "L2"}


LINE_COLUMNS = [
    {"api_name": "Parent_Id", "index": 0, "find_by": "id"},
    {"api_name": "Line_Id", "index": 1},
    {"api_name": "Quantity", "index": 2},
]


def lines_job(crm: Client, cells: list[list[str]], **more: Any) -> tuple[dict[str, Any], list[list[str]]]:
    resource = {"module": {"api_name": "Lines"}, "find_by": None, **more.pop("resource", {})}
    return crm.bulk([["Parent_Id", "Line_Id", "Quantity"], *cells], LINE_COLUMNS, resource=resource, **more)


def test_a_second_job_appends_rows_to_records_found_by_id(crm: Client) -> None:
    made = crm.upsert([{"parent_id": "A", "Lines": [line(1)]}, {"parent_id": "B"}]).json()["data"]
    ids = [item["details"]["id"] for item in made]
    told, result = lines_job(crm, [[ids[0], "L2", "3"], [ids[1], "L3", "4"], ["99", "L4", "1"], ["", "L5", "1"]])
    assert [row[3] for row in result] == ["added", "added", "skipped", "skipped"]
    assert [row[5] for row in result[2:]] == ["INVALID_DATA-Parent_Id", "MANDATORY_NOT_FOUND-Parent_Id"]
    assert told["resource"][0]["file"]["added_count"] == 2
    assert (list(rows(crm)), list(rows(crm, "B"))) == (["L1", "L2"], ["L3"])
    lines_job(crm, [[ids[1], "L3", "4"]])
    assert [row["Line_Id"] for row in crm.records()["B"]["Lines"]] == ["L3", "L3"]


def test_a_job_of_new_rows_only_gives_each_to_its_record(crm: Client) -> None:
    ids = [item["details"]["id"] for item in crm.upsert([{"parent_id": "A"}, {"parent_id": "B"}]).json()["data"]]
    lines_job(crm, [[ids[number % 2], f"L{number}", "1"] for number in range(6)])
    assert (list(rows(crm)), list(rows(crm, "B"))) == (["L0", "L2", "L4"], ["L1", "L3", "L5"])


def test_a_job_of_rows_keeps_the_limit_of_a_record(crm: Client) -> None:
    record = first(crm.upsert([{"parent_id": "A", "Lines": [line(number) for number in range(99)]}]))["details"]["id"]
    _, result = lines_job(crm, [[record, "L99", "1"], [record, "L100", "1"]])
    assert [(row[3], row[5]) for row in result] == [("added", ""), ("skipped", "LIMIT_EXCEEDED-Parent_Id")]
    assert len(crm.records()["A"]["Lines"]) == 100


def test_rows_are_updated_by_id_and_stay_with_their_record(crm: Client) -> None:
    made = crm.upsert([{"parent_id": "A", "Lines": [line(1)]}, {"parent_id": "B"}]).json()["data"]
    row, other = rows(crm)["L1"]["id"], made[1]["details"]["id"]
    cells = [["id", "Parent_Id", "Quantity"], [row, made[0]["details"]["id"], "7"], [row, other, "8"]]
    columns = ["id", {"api_name": "Parent_Id", "index": 1, "find_by": "id"}, {"api_name": "Quantity", "index": 2}]
    resource = {"module": {"api_name": "Lines"}, "find_by": "id"}
    _, result = crm.bulk(cells, columns, operation="update", resource=resource)
    assert [row[3] for row in result] == ["updated", "skipped"]
    assert rows(crm)["L1"]["Quantity"] == 7


def family(crm: Client, orders: list[list[str]], lines: list[list[str]], **more: Any) -> str:
    archive = files_zip({"orders.csv": [["parent_id", "Status"], *orders], "lines.csv": [["order", "id", "n"], *lines]})
    file_id = crm.upload(archive).json()["details"]["file_id"]
    child = {
        "type": "data",
        "module": {"api_name": "Lines"},
        "file_id": file_id,
        "file_names": ["lines.csv"],
        "field_mappings": [
            {"api_name": "Parent_Id", "index": 0, "parent_column_index": 0},
            {"api_name": "Line_Id", "index": 1},
            {"api_name": "Quantity", "index": 2},
        ],
        **more,
    }
    parent = {
        "type": "data",
        "module": {"api_name": "Orders"},
        "file_id": file_id,
        "file_names": ["orders.csv"],
        "find_by": "parent_id",
        "field_mappings": [{"api_name": "parent_id", "index": 0}, {"api_name": "Status", "index": 1}],
    }
    answer = crm.post("/crm/bulk/v8/write", json={"operation": "upsert", "resource": [parent, child]})
    return str(answer.json().get("details", {}).get("id", answer.json()["code"]))


def test_one_zip_holds_the_parents_and_their_children(crm: Client) -> None:
    crm.upsert([{"parent_id": "B", "Lines": [line(9)]}])
    job = family(
        crm,
        [["A", "Paid"], ["B", "Paid"], ["C", "Gone"]],
        [["A", "L1", "1"], ["B", "L2", "2"], ["A", "L3", "3"], ["C", "L4", "4"], ["D", "L5", "5"], ["A", "L6", "x"]],
    )
    told = crm.finished(job)
    assert [one["module"]["api_name"] for one in told["resource"]] == ["Orders", "Lines"]
    counts = [[one["file"][f"{name}_count"] for name in ("added", "updated", "skipped")] for one in told["resource"]]
    assert counts == [[1, 1, 1], [3, 0, 3]]
    results = crm.results(told)
    assert [row[2] for row in results["Orders-orders.csv"][1:]] == ["added", "updated", "skipped"]
    assert [row[5] for row in results["Lines-lines.csv"][1:]] == [
        "", "", "", "INVALID_DATA-order", "INVALID_DATA-order", "INVALID_DATA-n",
    ]  # fmt: skip
    assert (list(rows(crm)), list(rows(crm, "B"))) == (["L1", "L3"], ["L9", "L2"])


def test_children_of_rows_that_were_not_tried_are_not_tried(crm: Client) -> None:
    crm.emulator.admin.add_fault(kind="unprocessed", rows=1, module="Orders")
    told = crm.finished(family(crm, [["A", "Paid"], ["B", "Paid"]], [["B", "L1", "1"], ["A", "L2", "2"]]))
    results = crm.results(told)
    assert [row[2] for row in results["Orders-orders.csv"][1:]] == ["added", "unprocessed"]
    assert [row[3] for row in results["Lines-lines.csv"][1:]] == ["unprocessed", "added"]
    assert crm.emulator.admin.stats()["modules"]["Lines"] == 1


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"module": {"api_name": "Accounts"}}, "MANDATORY_NOT_FOUND"),
        ({"module": {"api_name": "Order_Lines"}, "find_by": "line_id", "field_mappings": [
            {"api_name": "line_id", "index": 1}]}, "FILE_NOT_SUPPORTED"),
        ({"field_mappings": [{"api_name": "Line_Id", "index": 1}]}, "MANDATORY_FIELDS_NOT_MAPPED"),
        ({"field_mappings": [{"api_name": "Parent_Id", "index": 0}]}, "MISSING_REQUIRED_KEY"),
        ({"file_names": ["nothing.csv"]}, "FILE_NOT_SUPPORTED"),
        ({"module": None}, "MISSING_REQUIRED_KEY"),
    ],
)  # fmt: skip
def test_a_second_resource_must_be_a_child_that_names_its_parents(crm: Client, more: dict[str, Any], code: str) -> None:
    assert family(crm, [["A", "Paid"]], [["A", "L1", "1"]], **more) == code


def test_lines_as_records_of_their_own_are_repeated_safely(crm: Client) -> None:
    order = first(crm.upsert([{"parent_id": "A"}]))["details"]["id"]
    body = [{"line_id": "1", "Order": {"id": order}, "Product": "Tea", "Quantity": 1.5, "Unit_Price": 3}]
    for _ in range(2):
        assert first(crm.upsert(body, "Order_Lines", duplicate_check_fields=["line_id"]))["code"] == "SUCCESS"
    cells = [["line_id", "Order", "Product"], ["1", "A", "Coffee"], ["2", "A", "Milk"], ["3", "B", "Salt"]]
    columns = ["line_id", {"api_name": "Order", "index": 1, "find_by": "parent_id", "module": "Orders"}, "Product"]
    columns[2] = {"api_name": "Product", "index": 2}
    resource = {"module": {"api_name": "Order_Lines"}, "find_by": "line_id"}
    _, result = crm.bulk(cells, columns, resource=resource)
    assert [row[3] for row in result] == ["updated", "added", "skipped"]
    held = {row["line_id"]: (row["Order"]["id"], row["Product"]) for row in crm.emulator.admin.records("Order_Lines")}
    assert held == {"1": (order, "Coffee"), "2": (order, "Milk")}


def test_a_subform_can_be_added_with_the_module_of_its_rows(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.add_subform(
        "Accounts", "Sites", [{"api_name": "City", "data_type": "text", "length": 10}], rows="Account_Sites"
    )
    made = crm.upsert(
        [{"Account_Name": "X", "Sites": [{"City": "Lima"}, {"City": "Cusco"}]}],
        "Accounts",
        duplicate_check_fields=["Legacy_Id"],
    )
    assert first(made)["code"] == "SUCCESS"
    (held,) = admin.records("Accounts")
    assert [row["City"] for row in held["Sites"]] == ["Lima", "Cusco"]
    assert admin.stats()["modules"]["Account_Sites"] == 2


def test_a_mandatory_subform_needs_a_row_in_each_new_record(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Lines", layout_mandatory=True)
    (layout,) = crm.get("/crm/v8/settings/layouts?module=Orders").json()["layouts"]
    required = [field["api_name"] for field in layout["sections"][0]["fields"] if field["required"]]
    assert required == ["Lines"]
    for rows in ({}, {"Lines": []}, {"Lines": None}):
        item = crm.upsert([{"parent_id": "A", **rows}]).json()["data"][0]
        assert (item["code"], item["details"]["api_name"]) == ("MANDATORY_NOT_FOUND", "Lines")
    assert crm.upsert([{"parent_id": "A", "Lines": [{"Product": "Tea"}]}]).status_code == 200
    assert crm.upsert([{"parent_id": "A", "Country": "Peru"}]).status_code == 200
    assert crm.upsert([{"parent_id": "A", "Lines": []}]).json()["data"][0]["code"] == "MANDATORY_NOT_FOUND"


def rows_of_orders(crm: Client, *counts: int) -> tuple[int, str]:
    """Send so many rows for orders of their own by one job of the subform: status and code of its creation."""
    keys = [f"R{number}" for number in range(len(counts))]
    crm.upsert([{"parent_id": key} for key in keys])
    cells = [
        ["order", "Quantity"],
        *([key, "1"] for key, count in zip(keys, counts, strict=True) for _ in range(count)),
    ]
    mappings = [
        {"api_name": "Parent_Id", "index": 0, "find_by": "parent_id", "module": "Orders"},
        {"api_name": "Quantity", "index": 1},
    ]
    file_id = crm.upload(csv_zip(cells)).json()["details"]["file_id"]
    lines = {"module": {"api_name": "Lines"}, "find_by": None}
    answer = crm.create(file_id, mappings, operation="insert", resource=lines)
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("per", "counts", "code"),
    [
        ("file", (100, 100), "SUCCESS"),
        ("file", (100, 101), "LIMIT_EXCEEDED"),
        ("parent", (100, 200), "SUCCESS"),
        ("parent", (1, 201), "LIMIT_EXCEEDED"),
        ("zip", (300,), "SUCCESS"),
    ],
)
def test_rows_of_a_subform_in_a_job_are_limited_by_file_or_by_record(
    crm: Client, per: str, counts: tuple[int, ...], code: str
) -> None:
    crm.emulator.admin.switch(child_rows_per=per)
    assert rows_of_orders(crm, *counts) == (201 if code == "SUCCESS" else 400, code)
