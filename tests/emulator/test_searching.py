"""Search, counts and deleted records: what they find, how late, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client

RECORDS = [
    {"parent_id": "A", "Country": "Peru", "Status": "Paid", "Item_Count": 3, "Is_Gift": True, "Tags_List": ["gift"]},
    {"parent_id": "B", "Country": "Upper Peru", "Status": "New", "Item_Count": 9, "Customer_Email": "b@example.com"},
    {"parent_id": "C", "Country": "Chile (north), coast", "Total_Amount": "12.50", "Customer_Phone": "+56 2"},
]


@pytest.fixture
def ids(crm: Client) -> list[str]:
    crm.emulator.admin.switch(search_lag_seconds=0)
    return crm.emulator.admin.put_records("Orders", RECORDS)


def found(crm: Client, query: str, value: str = "") -> list[str]:
    parameters = dict([query.split("=", 1)]) if "=" in query else {query: value}
    answer = crm.get("/crm/v8/Orders/search", params=parameters)
    assert answer.status_code in {200, 204}, answer.text
    return [record["parent_id"] for record in answer.json()["data"]] if answer.content else []


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("criteria=(Country:equals:Peru)", "AB"),  # contains, as the documents say of text
        ("criteria=(Country:starts_with:peru)", "A"),
        (r"criteria=(Country:equals:Chile \(north\)\, coast)", "C"),
        ("criteria=(Country:not_equal:Peru)", "BC"),
        ("criteria=(Status:equals:Paid)", "A"),
        ("criteria=(Status:in:Paid,New)", "AB"),
        ("criteria=(Status:equals:${EMPTY})", "C"),
        ("criteria=(Item_Count:greater_equal:3)", "AB"),
        ("criteria=(Item_Count:between:4,10)", "B"),
        ("criteria=(Is_Gift:equals:true)", "A"),
        ("criteria=(Tags_List:equals:gift)", "A"),
        ("criteria=((Country:equals:Peru)and(Item_Count:less_than:5))", "A"),
        ("criteria=((Item_Count:equals:9)or((Status:equals:Paid)and(Item_Count:equals:3)))", "AB"),
        ("criteria=(parent_id:equals:none)", ""),
        ("email=B@example.com", "B"),
        ("phone=+56 2", "C"),
        ("word=coast", "C"),
    ],
)
@pytest.mark.usefixtures("ids")
def test_a_search_finds_what_it_is_asked_for(crm: Client, query: str, keys: str) -> None:
    assert found(crm, query) == list(keys)
    name, _, value = query.partition("=")
    assert crm.get("/crm/v8/Orders/actions/count", params={name: value}).json() == {"count": str(len(keys))}


@pytest.mark.parametrize(
    "criteria",
    [
        "(No_Such:equals:x)",
        "(Country:like:x)",
        "(Country:greater_than:x)",
        "(Item_Count:equals:many)",
        "(Item_Count:between:1)",
        "(Country:equals:x",
        "Country:equals:x",
        "(Country:equals:x)and",
        "((Country:equals:x)and(Country:equals:y)or(Country:equals:z))",
    ],
)
def test_criteria_that_zoho_would_not_take_are_refused(crm: Client, criteria: str) -> None:
    answer = crm.get("/crm/v8/Orders/search", params={"criteria": criteria})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_QUERY")
    assert answer.json()["details"]["reason"]


@pytest.mark.usefixtures("ids")
def test_more_than_ten_comparisons_are_refused(crm: Client) -> None:
    ten = "or".join(["(parent_id:equals:A)"] * 10)
    assert found(crm, f"criteria={ten}") == ["A"]
    answer = crm.get("/crm/v8/Orders/search", params={"criteria": f"{ten}or(parent_id:equals:B)"})
    assert answer.json()["code"] == "LIMIT_EXCEEDED"


@pytest.mark.usefixtures("ids")
def test_a_search_lags_behind_writes_and_a_count_does_not(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.set_clock("manual")
    admin.switch(search_lag_seconds=30)
    crm.upsert([{"parent_id": "D", "Country": "Peru"}])
    assert "D" not in found(crm, "word=Peru")
    assert crm.get("/crm/v8/Orders/actions/count?word=Peru").json() == {"count": "3"}
    admin.advance_clock(31)
    assert "D" in found(crm, "word=Peru")


@pytest.mark.usefixtures("ids")
def test_equals_can_mean_equal(crm: Client) -> None:
    crm.emulator.admin.switch(search_equals="exact", counts="number")
    assert found(crm, "criteria=(Country:equals:peru)") == ["A"]
    assert crm.get("/crm/v8/Orders/actions/count").json() == {"count": 3}


def test_a_search_goes_page_by_page(crm: Client) -> None:
    crm.emulator.admin.switch(search_lag_seconds=0)
    crm.emulator.admin.put_records("Orders", [{"parent_id": f"P-{n:03}", "Country": "Peru"} for n in range(25)])
    pages = [crm.get(f"/crm/v8/Orders/search?word=Peru&per_page=10&page={page}").json() for page in (1, 2, 3)]
    assert [page["info"]["more_records"] for page in pages] == [True, True, False]
    keys = [record["parent_id"] for page in pages for record in page["data"]]
    assert keys == [f"P-{n:03}" for n in range(25)]
    beyond = crm.get("/crm/v8/Orders/search?word=Peru&per_page=200&page=11")
    assert beyond.json()["code"] == "LIMIT_EXCEEDED"


def test_searching_needs_a_scope_of_its_own(crm: Client) -> None:
    grant = crm.emulator.admin.grant(["ZohoCRM.modules.ALL"])
    other = Client(crm.emulator, refresh_token=grant)
    assert other.get("/crm/v8/Orders/search?word=Peru").json()["code"] == "OAUTH_SCOPE_MISMATCH"
    assert other.get("/crm/v8/Orders/actions/count").status_code == 200


def test_deleted_records_are_told_until_long_after_they_left_the_bin(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.set_clock("manual")
    first, second = admin.put_records("Accounts", [{"Account_Name": "One"}, {"Account_Name": "Two"}])
    assert crm.get("/crm/v8/Accounts/deleted").status_code == 204
    crm.delete(f"/crm/v8/Accounts?ids={first}")
    admin.advance_clock(59 * 86400)
    crm = Client(crm.emulator)
    crm.delete(f"/crm/v8/Accounts/{second}")
    admin.advance_clock(86400)
    crm = Client(crm.emulator)

    def told(kind: str) -> list[tuple[str, str, str]]:
        answer: Any = crm.get(f"/crm/v8/Accounts/deleted?type={kind}")
        data = answer.json()["data"] if answer.content else []
        return [(one["id"], one["display_name"], one["type"]) for one in data]

    assert told("all") == [(second, "Two", "recycle"), (first, "One", "permanent")]
    assert told("recycle") == [(second, "Two", "recycle")]
    assert told("permanent") == [(first, "One", "permanent")]
    assert crm.get("/crm/v8/Orders/deleted").status_code == 204
    since = crm.get("/crm/v8/Accounts/deleted").json()["data"][0]["deleted_time"]
    later = crm.get("/crm/v8/Accounts/deleted", headers={"If-Modified-Since": since})
    assert [one["id"] for one in later.json()["data"]] == [second]
    admin.advance_clock(10)
    never = crm.get("/crm/v8/Accounts/deleted", headers={"If-Modified-Since": "2999-01-01T00:00:00+00:00"})
    assert (never.status_code, never.content) == (304, b"")
