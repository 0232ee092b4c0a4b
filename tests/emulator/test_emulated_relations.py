from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client


def accounts(crm: Client, count: int) -> list[str]:
    admin = crm.emulator.admin
    return admin.put_records("Accounts", [{"Account_Name": f"Shop {n}", "Legacy_Id": f"C{n}"} for n in range(count)])


def coql(crm: Client, query: str) -> list[dict[str, Any]]:
    answer = crm.post("/crm/v8/coql", json={"select_query": query})
    return list(answer.json()["data"]) if answer.status_code == 200 else []


def test_a_hundred_unique_values_are_resolved_in_one_query_for_one_credit(crm: Client) -> None:
    ids = accounts(crm, 150)
    named = ", ".join(f"'c{n}'" for n in range(100))
    found = coql(crm, f"select id, Legacy_Id from Accounts where Legacy_Id in ({named}) limit 200")
    assert {row["Legacy_Id"]: row["id"] for row in found} == {f"C{n}": ids[n] for n in range(100)}
    assert crm.emulator.admin.stats()["credits"]["by_kind"]["coql"] == 1
    too_many = f"select id from Accounts where Legacy_Id in ({named}, 'C100')"
    assert crm.post("/crm/v8/coql", json={"select_query": too_many}).json()["code"] == "LIMIT_EXCEEDED"


def test_names_that_are_no_key_are_found_too(crm: Client) -> None:
    ids = accounts(crm, 3)
    found = coql(crm, "select id from Accounts where Account_Name in ('shop 1', 'Shop 2', 'Shop 9')")
    assert [row["id"] for row in found] == ids[1:]


@pytest.mark.parametrize("kind", ["org", "user"])
def test_an_external_id_resolves_a_parent_in_coql_and_in_a_job(crm: Client, kind: str) -> None:
    crm.emulator.admin.add_field("Accounts", "Shop_No", "text", external=kind)
    (shop,) = crm.emulator.admin.put_records("Accounts", [{"Account_Name": "X", "Shop_No": "S1"}])
    assert [row["id"] for row in coql(crm, "select id from Accounts where Shop_No = 'S1'")] == [shop]
    columns = ["parent_id", {"api_name": "Account", "index": 1, "find_by": "Shop_No", "module": "Accounts"}]
    _, result = crm.bulk([["parent_id", "Account"], ["A", "S1"], ["B", "S2"]], columns)
    assert [(row[2], row[4]) for row in result] == [("added", ""), ("skipped", "INVALID_DATA-Account")]
    assert crm.records()["A"]["Account"] == {"id": shop, "name": "X"}


def test_a_mapping_that_names_another_module_than_the_lookups_is_refused(crm: Client) -> None:
    file_id = crm.upload(_archive()).json()["details"]["file_id"]
    column = {"api_name": "Account", "index": 1, "find_by": "Email", "module": "Contacts"}
    told = crm.create(file_id, ["parent_id", column]).json()
    assert (told["code"], told["details"]["api_name"]) == ("INVALID_DATA", "Account")


def _archive() -> bytes:
    from emulator_client import csv_zip  # noqa: PLC0415 - one test

    return csv_zip([["parent_id", "Account"], ["A", "x"]])


def test_records_are_found_by_the_record_they_point_to_before_and_after_more_are_written(crm: Client) -> None:
    orders = [item["details"]["id"] for item in crm.upsert([{"parent_id": "A"}, {"parent_id": "B"}]).json()["data"]]
    keys = {"duplicate_check_fields": ["line_id"]}
    crm.upsert([{"line_id": f"{n}", "Order": {"id": orders[n % 2]}} for n in range(4)], "Order_Lines", **keys)
    query = f"select line_id from Order_Lines where Order in ('{orders[0]}') and line_id != '9'"
    assert [row["line_id"] for row in coql(crm, query)] == ["0", "2"]
    crm.upsert([{"line_id": "4", "Order": orders[0]}, {"line_id": "2", "Order": orders[1]}], "Order_Lines", **keys)
    assert [row["line_id"] for row in coql(crm, query)] == ["0", "4"]
    by_id = f"select line_id from Order_Lines where Order.id = {orders[1]} order by line_id desc"
    assert [row["line_id"] for row in coql(crm, by_id)] == ["3", "2", "1"]
    crm.emulator.admin.reset()
    assert coql(Client(crm.emulator), query) == []


def test_users_are_listed_by_type(crm: Client) -> None:
    def emails(query: str) -> list[str]:
        answer = crm.get(f"/crm/v8/users?{query}")
        return [user["email"] for user in answer.json()["users"]] if answer.status_code == 200 else []

    everybody = ["emuladmin@shops.com", "emulclerk@shops.com", "formerclerk@shops.com"]
    assert emails("type=AllUsers") == emails("") == everybody
    assert emails("type=ActiveUsers") == everybody[:2]
    assert emails("type=DeactiveUsers") == everybody[2:]
    assert emails("type=CurrentUser") == everybody[:1]
    assert emails("type=AllUsers&per_page=2&page=2") == everybody[2:]
    assert emails("type=DeletedUsers") == []
    assert crm.get("/crm/v8/users?type=Friends").json()["code"] == "INVALID_DATA"
    (former,) = crm.get("/crm/v8/users?type=DeactiveUsers").json()["users"]
    assert former["status"] == "disabled"
    assert crm.get(f"/crm/v8/users/{former['id']}").json()["users"] == [former]
    assert crm.get("/crm/v8/users/1").status_code == 204


def test_an_owner_is_named_by_id_or_email_and_must_be_active(crm: Client) -> None:
    users = {user["email"]: user["id"] for user in crm.get("/crm/v8/users").json()["users"]}
    columns = ["parent_id", {"api_name": "Owner", "index": 1, "find_by": "email"}]
    cells = [["parent_id", "Owner"], ["A", "EmulClerk@shops.com"], ["B", "formerclerk@shops.com"]]
    _, result = crm.bulk(cells, columns)
    assert [(row[2], row[4]) for row in result] == [("added", ""), ("skipped", "INVALID_DATA-Owner")]
    former = {"parent_id": "C", "Owner": {"id": users["formerclerk@shops.com"]}}
    by_email = {"parent_id": "D", "Owner": {"email": "emulclerk@shops.com"}}
    assert [item["code"] for item in crm.upsert([former, by_email]).json()["data"]] == ["INVALID_DATA"] * 2
    crm.emulator.admin.switch(owner_by_email="accept")
    assert crm.upsert([by_email]).json()["data"][0]["code"] == "SUCCESS"
    clerk = users["emulclerk@shops.com"]
    assert {key: record["Owner"]["id"] for key, record in crm.records().items()} == {"A": clerk, "D": clerk}
