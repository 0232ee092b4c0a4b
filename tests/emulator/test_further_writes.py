"""Mass update, clones, changes by external id, changes of fields, and bulk read."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest
from emulator_client import Client

MASS = "/crm/v8/Orders/actions/mass_update"
FIELDS = "/crm/v8/settings/fields?module=Orders"
ORDERS = {"module": {"api_name": "Orders"}}


@pytest.fixture
def ids(crm: Client) -> list[str]:
    records = [{"parent_id": f"P-{n}", "Item_Count": n, "Tags_List": ["express"]} for n in range(5)]
    return crm.emulator.admin.put_records("Orders", records)


def test_a_mass_update_by_ids_changes_those_records_at_once(crm: Client, ids: list[str]) -> None:
    values = {"Country": "Peru", "Tags_List": ["gift"]}
    answer = crm.post(MASS, json={"data": [values], "ids": ids[:2]})
    assert [item["message"] for item in answer.json()["data"]] == ["record updated"] * 2
    held = crm.records()
    assert [held[f"P-{n}"]["Country"] for n in range(3)] == ["Peru", "Peru", None]
    assert held["P-0"]["Tags_List"] == ["express", "gift"]
    crm.post(MASS, json={"data": [values], "ids": ids[:1], "over_write": True})
    assert crm.records()["P-0"]["Tags_List"] == ["gift"]


@pytest.mark.usefixtures("ids")
def test_a_mass_update_by_criteria_is_a_job(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.set_clock("manual")
    admin.settings(job_seconds=10)
    criteria = {"field": {"api_name": "Item_Count"}, "comparator": "greater_than", "value": 2}
    answer = crm.post(MASS, json={"data": [{"Total_Amount": 12.5}], "criteria": [criteria]})
    job = answer.json()["data"][0]["details"]["job_id"]
    (told,) = crm.get(f"{MASS}?job_id={job}").json()["data"]
    assert (told["Status"], told["Updated_Count"]) == ("SCHEDULED", 0)
    assert crm.records()["P-4"]["Total_Amount"] is None
    assert crm.get(f"/crm/bulk/v8/write/{job}").json()["code"] == "RESOURCE_NOT_FOUND"
    admin.advance_clock(11)
    admin.wait_jobs()
    (told,) = crm.get(f"{MASS}?job_id={job}").json()["data"]
    assert told == {
        "Status": "COMPLETED", "Total_Count": 2, "Updated_Count": 2, "Failed_Count": 0, "Not_Updated_Count": 0,
    }  # fmt: skip
    assert [str(record["Total_Amount"]) for record in crm.records().values()] == ["None"] * 3 + ["12.5"] * 2


def test_a_clone_holds_what_its_record_holds_but_for_what_must_differ(crm: Client) -> None:
    rows = [{"Product": "Tea"}, {"Product": "Cup"}]
    made = crm.upsert([{"parent_id": "A", "Country": "Peru", "Lines": rows}]).json()["data"][0]["details"]["id"]
    refused = crm.post(f"/crm/v8/Orders/{made}/actions/clone")
    assert (refused.status_code, refused.json()["code"]) == (400, "DUPLICATE_DATA")
    answer = crm.post(f"/crm/v8/Orders/{made}/actions/clone", json={"data": [{"parent_id": "B", "Status": "New"}]})
    assert answer.status_code == 201
    clone = crm.records()["B"]
    assert clone["id"] == answer.json()["data"][0]["details"]["id"] != made
    assert (clone["Country"], clone["Status"]) == ("Peru", "New")
    assert [row["Product"] for row in clone["Lines"]] == ["Tea", "Cup"]
    crm.emulator.admin.alter_field("Orders", "parent_id", external="org")
    assert crm.post(f"/crm/v8/Orders/{made}/actions/clone").status_code == 201
    assert len(list(crm.emulator.admin.records("Orders"))) == 3


def test_records_are_changed_and_deleted_by_external_id(crm: Client, ids: list[str]) -> None:
    crm.emulator.admin.alter_field("Orders", "parent_id", external="org")
    external = {"X-EXTERNAL": "Orders.parent_id"}
    changed = crm.put("/crm/v8/Orders/p-3", json={"data": [{"Country": "Peru"}]}, headers=external)
    assert changed.json()["data"][0]["details"]["id"] == ids[3]
    assert crm.records()["P-3"]["Country"] == "Peru"
    assert crm.delete("/crm/v8/Orders/P-3", headers=external).status_code == 200
    assert "P-3" not in crm.records()
    for answer in (
        crm.put("/crm/v8/Orders/P-3", json={"data": [{"Country": "Peru"}]}, headers=external),
        crm.delete("/crm/v8/Orders/P-3", headers=external),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_DATA")


@pytest.mark.usefixtures("ids")
def test_an_administrator_changes_and_deletes_fields(crm: Client) -> None:
    fields = {field["api_name"]: field for field in crm.get(FIELDS).json()["fields"]}
    values = [{"display_value": "New"}, {"display_value": "Old"}]
    changes = [{"id": fields["Country"]["id"], "length": 3}, {"id": fields["Status"]["id"], "pick_list_values": values}]
    assert crm.patch(FIELDS, json={"fields": changes}).status_code == 200
    for record in ({"Country": "Peru"}, {"Status": "Paid"}):
        assert crm.upsert([{"parent_id": "A", **record}]).json()["data"][0]["code"] == "INVALID_DATA"
    assert crm.upsert([{"parent_id": "A", "Status": "Old"}]).status_code == 200
    assert crm.delete(FIELDS.replace("?", f"/{fields['Item_Count']['id']}?")).status_code == 200
    assert "Item_Count" not in crm.records()["P-1"]
    kept = crm.delete(FIELDS.replace("?", f"/{fields['Created_Time']['id']}?"))
    assert (kept.status_code, kept.json()["code"]) == (400, "INVALID_DATA")


def read_job(crm: Client, query: dict[str, Any]) -> tuple[dict[str, Any], list[list[str]]]:
    created = crm.post("/crm/bulk/v8/read", json={"query": query})
    assert created.status_code == 201, created.text
    job = created.json()["data"][0]["details"]["id"]
    crm.emulator.admin.wait_jobs()
    (told,) = crm.get(f"/crm/bulk/v8/read/{job}").json()["data"]
    content = crm.get(told["result"]["download_url"]).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = archive.read(f"{job}.csv").decode()
    return told, list(csv.reader(io.StringIO(text, newline="")))


def test_a_bulk_read_job_writes_the_records_that_meet_its_criteria(crm: Client, ids: list[str]) -> None:
    criteria = {"field": {"api_name": "Item_Count"}, "comparator": "greater_equal", "value": "3"}
    told, rows = read_job(crm, {**ORDERS, "fields": ["parent_id", "Tags_List"], "criteria": criteria})
    assert rows == [["Id", "parent_id", "Tags_List"], [ids[3], "P-3", "express"], [ids[4], "P-4", "express"]]
    assert (told["state"], told["result"]["count"], told["result"]["more_records"]) == ("COMPLETED", 2, False)
    told, rows = read_job(crm, ORDERS)
    assert len(rows) == 6
    assert {"Owner", "Account", "Created_Time"} <= set(rows[0])
    assert crm.emulator.admin.stats()["credits"]["by_kind"]["bulk_read"] == 100


def test_a_page_token_leads_to_the_rest_of_a_bulk_read(crm: Client, ids: list[str]) -> None:
    crm.emulator.admin.switch(max_read_rows=2)
    seen: list[str] = []
    query: dict[str, Any] = {**ORDERS, "fields": ["parent_id"]}
    for count, more in ((2, True), (2, True), (1, False)):
        told, rows = read_job(crm, query)
        assert (told["result"]["count"], told["result"]["more_records"]) == (count, more)
        assert rows[0] == ["Id", "parent_id"]
        seen += [row[0] for row in rows[1:]]
        query = {"page_token": told["result"].get("next_page_token")}
    assert seen == ids
    assert "next_page_token" not in told["result"]


def test_values_of_a_multi_select_stand_in_a_bulk_read_with_commas_between_them(crm: Client) -> None:
    crm.emulator.admin.put_records("Orders", [{"parent_id": "P-1", "Tags_List": ["express", "gift"]}])
    _, rows = read_job(crm, {**ORDERS, "fields": ["Tags_List"]})
    assert rows[1][1] == "express,gift"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"module": {"api_name": "Nothing"}}, "MODULE_NOT_AVAILABLE"),
        ({"fields": ["No_Such"]}, "FIELD_NOT_AVAILABLE"),
        ({"page": 501}, "PAGE_NOT_SUPPORTED"),
        ({"page_token": "!"}, "PAGE_NOT_SUPPORTED"),
        ({"cvid": "1"}, "QUERY_NOT_SUPPORTED"),
        ({"criteria": {"field": "No_Such", "comparator": "equal", "value": 1}}, "INVALID_QUERY"),
    ],
)
def test_a_bulk_read_that_cannot_be_is_refused(crm: Client, query: dict[str, Any], code: str) -> None:
    answer = crm.post("/crm/bulk/v8/read", json={"query": {"module": {"api_name": "Orders"}, **query}})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert crm.get("/crm/bulk/v8/read/1").status_code == 404
