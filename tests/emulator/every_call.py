"""Every endpoint of the emulator called in every way that gives another form of answer."""

from __future__ import annotations

from typing import Any

from emulator_client import Client, csv_zip, files_zip

FIELDS = "/crm/v8/settings/fields?module=Orders"


def call_everything(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.alter_field("Orders", "parent_id", external="org")
    (account,) = admin.put_records("Accounts", [{"Account_Name": "X"}])
    admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
    admin.add_subform("Orders", "Watchers", data_type="multiuserlookup")
    admin.add_layout("Orders", "Export", ["Weight_Kg"])
    _metadata(crm)
    _field_creation(crm)
    record = _writes(crm, account)
    _reads(crm, record)
    _other_ways(crm, record)
    _mass_updates(crm, record)
    _field_changes(crm)
    _jobs(crm)
    crm.delete(f"/crm/v8/Orders?ids={record},1")
    for query in ("", "?type=recycle", "?type=permanent", "?type=magic"):
        crm.get(f"/crm/v8/Orders/deleted{query}")
    crm.delete("/crm/v8/Orders?ids=1")
    crm.delete("/crm/v8/Orders")
    _over_the_limits(crm)


def _metadata(crm: Client) -> None:
    for path in ("org", "users", "settings/modules", "settings/modules/Orders", "settings/modules/Nothing"):
        crm.get(f"/crm/v8/{path}")
    for query in ("?type=AllUsers", "?type=CurrentUser", "?type=DeletedUsers", "?type=Friends", "/1"):
        crm.get(f"/crm/v8/users{query}")
    crm.get(f"/crm/v8/users/{crm.get('/crm/v8/users').json()['users'][0]['id']}")
    for module in ("Orders", "Accounts", "Lines", "Orders_Partners", "Nothing"):
        for kind in ("fields", "layouts"):
            told = crm.get(f"/crm/v8/settings/{kind}?module={module}").json()
            for one in [*told.get(kind, []), {"id": "1"}][-2:]:
                crm.get(f"/crm/v8/settings/{kind}/{one['id']}?module={module}")
    for kind in ("fields", "layouts"):
        crm.get(f"/crm/v8/settings/{kind}")


def _field_creation(crm: Client) -> None:
    for asked in (
        {"field_label": "Made here", "data_type": "text", "unique": {"casesensitive": "false"}},
        {"field_label": "Made here", "data_type": "text"},
        {"data_type": "text"},
        {"field_label": "Too long", "data_type": "text", "length": 5000},
        {"field_label": "No such type", "data_type": "magic"},
    ):
        crm.post(FIELDS, json={"fields": [asked]})
    crm.post(FIELDS, json={"fields": [{}] * 6})
    crm.post(FIELDS, json={})


def _writes(crm: Client, account: str) -> str:
    """Upsert, insert and update; returns the id of a record with rows, links and tags."""
    made = crm.upsert([{"parent_id": "A"}, {"parent_id": "B", "Status": "No such"}]).json()
    record = str(made["data"][0]["details"]["id"])
    rows = {"Lines": [{"Quantity": 1}, {"Note": "x"}], "Partners": [{"Partners": {"id": account}}]}
    crm.upsert([{"parent_id": "A", "Item_Count": 1, "Tag": [{"name": "vip"}], **rows}])
    crm.upsert([{"parent_id": "A", "Lines": [{"Quantity": "x"}]}, {"parent_id": "B"}])
    crm.upsert([{"parent_id": "C", "Is_Gift": "yes", "Status": "No such"}])
    crm.upsert([])
    crm.upsert([{"parent_id": "A"}], module="Nothing")
    crm.upsert([{"parent_id": "A"}], trigger=["magic"])
    for inserted in ([{"parent_id": "I"}, {"parent_id": "A"}], [{"parent_id": "A"}], [{"parent_id": "J"}]):
        crm.post("/crm/v8/Orders", json={"data": inserted})
    change: dict[str, Any] = {"id": record, "Country": "Peru"}
    for updated in ([change, {"id": "1"}], [{"parent_id": "A"}], [change]):
        crm.put("/crm/v8/Orders", json={"data": updated})
    for one in ({"Country": "Chile"}, {"Status": "No such"}):
        crm.put(f"/crm/v8/Orders/{record}", json={"data": [one]})
    gone = crm.upsert([{"parent_id": "Gone"}]).json()["data"][0]["details"]["id"]
    for _ in range(2):
        crm.delete(f"/crm/v8/Orders/{gone}")
    return record


def _reads(crm: Client, record: str) -> None:
    crm.get(f"/crm/v8/Orders/{record}")
    crm.get("/crm/v8/Orders/1")
    crm.get("/crm/v8/Orders/A", headers={"X-EXTERNAL": "Orders.parent_id"})
    crm.get("/crm/v8/Orders?fields=parent_id,Status")
    crm.get(f"/crm/v8/Orders?fields=parent_id,Lines&ids={record}")
    crm.get("/crm/v8/Orders?fields=parent_id&ids=1")
    crm.get("/crm/v8/Orders")
    for query in (
        "select id, parent_id from Orders where parent_id in ('A', 'B')",
        f"select Quantity from Lines where Parent_Id in ('{record}')",
        "select id from Orders where parent_id = 'none'",
        "select id from Orders",
        "select No_Such from Orders where id is not null",
        "select id from Orders where",
        "select id from Orders where id is not null limit 2001",
    ):
        crm.post("/crm/v8/coql", json={"select_query": query})
    crm.post("/crm/v8/coql", json={})


def _other_ways(crm: Client, record: str) -> None:
    """Search, counts, clones, external ids and whole texts."""
    admin = crm.emulator.admin
    admin.switch(search_lag_seconds=0)
    for query in (
        "criteria=(parent_id:equals:A)&fields=parent_id,Status",
        "criteria=((Item_Count:greater_than:0)and(Country:starts_with:C))",
        "word=Chile",
        "email=nobody@example.com",
        "phone=1",
        "criteria=(No_Such:equals:A)",
        "criteria=(parent_id:like:A)",
        "criteria=" + "or".join(["(parent_id:equals:A)"] * 11),
        "",
    ):
        crm.get(f"/crm/v8/Orders/search?{query}")
        crm.get(f"/crm/v8/Orders/actions/count?{query}")
    crm.get("/crm/v8/users/actions/count?type=ActiveUsers")
    crm.get("/crm/v8/users/actions/count?type=Friends")
    crm.post(f"/crm/v8/Orders/{record}/actions/clone", json={"data": [{"parent_id": "Clone"}]})
    crm.post(f"/crm/v8/Orders/{record}/actions/clone", json={"data": [{"Status": "No such"}]})
    crm.post("/crm/v8/Orders/1/actions/clone")
    external = {"X-EXTERNAL": "Orders.parent_id"}
    crm.put("/crm/v8/Orders/A", json={"data": [{"Country": "Chile"}]}, headers=external)
    crm.put("/crm/v8/Orders/nobody", json={"data": [{"Country": "Chile"}]}, headers=external)
    crm.upsert([{"parent_id": "Short lived"}])
    for _ in range(2):
        crm.delete("/crm/v8/Orders/short lived", headers=external)
    crm.get(f"/crm/v8/Orders/{record}/actions/fetch_full_data")
    admin.add_field("Orders", "Story", "textarea", textarea_type="rich_text")
    for path in (f"{record}/actions/fetch_full_data", f"actions/fetch_full_data?ids={record}&fields=Story"):
        crm.get(f"/crm/v8/Orders/{path}")
    crm.get("/crm/v8/Orders/1/actions/fetch_full_data")
    crm.get("/crm/v8/Orders/actions/fetch_full_data")
    crm.get("/crm/v8/Accounts/deleted")


def _mass_updates(crm: Client, record: str) -> None:
    path, values = "/crm/v8/Orders/actions/mass_update", {"Tags_List": ["gift"]}
    everything = {"criteria": {"field": "parent_id", "comparator": "not_equal", "value": "none"}}
    nothing = {"criteria": {"field": "parent_id", "comparator": "equal", "value": "none"}}
    for asked in (
        {"data": [values], "ids": [record]},
        {"data": [values], "ids": [record, "1"]},
        {"data": [{"Status": "No such"}], "ids": [record]},
        {"data": [values], "ids": ["x"]},
        {"data": [values], "ids": ["1"] * 501},
        {"data": [values], "cvid": "1"},
        {"data": [{}], "ids": [record]},
        {"data": [values]},
        {"data": [values], **nothing},
        {"data": [{"Status": "No such"}], **everything},
        {"ids": [record]},
    ):
        crm.post(path, json=asked)
    job = crm.post(path, json={"data": [values], **everything}).json()["data"][0]["details"]["job_id"]
    crm.emulator.admin.wait_jobs()
    for query in (f"?job_id={job}", "?job_id=1", ""):
        crm.get(path + query)


def _field_changes(crm: Client) -> None:
    fields = {field["api_name"]: field["id"] for field in crm.get(FIELDS).json()["fields"]}
    for asked in (
        [{"id": fields["Country"], "length": 61}, {"id": fields["Status"], "field_label": "State of things"}],
        [{"id": fields["Country"], "length": 6000}],
        [{"id": "1", "length": 60}],
        [],
        [{}] * 6,
    ):
        crm.patch(FIELDS, json={"fields": asked})
    one = FIELDS.replace("?", f"/{fields['Country']}?")
    crm.patch(one, json={"fields": [{"length": 62}]})
    crm.patch(one, json={"fields": [{"data_type": "date"}]})
    for path in (FIELDS.replace("?", f"/{fields['Made_here']}?"), FIELDS.replace("?", f"/{fields['Name']}?")):
        crm.delete(path)
    crm.delete(one.partition("?")[0])
    crm.delete(one.replace("Orders", "Nothing"))


def _jobs(crm: Client) -> None:
    admin = crm.emulator.admin
    archive = csv_zip([["parent_id", "Status"], ["A", "Paid"], ["D", "No such"]])
    crm.upload(archive, **{"X-CRM-ORG": "1"})
    crm.upload(archive, feature="")
    crm.upload(b"no zip")
    admin.set_clock("manual")
    admin.settings(job_seconds=10)
    file_id = crm.upload(archive).json()["details"]["file_id"]
    crm.create(file_id, ["parent_id", "No_Such"])
    crm.create("1", ["parent_id"])
    crm.create(file_id, ["parent_id"], callback={"url": "http://127.0.0.1:1/", "method": "get"})
    crm.create(file_id, ["parent_id"], callback={"url": "nowhere", "method": "post"})
    crm.create(file_id, ["parent_id"], operation=None)
    job = crm.create(file_id, ["parent_id", "Status"]).json()["details"]["id"]
    crm.job(job)
    admin.advance_clock(2)
    crm.job(job)
    admin.advance_clock(20)
    crm.result(crm.finished(job))
    crm.job("1")
    fault = admin.add_fault(kind="job_failed", code="INVALID_FILE_FORMAT", times=1)
    failed = crm.create(file_id, ["parent_id", "Status"]).json()["details"]["id"]
    admin.advance_clock(20)
    crm.finished(failed)
    admin.remove_fault(fault)
    _family(crm)
    admin.settings(job_seconds=0)


def _family(crm: Client) -> None:
    """A job with parents and children in one zip."""
    files = {"orders.csv": [["parent_id"], ["A"]], "lines.csv": [["order", "n"], ["A", "1"], ["Z", "1"]]}
    file_id = crm.upload(files_zip(files)).json()["details"]["file_id"]
    parent: dict[str, Any] = {"type": "data", "module": {"api_name": "Orders"}, "file_id": file_id}
    parent |= {"find_by": "parent_id", "file_names": ["orders.csv"]}
    child: dict[str, Any] = {**parent, "module": {"api_name": "Lines"}, "find_by": None, "file_names": ["lines.csv"]}
    parent["field_mappings"] = [{"api_name": "parent_id", "index": 0}]
    child["field_mappings"] = [
        {"api_name": "Parent_Id", "index": 0, "parent_column_index": 0},
        {"api_name": "Quantity", "index": 1},
    ]
    body = {"operation": "upsert", "character_encoding": "UTF-8", "resource": [parent, child]}
    job = crm.post("/crm/bulk/v8/write", json=body).json()["details"]["id"]
    crm.job(job)
    crm.emulator.admin.advance_clock(20)
    crm.results(crm.finished(job))


def _over_the_limits(crm: Client) -> None:
    crm.emulator.admin.settings(credits_remaining=0)
    crm.upsert([{"parent_id": "A"}])
    crm.get("/crm/v8/settings/modules")
