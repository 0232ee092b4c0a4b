"""The shape of answers as they were recorded from the live service, in values of our own."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from emulator_client import ZGID, Client, csv_zip

Details = dict[str, Any]


def refusal(crm: Client, **values: Any) -> Details:
    (item,) = crm.upsert([{"parent_id": "A", **values}]).json()["data"]
    return {"code": item["code"], **item["details"]}


def test_surplus_decimals_are_refused_with_the_places_that_fit_as_a_number(crm: Client) -> None:
    expected = {"code": "INVALID_DATA", "maximum_decimal_place": 2, "api_name": "Total_Amount"}
    assert refusal(crm, Total_Amount=12.345) == {**expected, "json_path": "$.data[0].Total_Amount"}
    _, rows = crm.bulk([["parent_id", "Total_Amount"], ["B", "12.345"], ["C", "12.340"]])
    assert [row[2:] for row in rows] == [["skipped", "", "INVALID_DATA-Total_Amount"], ["added", rows[1][3], ""]]


@pytest.mark.parametrize(("position", "told"), [("number", 120), ("text", "120")])
def test_a_longest_length_is_a_number_or_by_a_switch_text(crm: Client, position: str, told: Any) -> None:
    crm.emulator.admin.switch(limits_as=position)
    assert refusal(crm, Customer_Name="x" * 121)["maximum_length"] == told
    many = crm.upsert([{"parent_id": str(number)} for number in range(101)]).json()
    assert many["details"]["maximum_length"] == type(told)(100)


def test_the_refusal_of_a_date_names_a_length_too(crm: Client) -> None:
    told = refusal(crm, Order_Date="tomorrow")
    assert (told["expected_data_type"], told["maximum_length"]) == ("date", 20)


@pytest.mark.parametrize(
    ("position", "held"), [("org_zone", "2026-01-31T08:30:15+05:30"), ("utc", "2026-01-31T14:00:15+05:30")]
)
def test_a_date_time_without_offset_is_taken(crm: Client, position: str, held: str) -> None:
    crm.emulator.admin.switch(time_zone="Asia/Kolkata", datetime_without_offset=position)
    assert crm.upsert([{"parent_id": "A", "Ordered_At": "2026-01-31T08:30:15"}]).status_code == 200
    assert crm.records()["A"]["Ordered_At"] == held


def test_milliseconds_are_refused(crm: Client) -> None:
    assert refusal(crm, Ordered_At="2026-01-31T08:30:15.000Z")["expected_data_type"] == "datetime"


def test_a_put_to_an_unknown_id_is_one_flat_error(crm: Client) -> None:
    answer = crm.put("/crm/v8/Orders/4876876000000999999", json={"data": [{"Country": "Peru"}]})
    body = answer.json()
    assert (answer.status_code, body["code"], body["details"]) == (400, "INVALID_DATA", {"resource_path_index": 1})
    crm.emulator.admin.switch(unknown_id="in_data")
    answer = crm.put("/crm/v8/Orders/4876876000000999999", json={"data": [{"Country": "Peru"}]})
    assert (answer.status_code, answer.json()["data"][0]["details"]["api_name"]) == (400, "id")


def test_a_lookup_without_an_id_lacks_something_mandatory_inside_it(crm: Client) -> None:
    expected = {"code": "MANDATORY_NOT_FOUND", "api_name": "id", "json_path": "$.data[0].Account.id"}
    assert refusal(crm, Account={"name": "Acme"}) == expected
    assert refusal(crm, Account={}) == expected


def test_a_lookup_by_name_finds_a_record_where_the_switch_takes_it(crm: Client) -> None:
    admin = crm.emulator.admin
    (account,) = admin.put_records("Accounts", [{"Account_Name": "Acme"}])
    admin.switch(lookup_by_name="take")
    assert crm.upsert([{"parent_id": "A", "Account": {"name": "acme"}}]).status_code == 200
    assert crm.records()["A"]["Account"]["id"] == account
    assert refusal(crm, Account={"name": "nobody"})["code"] == "MANDATORY_NOT_FOUND"


@pytest.mark.parametrize("condition", ["id = 'abc'", "id in ('1', 'x')", "parent_id = 'A' and id = '12a'"])
def test_a_query_for_what_no_id_can_be_is_invalid(crm: Client, condition: str) -> None:
    answer = crm.post("/crm/v8/coql", json={"select_query": f"select parent_id from Orders where {condition}"})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "INVALID_QUERY")
    assert (body["details"]["expected_data_type"], body["details"]["column_name"]) == ("bigint", "id")


@pytest.mark.parametrize("status", [400, 200])
def test_what_is_no_zip_is_refused_by_its_code_whatever_the_status(crm: Client, status: int) -> None:
    crm.emulator.admin.switch(file_error_status=status)
    answer = crm.upload(b"no zip")
    assert (answer.status_code, answer.json()["code"]) == (status, "INVALID_FILE_FORMAT")
    assert crm.upload(csv_zip([["parent_id"], ["A"]]), **{"X-CRM-ORG": "1"}).status_code == 400


def test_answers_carry_the_headers_that_are_always_there(crm: Client) -> None:
    crm.upsert([{"parent_id": "A"}])
    answer = crm.get("/crm/v8/Orders?fields=parent_id")
    assert answer.headers["Content-Disposition"] == "attachment; filename=response.json"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-ACCESSTOKEN-RESET"].endswith("+00:00")
    empty = crm.get("/crm/v8/Orders/1")
    assert (empty.status_code, empty.content) == (204, b"")
    assert empty.headers["Content-Type"].startswith("application/json")


def test_a_record_read_whole_has_more_than_its_fields(crm: Client) -> None:
    made = crm.upsert([{"parent_id": "A"}]).json()["data"][0]["details"]["id"]
    (read,) = crm.get(f"/crm/v8/Orders/{made}").json()["data"]
    assert (read["Locked__s"], read["$approved"], read["$review"]) == (False, True, None)
    assert read["Created_By"]["email"] == read["Modified_By"]["email"] == "emuladmin@shops.com"
    (some,) = crm.get("/crm/v8/Orders?fields=parent_id").json()["data"]
    assert some.keys() == {"id", "parent_id"}


def test_page_tokens_are_null_where_there_is_no_further_page(crm: Client) -> None:
    crm.upsert([{"parent_id": key} for key in "AB"])
    info = crm.get("/crm/v8/Orders?fields=id").json()["info"]
    assert [info[name] for name in ("next_page_token", "previous_page_token", "page_token_expiry")] == [None] * 3
    info = crm.get("/crm/v8/Orders?fields=id&per_page=1").json()["info"]
    assert None not in (info["next_page_token"], info["page_token_expiry"])


def test_a_field_that_is_no_external_id_says_null(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "parent_id", external="org")
    fields = {one["api_name"]: one for one in crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]}
    assert (fields["Country"]["external"], fields["parent_id"]["external"]["type"]) == (None, "org")


@pytest.mark.parametrize("by", ["id", "Created_Time", "Modified_Time"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_lists_are_sorted_as_asked_page_by_page(crm: Client, by: str, order: str) -> None:
    admin = crm.emulator.admin
    admin.set_clock("manual")
    for key in "ABCDE":
        crm.upsert([{"parent_id": key}])
        admin.advance_clock(60)
    crm.upsert([{"parent_id": "B", "Country": "Peru"}])
    query, told, token = f"fields=parent_id&sort_by={by}&sort_order={order}&per_page=2", [], ""
    while True:
        page = crm.get(f"/crm/v8/Orders?{query}{token}").json()
        told += [record["parent_id"] for record in page["data"]]
        assert (page["info"]["sort_by"], page["info"]["sort_order"]) == (by, order)
        if not page["info"]["more_records"]:
            break
        token = f"&page_token={page['info']['next_page_token']}"
    oldest_first = list("ACDEB" if by == "Modified_Time" else "ABCDE")
    assert told == (oldest_first if order == "asc" else oldest_first[::-1])
    other = crm.get(f"/crm/v8/Orders?fields=id&sort_by=id&sort_order={'desc' if order == 'asc' else 'asc'}{token}")
    assert other.json()["code"] == "TOKEN_BOUND_DATA_MISMATCH"


def test_an_order_that_is_none_is_refused(crm: Client) -> None:
    for query in ("sort_by=Country", "sort_order=up"):
        assert crm.get(f"/crm/v8/Orders?fields=id&{query}").json()["code"] == "INVALID_DATA"


def test_a_list_knows_if_modified_since(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.set_clock("manual")
    crm.upsert([{"parent_id": "A"}])
    admin.advance_clock(60)
    now = datetime.fromtimestamp(admin.state()["clock"]["now"] / 1000, timezone.utc)
    since = {"If-Modified-Since": now.isoformat(timespec="seconds")}
    assert crm.get("/crm/v8/Orders?fields=id", headers=since).status_code == 304
    admin.advance_clock(60)
    crm.upsert([{"parent_id": "B"}])
    (told,) = crm.get("/crm/v8/Orders?fields=parent_id", headers=since).json()["data"]
    assert told["parent_id"] == "B"
    assert crm.get("/crm/v8/Orders?fields=id", headers={"If-Modified-Since": "lately"}).json()["code"] == "INVALID_DATA"


def test_a_jobs_result_lies_on_another_host_of_its_own_path(crm: Client) -> None:
    told, rows = crm.bulk([["parent_id"], ["A"]])
    address = urlsplit(told["result"]["download_url"])
    assert address.hostname == "localhost" != urlsplit(crm.base).hostname
    assert address.path == f"/v2/crm/{ZGID}/bulk-write/{told['id']}/{told['id']}.zip"
    assert rows[0][1] == "added"


def test_a_jobs_mappings_show_every_key_null_where_it_was_not_given(crm: Client) -> None:
    told, _ = crm.bulk([["parent_id"], ["A"]])
    (mapping,) = told["resource"][0]["field_mappings"]
    nulls = dict.fromkeys(("default_value", "find_by", "format", "module"))
    assert mapping == {**nulls, "api_name": "parent_id", "index": 0}
    assert told["resource"][0]["code"] == "COMPLETED"
