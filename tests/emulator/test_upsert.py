from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client

FULL = {
    "parent_id": "A-1",
    "Order_Date": "2026-01-31",
    "Ordered_At": "2026-01-31T08:30:15+02:00",
    "Status": "Paid",
    "Channel": "Web",
    "Customer_Name": "Renée O'Brien \N{SNOWMAN}",
    "Customer_Email": "renee@example.com",
    "Customer_Phone": "+49 (30) 1234-567",
    "Total_Amount": 1234567890.25,
    "Tax_Rate": 19.5,
    "Item_Count": 999999999,
    "Weight_Kg": 0.125,
    "Loyalty_Points": "123456789012345678",
    "Is_Gift": False,
    "Website": "https://shop.example/a?b=c",
    "Notes": "two\nlines",
    "Tags_List": ["gift", "new tag"],
}


def first(answer: Any) -> dict[str, Any]:
    item: dict[str, Any] = answer.json()["data"][0]
    return item


def test_every_type_is_stored_as_it_was_sent_and_times_in_the_orgs_zone(crm: Client) -> None:
    assert first(crm.upsert([FULL]))["action"] == "insert"
    held = crm.records()["A-1"]
    expected = {**FULL, "Ordered_At": "2026-01-31T06:30:15+00:00"}
    assert {name: held[name] for name in expected} == expected
    assert held["Owner"]["email"] == "emuladmin@shops.com"
    assert held["Created_Time"] == held["Modified_Time"]


def test_decimals_keep_their_last_digit(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Total_Amount", decimal_place=9)
    body = (
        '{"data":[{"parent_id":"A","Total_Amount":9007199254740993.123456789}],"duplicate_check_fields":["parent_id"]}'
    )
    assert crm.post("/crm/v8/Orders/upsert", data=body).status_code == 200
    assert str(crm.records()["A"]["Total_Amount"]) == "9007199254740993.123456789"


def test_an_update_changes_the_fields_it_names_and_null_clears_one(crm: Client) -> None:
    made = first(crm.upsert([FULL]))
    changed = first(crm.upsert([{"parent_id": " a-1 ", "Status": "Shipped", "Notes": None, "Country": ""}]))
    assert (changed["action"], changed["duplicate_field"]) == ("update", "parent_id")
    assert changed["details"]["id"] == made["details"]["id"]
    held = next(crm.emulator.admin.records("Orders"))
    assert (held["Status"], held["Notes"], held["Country"], held["Channel"]) == ("Shipped", None, None, "Web")


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("Customer_Name", "x" * 121, {"maximum_length": 120}),
        ("Customer_Name", 5, {"expected_data_type": "text"}),
        ("Customer_Email", "no address", {"expected_data_type": "email"}),
        ("Customer_Phone", "call me maybe!", {"expected_data_type": "phone"}),
        ("Website", "not a site", {"expected_data_type": "website"}),
        (
            "Status",
            "Gone",
            {"supported_values": ["New", "Paid", "Packed", "Shipped", "Delivered", "Cancelled", "Returned"]},
        ),
        ("Order_Date", "31.01.2026", {"expected_data_type": "date", "maximum_length": 20}),
        ("Order_Date", "2026-02-30", {"expected_data_type": "date", "maximum_length": 20}),
        ("Ordered_At", "2026-01-31T08:30:15.000Z", {"expected_data_type": "datetime"}),
        ("Ordered_At", "2026-01-31T08:30:15.5+00:00", {"expected_data_type": "datetime"}),
        ("Item_Count", 1_000_000_000, {"maximum_length": 9}),
        ("Item_Count", 1.5, {"expected_data_type": "integer"}),
        ("Item_Count", "1", {"expected_data_type": "integer"}),
        ("Item_Count", True, {"expected_data_type": "integer"}),
        ("Loyalty_Points", "1234567890123456789", {"maximum_length": 18}),
        ("Loyalty_Points", "12.5", {"expected_data_type": "bigint"}),
        ("Total_Amount", "12.5", {"expected_data_type": "currency"}),
        ("Total_Amount", 12.345, {"maximum_decimal_place": 2}),
        ("Total_Amount", 12345678901234567, {"maximum_length": 16}),
        ("Tax_Rate", 123456, {"maximum_length": 5}),
        ("Is_Gift", "true", {"expected_data_type": "boolean"}),
        ("Tags_List", "gift", {"expected_data_type": "jsonarray"}),
        ("Account", {"id": "123"}, {}),
        ("Owner", {"id": "123"}, {}),
    ],
)
def test_a_bad_value_is_refused_with_its_field_and_path(
    crm: Client, field: str, value: Any, detail: dict[str, Any]
) -> None:
    answer = crm.upsert([{"parent_id": "good"}, {"parent_id": "bad", field: value}])
    assert answer.status_code == 207
    item = answer.json()["data"][1]
    assert (item["code"], item["status"]) == ("INVALID_DATA", "error")
    assert item["details"] == {**detail, "api_name": field, "json_path": f"$.data[1].{field}"}
    assert set(crm.records()) == {"good"}


