"""The versions of the API that a path can name, each with what is known to differ; and the forms of a token request."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from emulator_client import Client, csv_zip

ALL = ("v2", "v2.1", "v3", "v4", "v5", "v6", "v7", "v8")


def upserted(crm: Client, version: str, *records: dict[str, Any]) -> requests.Response:
    body = {"data": records, "duplicate_check_fields": ["parent_id"], "trigger": []}
    return crm.post(f"/crm/{version}/Orders/upsert", json=body)


@pytest.mark.parametrize("sent", ["form", "multipart", "query"])
def test_a_token_is_given_whichever_way_the_request_carries_its_form(crm: Client, sent: str) -> None:
    emulator = crm.emulator
    form = {
        "grant_type": "refresh_token",
        "refresh_token": crm.refresh_token,
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
    }
    parts = {name: (None, value) for name, value in form.items()}
    options: dict[str, Any] = {"form": {"data": form}, "multipart": {"files": parts}, "query": {"params": form}}[sent]
    answer = requests.post(f"{crm.base}/oauth/v2/token", timeout=120, **options)
    assert answer.json()["expires_in"] == 3600
    token = {"Authorization": f"Zoho-oauthtoken {answer.json()['access_token']}"}
    assert requests.get(f"{crm.base}/crm/v8/org", headers=token, timeout=120).status_code == 200


def test_a_token_request_in_parts_that_cannot_be_read_is_an_error_under_status_200(crm: Client) -> None:
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = requests.post(f"{crm.base}/oauth/v2/token", data=b"no parts", headers=broken, timeout=120)
    assert (answer.status_code, answer.json()) == (200, {"error": "invalid_request"})


@pytest.mark.parametrize("version", ALL)
def test_each_version_writes_reads_and_deletes_the_same_records(crm: Client, version: str) -> None:
    (made,) = upserted(crm, version, {"parent_id": "A", "Total_Amount": 1.5}).json()["data"]
    (again,) = upserted(crm, version, {"parent_id": "A", "Total_Amount": 2.5}).json()["data"]
    assert (made["action"], again["action"]) == ("insert", "update")
    record = made["details"]["id"]
    assert crm.get(f"/crm/{version}/Orders/{record}").json()["data"][0]["Total_Amount"] == 2.5
    query = {"select_query": "select parent_id from Orders where parent_id = 'A'"}
    assert crm.post(f"/crm/{version}/coql", json=query).json()["data"][0]["parent_id"] == "A"
    assert crm.delete(f"/crm/{version}/Orders?ids={record}").json()["data"][0]["code"] == "SUCCESS"
    assert crm.emulator.admin.requests(last=1)[0]["path"] == f"/crm/{version}/Orders"


@pytest.mark.parametrize("version", ALL)
def test_each_version_has_bulk_write_under_its_own_path(crm: Client, version: str) -> None:
    archive = csv_zip([["parent_id"], ["A"], ["B"]])
    headers = {"feature": "bulk-write", "X-CRM-ORG": "60012345678"}
    sent = crm.post(f"/crm/{version}/upload", files={"file": ("orders.zip", archive)}, headers=headers).json()
    resource = {
        "type": "data",
        "module": {"api_name": "Orders"},
        "file_id": sent["details"]["file_id"],
        "find_by": "parent_id",
        "field_mappings": [{"api_name": "parent_id", "index": 0}],
    }
    body = {"operation": "upsert", "resource": [resource]}
    job = crm.post(f"/crm/bulk/{version}/write", json=body).json()["details"]["id"]
    crm.emulator.admin.wait_jobs()
    told = crm.get(f"/crm/bulk/{version}/write/{job}").json()
    assert (told["status"], told["resource"][0]["file"]["added_count"]) == ("COMPLETED", 2)


@pytest.mark.parametrize(("version", "status"), [("v2", 201), ("v2.1", 200), ("v8", 200)])
def test_a_plain_insert_answers_201_in_v2(crm: Client, version: str, status: int) -> None:
    assert crm.post(f"/crm/{version}/Orders", json={"data": [{"parent_id": "A"}]}).status_code == status
    assert upserted(crm, version, {"parent_id": "B"}).status_code == 200


def test_a_plain_insert_can_answer_201_in_every_version(crm: Client) -> None:
    crm.emulator.admin.switch(insert_status=201)
    assert crm.post("/crm/v8/Orders", json={"data": [{"parent_id": "A"}]}).status_code == 201


@pytest.mark.parametrize(("version", "status"), [("v2", 202), ("v2.1", 202), ("v3", 400), ("v8", 400)])
def test_a_call_of_which_every_record_failed_answers_202_in_old_versions(
    crm: Client, version: str, status: int
) -> None:
    answer = upserted(crm, version, {"parent_id": "A", "Status": "No such"})
    assert (answer.status_code, answer.json()["data"][0]["code"]) == (status, "INVALID_DATA")


def test_errors_of_v2_name_no_place_in_json(crm: Client) -> None:
    bad = {"parent_id": "A", "Status": "No such", "Is_Gift": "yes"}
    errors = [one["details"] for one in upserted(crm, "v2", bad).json()["data"][0]["details"]["errors"]]
    assert [(one["api_name"], "json_path" in one) for one in errors] == [("Status", False), ("Is_Gift", False)]
    assert "json_path" not in crm.post("/crm/v2/Orders/upsert", json={}).json()["details"]
    newer = upserted(crm, "v8", bad).json()["data"][0]["details"]["errors"]
    assert [one["details"]["json_path"] for one in newer] == ["$.data[0].Status", "$.data[0].Is_Gift"]


@pytest.mark.parametrize("version", ALL)
def test_lists_need_fields_from_v3_on(crm: Client, version: str) -> None:
    upserted(crm, version, {"parent_id": "A"})
    answer = crm.get(f"/crm/{version}/Orders")
    if version in {"v2", "v2.1"}:
        assert answer.json()["data"][0]["parent_id"] == "A"
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "REQUIRED_PARAM_MISSING")


def test_v2_takes_a_modules_name_in_any_case_and_v8_by_a_switch(crm: Client) -> None:
    upserted(crm, "v2", {"parent_id": "A"})
    assert crm.get("/crm/v2/orders").json()["data"][0]["parent_id"] == "A"
    assert crm.get("/crm/v2/settings/fields?module=orders").json()["fields"]
    assert crm.get("/crm/v8/orders?fields=parent_id").json()["code"] == "INVALID_MODULE"
    crm.emulator.admin.switch(module_names="any_case")
    assert crm.get("/crm/v8/orders?fields=parent_id").json()["data"][0]["parent_id"] == "A"
    assert crm.get("/crm/v8/ordres?fields=parent_id").json()["code"] == "INVALID_MODULE"


@pytest.mark.parametrize(("version", "as_text"), [("v2", True), ("v2.1", True), ("v3", False), ("v8", False)])
def test_metadata_of_old_versions_name_a_lookups_module_as_text(crm: Client, version: str, *, as_text: bool) -> None:
    fields = {one["api_name"]: one for one in crm.get(f"/crm/{version}/settings/fields?module=Orders").json()["fields"]}
    module = fields["Account"]["lookup"]["module"]
    assert module == "Accounts" if as_text else module["api_name"] == "Accounts"
    assert ("id" in fields) == (version != "v2")


@pytest.mark.parametrize("version", ["v1", "v9", "v2.2", "8"])
def test_a_version_that_is_none_is_no_address(crm: Client, version: str) -> None:
    answer = crm.get(f"/crm/{version}/org")
    assert (answer.status_code, answer.json()["code"]) == (404, "INVALID_URL_PATTERN")
