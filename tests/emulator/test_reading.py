from __future__ import annotations

import pytest
from emulator_client import Client


@pytest.fixture
def ids(crm: Client) -> list[str]:
    records = [{"parent_id": f"P-{n:03}", "Country": "Peru", "Item_Count": n} for n in range(250)]
    return crm.emulator.admin.put_records("Orders", records)


def test_a_record_is_read_by_id_and_by_external_id(crm: Client, ids: list[str]) -> None:
    whole = crm.get(f"/crm/v8/Orders/{ids[3]}").json()["data"][0]
    assert (whole["id"], whole["parent_id"], whole["Status"]) == (ids[3], "P-003", None)
    some = crm.get(f"/crm/v8/Orders/{ids[3]}?fields=Country").json()["data"]
    assert some == [{"Country": "Peru", "id": ids[3]}]
    refused = crm.get("/crm/v8/Orders/P-003", headers={"X-EXTERNAL": "Orders.parent_id"})
    assert refused.json()["message"] == "The value of the external field is invalid."
    crm.emulator.admin.alter_field("Orders", "parent_id", external="org")
    found = crm.get("/crm/v8/Orders/p-003", headers={"X-EXTERNAL": "Orders.parent_id"})
    assert found.json()["data"][0]["id"] == ids[3]


def test_what_is_not_there_is_an_empty_204(crm: Client) -> None:
    for path in ("4876876000000999999", "?fields=id", "?fields=id&ids=4876876000000999999"):
        answer = crm.get(f"/crm/v8/Orders/{path}".replace("/?", "?"))
        assert (answer.status_code, answer.content) == (204, b"")
    assert crm.get("/crm/v8/Orders/not-an-id").status_code == 404


def test_records_are_read_by_ids_in_the_order_asked(crm: Client, ids: list[str]) -> None:
    asked = [ids[5], ids[2], "4876876000000999999"]
    data = crm.get(f"/crm/v8/Orders?fields=parent_id&ids={','.join(asked)}").json()["data"]
    assert [record["parent_id"] for record in data] == ["P-005", "P-002"]
    assert crm.get("/crm/v8/Orders?fields=id&ids=" + ",".join(["1"] * 101)).json()["code"] == "LIMIT_EXCEEDED"
    assert crm.get("/crm/v8/Orders?fields=id&ids=x").json()["code"] == "INVALID_DATA"
    assert crm.get("/crm/v8/Orders").json()["code"] == "REQUIRED_PARAM_MISSING"


@pytest.mark.parametrize("way", ["page", "token"])
def test_pages_cover_every_record_once(crm: Client, ids: list[str], way: str) -> None:
    seen: list[str] = []
    query = "page=1"
    while True:
        answer = crm.get(f"/crm/v8/Orders?fields=id&per_page=100&{query}").json()
        seen += [record["id"] for record in answer["data"]]
        info = answer["info"]
        if not info["more_records"]:
            break
        query = f"page={info['page'] + 1}" if way == "page" else f"page_token={info['next_page_token']}"
    assert sorted(seen) == sorted(ids)


def test_pages_beyond_two_thousand_records_need_a_token(crm: Client) -> None:
    answer = crm.get("/crm/v8/Orders?fields=id&per_page=200&page=11")
    assert (answer.status_code, answer.json()["code"]) == (400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED")
    assert crm.get("/crm/v8/Orders?fields=id&page_token=!!").json()["code"] == "INVALID_DATA"


def test_deleting_tells_each_ids_fate_and_frees_the_key(crm: Client, ids: list[str]) -> None:
    answer = crm.delete(f"/crm/v8/Orders?ids={ids[0]},{ids[1]},4876876000000999999")
    assert answer.status_code == 207
    assert [item["status"] for item in answer.json()["data"]] == ["success", "success", "error"]
    assert crm.emulator.admin.stats()["modules"]["Orders"] == 248
    assert crm.upsert([{"parent_id": "P-000"}]).json()["data"][0]["action"] == "insert"
    assert crm.delete(f"/crm/v8/Orders/{ids[2]}").json()["data"][0]["code"] == "SUCCESS"
    assert crm.delete("/crm/v8/Orders").json()["code"] == "REQUIRED_PARAM_MISSING"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("parent_id in ('P-001', 'p-002', 'none')", ["P-001", "P-002"]),
        ("parent_id = 'P-001'", ["P-001"]),
        ("parent_id != 'P-001' and Item_Count < 2", ["P-000"]),
        ("Item_Count between 3 and 4", ["P-003", "P-004"]),
        ("Item_Count in (7, 8) and Country = 'peru'", ["P-007", "P-008"]),
        ("(Item_Count = 1 or Item_Count >= 249) and Status is null", ["P-001", "P-249"]),
        ("parent_id like 'P-01%' and Item_Count > 17", ["P-018", "P-019"]),
        ("Status is not null", []),
        ("Item_Count not in (1) and Item_Count <= 2", ["P-000", "P-002"]),
    ],
)
def test_coql_finds(crm: Client, ids: list[str], where: str, found: list[str]) -> None:
    query = f"select id, parent_id from Orders where {where} order by parent_id"
    answer = crm.post("/crm/v8/coql", json={"select_query": query})
    assert answer.status_code == (200 if found else 204)
    assert [record["parent_id"] for record in answer.json()["data"]] == found if found else answer.content == b""
    assert len(ids) == 250


def test_coql_finds_by_id_and_time(crm: Client, ids: list[str]) -> None:
    query = f"select parent_id from Orders where id = {ids[4]} and Modified_Time > '2020-01-01T00:00:00+00:00'"
    assert crm.post("/crm/v8/coql", json={"select_query": query}).json()["data"][0]["parent_id"] == "P-004"


def test_coql_windows_and_their_price(crm: Client, ids: list[str]) -> None:
    assert len(ids) == 250
    prices = []
    for window, count in (("", 200), ("limit 10 offset 245", 5), ("limit 1000", 250), ("limit 2000", 250)):
        before = crm.emulator.admin.stats()["credits"]["by_kind"].get("coql", 0)
        query = f"select id from Orders where id is not null {window}"
        answer = crm.post("/crm/v8/coql", json={"select_query": query}).json()
        assert answer["info"]["count"] == count
        prices.append(crm.emulator.admin.stats()["credits"]["by_kind"]["coql"] - before)
    assert prices == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("select id from Orders", "SYNTAX_ERROR"),
        ("select id from Orders where", "SYNTAX_ERROR"),
        ("select from Orders where id is null", "SYNTAX_ERROR"),
        ("select id from Orders where id ~ 1", "SYNTAX_ERROR"),
        ("select No_Such from Orders where id is null", "INVALID_QUERY"),
        ("select id from Nothing where id is null", "INVALID_QUERY"),
        ("select id from Orders where id is null limit 2001", "LIMIT_EXCEEDED"),
        (f"select id from Orders where parent_id in ({','.join(['1'] * 101)})", "LIMIT_EXCEEDED"),
    ],
)
def test_coql_refuses(crm: Client, query: str, code: str) -> None:
    answer = crm.post("/crm/v8/coql", json={"select_query": query})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_the_dump_is_complete_exact_and_free(crm: Client, ids: list[str]) -> None:
    spent = crm.emulator.admin.stats()["credits"]["spent"]
    assert [record["id"] for record in crm.emulator.admin.records("Orders")] == ids
    assert crm.emulator.admin.stats()["credits"]["spent"] == spent