def test_several_faults_of_one_record_come_together(crm: Client) -> None:
    item = first(crm.upsert([{"parent_id": "A", "Status": "Gone", "Is_Gift": 1}]))
    assert item["code"] == "MULTIPLE_OR_MULTI_ERRORS"
    assert [error["details"]["api_name"] for error in item["details"]["errors"]] == ["Status", "Is_Gift"]


def test_the_status_tells_all_some_or_none(crm: Client) -> None:
    good, bad = {"parent_id": "A"}, {"parent_id": "B", "Status": "Gone"}
    assert [crm.upsert(data).status_code for data in ([good], [good, bad], [bad])] == [200, 207, 400]
    assert first(crm.upsert([bad]))["code"] == "INVALID_DATA"


def test_an_open_pick_list_grows_and_a_strict_one_does_not(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Channel": "Pigeon"}])
    fields = {f["api_name"]: f for f in crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]}
    assert [value["actual_value"] for value in fields["Channel"]["pick_list_values"]][-1] == "Pigeon"
    assert len(fields["Status"]["pick_list_values"]) == 7


def test_a_mandatory_field_is_demanded_of_new_records_and_not_to_be_cleared(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Country": "Chile"}])
    crm.emulator.admin.alter_field("Orders", "Country", system_mandatory=True)
    codes = [
        first(crm.upsert([record]))["code"]
        for record in ({"parent_id": "B"}, {"parent_id": "A", "Country": None}, {"parent_id": "A", "Status": "New"})
    ]
    assert codes == ["MANDATORY_NOT_FOUND", "MANDATORY_NOT_FOUND", "SUCCESS"]


def test_every_unique_field_is_checked_and_the_caller_only_orders_them(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Customer_Email", unique=True)
    one = first(crm.upsert([{"parent_id": "A", "Customer_Email": "a@example.com"}]))["details"]["id"]
    two = first(crm.upsert([{"parent_id": "B", "Customer_Email": "b@example.com"}]))["details"]["id"]
    by_mail = first(crm.upsert([{"parent_id": "C", "Customer_Email": "A@example.com"}]))
    assert (by_mail["details"]["id"], by_mail["duplicate_field"]) == (one, "Customer_Email")
    clash = first(crm.upsert([{"parent_id": "B", "Customer_Email": "a@example.com"}]))
    assert (clash["code"], clash["details"]["api_name"]) == ("DUPLICATE_DATA", "Customer_Email")
    assert clash["details"]["duplicate_record"]["id"] == one
    other_order = first(
        crm.upsert([{"parent_id": "B", "Customer_Email": "a@example.com"}], duplicate_check_fields=["Customer_Email"])
    )
    assert (other_order["code"], other_order["details"]["duplicate_record"]["id"]) == ("DUPLICATE_DATA", two)


def test_by_a_switch_only_the_named_fields_are_checked(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Customer_Email", unique=True)
    crm.emulator.admin.switch(duplicate_checks="named")
    one = first(crm.upsert([{"parent_id": "A", "Customer_Email": "a@example.com"}]))["details"]["id"]
    clash = first(crm.upsert([{"parent_id": "B", "Customer_Email": "a@example.com"}]))
    assert (clash["code"], clash["details"]["api_name"], clash["details"]["id"]) == (
        "DUPLICATE_DATA",
        "Customer_Email",
        one,
    )
    both = ["parent_id", "Customer_Email"]
    found = first(crm.upsert([{"parent_id": "B", "Customer_Email": "a@example.com"}], duplicate_check_fields=both))
    assert (found["duplicate_field"], found["details"]["id"]) == ("Customer_Email", one)


def test_switches_of_the_field_by_which_a_record_was_found(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.switch(duplicate_field_on_insert="name", duplicate_field_on_update="null")
    made, known = (first(crm.upsert([{"parent_id": "A"}])) for _ in range(2))
    assert (made["action"], made["duplicate_field"]) == ("insert", "parent_id")
    assert (known["action"], known["duplicate_field"]) == ("update", None)
    admin.switch(duplicate_field_on_update="absent")
    assert "duplicate_field" not in first(crm.upsert([{"parent_id": "A"}]))


def test_without_duplicate_check_fields_the_modules_own_field_decides_first(crm: Client) -> None:
    ours = first(crm.upsert([{"parent_id": "A", "Name": "Spring order"}]))["details"]["id"]
    body = {"data": [{"parent_id": "B", "Name": "spring order"}]}
    stray = first(crm.post("/crm/v8/Orders/upsert", json=body))
    assert (stray["action"], stray["duplicate_field"], stray["details"]["id"]) == ("update", "Name", ours)


def test_a_case_sensitive_key_tells_cases_apart(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "parent_id", case_sensitive=True)
    items = crm.upsert([{"parent_id": "a"}, {"parent_id": "A"}, {"parent_id": "a "}]).json()["data"]
    assert [item["action"] for item in items] == ["insert", "insert", "update"]


def test_a_key_that_was_given_up_is_free_again(crm: Client) -> None:
    first(crm.upsert([{"parent_id": "A"}]))
    record = next(crm.emulator.admin.records("Orders"))["id"]
    assert first(crm.upsert([{"id": record, "parent_id": "B"}]))["action"] == "update"
    assert [item["action"] for item in crm.upsert([{"parent_id": "A"}, {"parent_id": "B"}]).json()["data"]] == [
        "insert",
        "update",
    ]


def test_a_record_named_by_id_must_exist(crm: Client) -> None:
    item = first(crm.upsert([{"id": "4876876000000999999", "parent_id": "A"}]))
    assert (item["code"], item["message"]) == ("INVALID_DATA", "the id given seems to be invalid")


def test_lookup_owner_layout_and_appended_values(crm: Client) -> None:
    account = crm.emulator.admin.put_records("Accounts", [{"Account_Name": "Acme", "Legacy_Id": "1"}])[0]
    clerk = crm.get("/crm/v8/users").json()["users"][1]["id"]
    layout = crm.get("/crm/v8/settings/layouts?module=Orders").json()["layouts"][0]["id"]
    made = {"parent_id": "A", "Account": {"id": int(account)}, "Owner": clerk, "Layout": {"id": layout}}
    assert first(crm.upsert([{**made, "Tags_List": ["gift"]}]))["code"] == "SUCCESS"
    crm.upsert([{"parent_id": "A", "Tags_List": ["fragile"], "$append_values": {"Tags_List": True}}])
    held = crm.records()["A"]
    assert held["Account"] == {"id": account, "name": "Acme"}
    assert (held["Owner"]["id"], held["Tags_List"]) == (clerk, ["gift", "fragile"])
    assert first(crm.upsert([{"parent_id": "B", "Layout": {"id": "1"}}]))["code"] == "INVALID_DATA"


def test_automations_run_unless_the_trigger_is_empty(crm: Client) -> None:
    crm.upsert([{"parent_id": "A"}, {"parent_id": "B"}])
    assert crm.emulator.admin.stats()["automations"] == {}
    crm.upsert([{"parent_id": "A"}], trigger=["workflow"])
    crm.post("/crm/v8/Orders/upsert", json={"data": [{"parent_id": "C"}], "duplicate_check_fields": ["parent_id"]})
    assert crm.emulator.admin.stats()["automations"] == {
        "workflow": 2, "approval": 1, "blueprint": 1, "pathfinder": 1, "orchestration": 1,
    }  # fmt: skip
    assert crm.upsert([{"parent_id": "A"}], trigger=["magic"]).json()["details"]["api_name"] == "trigger"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("no json", "INVALID_DATA"),
        ('{"data": [{"parent_id": "A", "Total_Amount": 1e99999999999999999999}]}', "INVALID_DATA"),
        ("[]", "INVALID_DATA"),
        ("{}", "MANDATORY_NOT_FOUND"),
        ('{"data": {}}', "INVALID_DATA"),
        ('{"data": []}', "INVALID_DATA"),
        ('{"data": [{"parent_id": "A"}], "duplicate_check_fields": ["Country"]}', "INVALID_DATA"),
    ],
)
def test_a_request_that_is_no_upsert_is_refused_flat(crm: Client, body: str, code: str) -> None:
    answer = crm.post("/crm/v8/Orders/upsert", data=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (400, code, "error")
    assert not crm.records()


def test_a_hundred_and_one_records_are_refused_either_way(crm: Client) -> None:
    records = [{"parent_id": str(number)} for number in range(101)]
    answer = crm.upsert(records).json()
    assert (answer["code"], answer["details"]["json_path"]) == ("INVALID_DATA", "$.data")
    crm.emulator.admin.switch(too_many_records="LIMIT_EXCEEDED")
    assert crm.upsert(records).json()["code"] == "LIMIT_EXCEEDED"
    assert crm.upsert(records[:100]).status_code == 200


def test_plain_insert_and_update(crm: Client) -> None:
    made = crm.post("/crm/v8/Orders", json={"data": [{"parent_id": "A"}]}).json()["data"][0]
    assert (made["code"], made["message"], "action" in made) == ("SUCCESS", "record added", False)
    again = crm.post("/crm/v8/Orders", json={"data": [{"parent_id": "A"}]}).json()["data"][0]
    assert again["code"] == "DUPLICATE_DATA"
    record = made["details"]["id"]
    put = crm.session.put(f"{crm.base}/crm/v8/Orders/{record}", json={"data": [{"Country": "Peru"}]}, timeout=120)
    assert put.json()["data"][0]["message"] == "record updated"
    assert crm.records()["A"]["Country"] == "Peru"


@pytest.mark.parametrize(
    ("switches", "record", "code"),
    [
        ({"unknown_keys": "refuse"}, {"No_Such": 1}, "INVALID_DATA"),
        ({"bigint_numbers": "refuse"}, {"Loyalty_Points": 5}, "INVALID_DATA"),
        ({"bigint_numbers": "accept"}, {"Loyalty_Points": 5}, "SUCCESS"),
        ({"numbers_as_text": "accept"}, {"Total_Amount": "1.5", "Item_Count": "3"}, "SUCCESS"),
        ({"datetime_z": "refuse"}, {"Ordered_At": "2026-01-31T08:30:15Z"}, "INVALID_DATA"),
        ({"excess_decimals": "keep"}, {"Weight_Kg": 1.2345}, "SUCCESS"),
        ({"datetime_without_offset": "refuse"}, {"Ordered_At": "2026-01-31T08:30:15"}, "INVALID_DATA"),
    ],
)
def test_switches_of_what_a_value_may_be(
    crm: Client, switches: dict[str, str], record: dict[str, Any], code: str
) -> None:
    crm.emulator.admin.switch(**switches)
    assert first(crm.upsert([{"parent_id": "A", **record}]))["code"] == code


def test_switches_of_the_answer(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.switch(excess_decimals="round", duplicate_field_on_insert="absent", time_zone="Asia/Kolkata")
    item = first(crm.upsert([{"parent_id": "A", "Weight_Kg": 1.2345, "Ordered_At": "2026-01-31T00:00:00+00:00"}]))
    assert "duplicate_field" not in item
    held = crm.records()["A"]
    assert (str(held["Weight_Kg"]), held["Ordered_At"]) == ("1.235", "2026-01-31T05:30:00+05:30")
    admin.switch(same_key_twice="refuse", all_failed_status=202, request_errors="in_data")
    twice = crm.upsert([{"parent_id": "B"}, {"parent_id": "b"}]).json()["data"]
    assert [item["code"] for item in twice] == ["SUCCESS", "DUPLICATE_DATA"]
    assert crm.upsert([{"parent_id": "C", "Status": "Gone"}]).status_code == 202
    assert crm.upsert([]).json()["data"][0]["code"] == "INVALID_DATA"


def test_details_may_be_spelt_as_older_versions_did_and_ids_be_numbers(crm: Client) -> None:
    crm.emulator.admin.switch(details_spelling="lower", ids="number")
    details = first(crm.upsert([{"parent_id": "A"}]))["details"]
    assert {"created_time", "modified_by", "id"} <= details.keys()
    assert details["id"] == int(crm.records()["A"]["id"])
