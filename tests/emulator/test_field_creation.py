"""Custom fields made over the API, answered as Zoho's OpenAPI file says."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client
from openapi import Forms, Recorder


def create(crm: Client, *fields: dict[str, Any], module: str = "Orders") -> Any:
    return crm.post(f"/crm/v8/settings/fields?module={module}", json={"fields": list(fields)})


def test_a_created_field_is_there_and_takes_values(crm: Client) -> None:
    answer = create(
        crm, {"field_label": "Legacy Code", "data_type": "text", "length": 40, "unique": {"casesensitive": "true"}}
    )
    assert answer.status_code == 201
    (item,) = answer.json()["fields"]
    assert (item["code"], item["status"]) == ("SUCCESS", "success")
    listed = crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]
    (field,) = [each for each in listed if each["id"] == item["details"]["id"]]
    assert (field["api_name"], field["data_type"], field["length"]) == ("Legacy_Code", "text", 40)
    assert field["unique"] == {"case_sensitive": True}
    written = crm.post("/crm/v8/Orders/upsert", json={"data": [{"parent_id": "1", "Legacy_Code": "a"}]})
    assert written.json()["data"][0]["code"] == "SUCCESS"
    again = crm.post("/crm/v8/Orders", json={"data": [{"parent_id": "2", "Legacy_Code": "a"}]})
    assert again.json()["data"][0]["code"] == "DUPLICATE_DATA"


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"data_type": "text"}, "MANDATORY_NOT_FOUND"),
        ({"field_label": "X"}, "MANDATORY_NOT_FOUND"),
        ({"field_label": "X", "data_type": "hologram"}, "INVALID_DATA"),
        ({"field_label": "X", "data_type": "text", "length": 256}, "INVALID_DATA"),
        ({"field_label": "X", "data_type": "boolean", "unique": {"casesensitive": "true"}}, "INVALID_DATA"),
        ({"field_label": "Parent ID", "data_type": "text"}, "INVALID_DATA"),
        ({"field_label": "X", "data_type": "lookup"}, "MANDATORY_NOT_FOUND"),
        ({"field_label": "X", "data_type": "lookup", "lookup": {"module": {"api_name": "Moon"}}}, "INVALID_DATA"),
        ({"field_label": "X", "data_type": "picklist", "pick_list_values": ["a"]}, "INVALID_DATA"),
        ({"field_label": "X", "data_type": "subform"}, "INVALID_DATA"),
    ],
)
def test_what_cannot_be_made_is_refused_and_changes_nothing(crm: Client, field: dict[str, Any], code: str) -> None:
    before = crm.get("/crm/v8/settings/fields?module=Orders").json()
    answer = create(crm, field)
    assert (answer.status_code, answer.json()["fields"][0]["code"]) == (400, code)
    assert crm.get("/crm/v8/settings/fields?module=Orders").json() == before


def test_a_created_lookup_points_to_its_module(crm: Client) -> None:
    (account,) = crm.emulator.admin.put_records("Accounts", [{"Account_Name": "X"}])
    lookup = {"field_label": "Payer", "data_type": "lookup", "lookup": {"module": {"api_name": "Accounts"}}}
    assert create(crm, lookup).status_code == 201
    crm.upsert([{"parent_id": "A", "Payer": {"id": account}}])
    assert crm.records()["A"]["Payer"]["name"] == "X"


def test_five_fields_a_call_and_no_more(crm: Client) -> None:
    fields = [{"field_label": f"Extra {number}", "data_type": "integer"} for number in range(6)]
    assert create(crm, *fields).json()["fields"][0]["code"] == "LIMIT_EXCEEDED"
    assert len(create(crm, *fields[:5]).json()["fields"]) == 5


def test_the_answers_satisfy_zohos_openapi_file(crm: Client, checker: Forms) -> None:
    with Recorder(crm.base) as recorder:
        crm.base = recorder.base_url
        create(crm, {"field_label": "Extra", "data_type": "date"})
        create(crm, {"data_type": "date"})
    for answer in recorder.answers:
        checker.check(answer)
    assert {status for _, _, status in checker.checked} == {201, 400}
