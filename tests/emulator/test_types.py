"""Every writable type by both channels, with its limits, and layouts, tags and multiple lookups."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client

LIMITS = [
    # data type, field options, (JSON, cell) that are just within the limit, (JSON, cell) that are just beyond it
    ("text", {}, ("x" * 255, "x" * 255), ("x" * 256, "x" * 256)),
    ("textarea", {"textarea_type": "large"}, ("x" * 32000, "x" * 32000), ("x" * 32001, "x" * 32001)),
    ("textarea", {"textarea_type": "rich_text"}, ("x" * 50000, "x" * 50000), ("x" * 50001, "x" * 50001)),
    ("email", {}, ("a" * 88 + "@example.com",) * 2, ("a" * 89 + "@example.com",) * 2),
    ("phone", {}, ("1" * 30, "1" * 30), ("1" * 31, "1" * 31)),
    ("website", {}, ("https://e.com/" + "a" * 436,) * 2, ("https://e.com/" + "a" * 437,) * 2),
    ("picklist", {"pick_list": ["a"]}, ("x" * 120, "x" * 120), ("x" * 121, "x" * 121)),
    ("picklist", {"pick_list": ["a"], "pick_list_open": False}, ("a", "a"), ("b", "b")),
    ("multiselectpicklist", {"pick_list": ["a"], "pick_list_open": False}, (["a"], "a"), (["a", "c"], "a;c")),
    ("date", {}, ("2024-02-29", "2024-02-29"), ("2023-02-29", "2023-02-29")),
    ("datetime", {}, ("2026-01-31T23:59:59+00:00",) * 2, ("2026-01-31T24:00:00+00:00",) * 2),
    ("integer", {}, (-999_999_999, "-999999999"), (-1_000_000_000, "-1000000000")),
    ("bigint", {}, ("9" * 18, "9" * 18), ("9" * 19, "9" * 19)),
    ("currency", {}, (9_999_999_999_999_999, "9999999999999999"), (10_000_000_000_000_000, "10000000000000000")),
    ("double", {}, (0.123456789, "0.123456789"), (0.1234567891, "0.1234567891")),
    ("percent", {}, (99_999, "99999"), (100_000, "100000")),
    ("boolean", {}, (True, "true"), ("true", "yes")),
]  # fmt: skip


@pytest.mark.parametrize(("data_type", "options", "within", "beyond"), LIMITS)
def test_both_channels_take_a_value_at_its_limit_alike_and_refuse_the_next(
    crm: Client, data_type: str, options: dict[str, Any], within: tuple[Any, str], beyond: tuple[Any, str]
) -> None:
    crm.emulator.admin.add_field("Orders", "F", data_type, **options)
    items = crm.upsert([{"parent_id": "J", "F": within[0]}, {"parent_id": "JX", "F": beyond[0]}]).json()["data"]
    assert [item["code"] for item in items] == ["SUCCESS", "INVALID_DATA"]
    assert items[1]["details"]["api_name"] == "F"
    _, result = crm.bulk([["parent_id", "F"], ["C", within[1]], ["CX", beyond[1]]])
    assert [(row[2], row[4]) for row in result] == [("added", ""), ("skipped", "INVALID_DATA-F")]
    held = crm.records()
    assert set(held) == {"J", "C"}
    assert held["J"]["F"] == held["C"]["F"] is not None


def test_a_user_lookup_names_an_active_user_by_both_channels(crm: Client) -> None:
    crm.emulator.admin.add_field("Orders", "Clerk", "userlookup")
    users = {user["email"]: user["id"] for user in crm.get("/crm/v8/users").json()["users"]}
    clerk, former = users["emulclerk@shops.com"], users["formerclerk@shops.com"]
    items = crm.upsert([{"parent_id": "J", "Clerk": {"id": clerk}}, {"parent_id": "X", "Clerk": {"id": former}}])
    assert [item["code"] for item in items.json()["data"]] == ["SUCCESS", "INVALID_DATA"]
    column = {"api_name": "Clerk", "index": 1, "find_by": "email"}
    _, result = crm.bulk([["parent_id", "Clerk"], ["C", "emulclerk@shops.com"]], ["parent_id", column])
    assert result[0][2] == "added"
    held = crm.records()
    assert held["J"]["Clerk"] == held["C"]["Clerk"] == {"id": clerk, "name": "Emulator Clerk"}


def test_a_record_whose_two_unique_fields_are_held_by_two_others_is_refused(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Customer_Email", unique=True)
    made = crm.upsert([{"parent_id": "A"}, {"parent_id": "B", "Customer_Email": "b@example.com"}]).json()["data"]
    both = {"parent_id": "A", "Customer_Email": "B@example.com", "Country": "Peru"}
    refused = crm.upsert([both]).json()["data"][0]
    assert (refused["code"], refused["details"]["api_name"]) == ("DUPLICATE_DATA", "Customer_Email")
    assert refused["details"]["duplicate_record"]["id"] == made[1]["details"]["id"]
    _, result = crm.bulk([["parent_id", "Customer_Email"], ["A", "b@example.com"]])
    assert result[0][4] == "DUPLICATE_DATA-Customer_Email"
    assert crm.records()["A"]["Customer_Email"] is None


# Layouts


def test_a_record_is_held_to_the_layout_it_names_or_has(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.alter_field("Orders", "Country", layout_mandatory=True)
    export = admin.add_layout("Orders", "Export", ["Weight_Kg"])
    told = crm.get("/crm/v8/settings/layouts?module=Orders").json()["layouts"]
    required = {
        layout["name"]: [f["api_name"] for section in layout["sections"] for f in section["fields"] if f["required"]]
        for layout in told
    }
    assert required == {"Standard": ["Country"], "Export": ["Weight_Kg"]}
    assert crm.get(f"/crm/v8/settings/layouts/{export}?module=Orders").json()["layouts"][0]["name"] == "Export"
    layout = {"Layout": {"id": export}}
    items = crm.upsert(
        [
            {"parent_id": "A", "Weight_Kg": 1},
            {"parent_id": "B", "Country": "Peru", **layout},
            {"parent_id": "C", "Weight_Kg": 1, **layout},
        ]
    ).json()["data"]
    assert [item["details"].get("api_name") for item in items] == ["Country", "Weight_Kg", None]
    cleared = crm.upsert([{"parent_id": "C", "Weight_Kg": None}]).json()["data"][0]
    assert (cleared["code"], cleared["details"]["api_name"]) == ("MANDATORY_NOT_FOUND", "Weight_Kg")
    record = crm.get(f"/crm/v8/Orders/{items[2]['details']['id']}").json()["data"][0]
    assert record["Layout"] == {"id": export, "name": "Export"}


def test_a_job_writes_one_layout_and_must_map_what_it_demands(crm: Client) -> None:
    export = crm.emulator.admin.add_layout("Orders", "Export", ["Weight_Kg"])
    layout = {"api_name": "Layout", "default_value": {"value": {"id": export}}}
    crm.bulk([["parent_id", "Weight_Kg"], ["A", "1"]], ["parent_id", {"api_name": "Weight_Kg", "index": 1}, layout])
    assert crm.records()["A"]["Layout"]["name"] == "Export"
    file_id = crm.upload(_orders()).json()["details"]["file_id"]
    assert crm.create(file_id, ["parent_id", layout]).json()["code"] == "MANDATORY_FIELDS_NOT_MAPPED"
    column = {"api_name": "Layout", "index": 1}
    assert crm.create(file_id, ["parent_id", column]).json()["code"] == "MISSING_REQUIRED_KEY"


def _orders() -> bytes:
    from emulator_client import csv_zip  # noqa: PLC0415 - one test

    return csv_zip([["parent_id", "Layout"], ["A", "1"]])


# Tags and multiple lookups


def test_tags_are_made_by_their_first_use_and_replaced_by_the_next(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Tag": [{"name": "vip"}, {"name": "late"}]}, {"parent_id": "B", "Tag": []}])
    _, result = crm.bulk([["parent_id", "Tag"], ["C", "late; vip"]])
    assert result[0][2] == "added"
    held = crm.records()
    assert [tag["name"] for tag in held["A"]["Tag"]] == ["vip", "late"]
    assert held["C"]["Tag"] == [held["A"]["Tag"][1], held["A"]["Tag"][0]]
    crm.upsert([{"parent_id": "A", "Tag": [{"name": "new"}]}, {"parent_id": "C", "Tag": None}])
    held = crm.records()
    assert ([tag["name"] for tag in held["A"]["Tag"]], held["C"]["Tag"], held["B"]["Tag"]) == (["new"], [], [])
    refused = crm.upsert([{"parent_id": "A", "Tag": "vip"}, {"parent_id": "A", "Tag": ["vip"]}]).json()["data"]
    assert [item["details"]["expected_data_type"] for item in refused] == ["jsonarray", "jsonobject"]


@pytest.mark.parametrize("data_type", ["multiselectlookup", "multiuserlookup"])
def test_a_multiple_lookup_links_two_records_once_or_as_often_as_it_is_asked(crm: Client, data_type: str) -> None:
    admin = crm.emulator.admin
    if data_type == "multiselectlookup":
        others = admin.put_records("Accounts", [{"Account_Name": "X"}, {"Account_Name": "Y"}])
        admin.add_subform("Orders", "Partners", data_type=data_type, lookup="Accounts")
    else:
        others = [user["id"] for user in crm.get("/crm/v8/users?type=ActiveUsers").json()["users"]]
        admin.add_subform("Orders", "Partners", data_type=data_type)
    fields = {f["api_name"]: f for f in crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]}
    told = fields["Partners"][data_type]
    (module, link) = told["linking_module"]["api_name"], told["connectedlookup_apiname"]

    def linked() -> list[str]:
        return [row[link]["id"] for row in crm.records()["A"]["Partners"]]

    order = crm.upsert([{"parent_id": "A", "Partners": [{link: {"id": others[0]}}]}]).json()["data"][0]["details"]["id"]
    crm.upsert([{"parent_id": "A", "Partners": [{link: {"id": other}} for other in others]}])
    assert linked() == others
    crm.upsert([{"parent_id": "A", "Partners": [{"id": crm.records()["A"]["Partners"][0]["id"], "_delete": None}]}])
    assert linked() == others[1:]
    columns = [{"api_name": name, "index": index, "find_by": "id"} for index, name in enumerate(("Parent_Id", link))]
    cells = [["Parent_Id", link], [order, others[0]], [order, others[1]], [order, "99"]]
    _, result = crm.bulk(cells, columns, resource={"module": {"api_name": module}, "find_by": None})
    assert [row[2] for row in result] == ["added", "updated", "skipped"]
    assert sorted(linked()) == sorted(others)
    admin.switch(repeated_links="again")  # nobody documents that they are not
    crm.upsert([{"parent_id": "A", "Partners": [{link: {"id": others[0]}}]}])
    _, result = crm.bulk(cells[:2], columns, resource={"module": {"api_name": module}, "find_by": None})
    assert [row[2] for row in result] == ["added"]
    assert sorted(linked()) == sorted([*others, others[0], others[0]])
    bad = crm.upsert([{"parent_id": "A", "Partners": [{link: {"id": "99"}}]}]).json()["data"][0]
    assert (bad["code"], bad["details"]["json_path"]) == ("INVALID_DATA", f"$.data[0].Partners[0].{link}")
