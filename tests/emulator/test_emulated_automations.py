from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client

ALL = ("workflow", "approval", "blueprint", "pathfinder", "orchestration")


def orders(*keys: str) -> list[dict[str, Any]]:
    return [{"parent_id": key} for key in keys]


def body(records: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"data": records, "duplicate_check_fields": ["parent_id"], **more}


def test_a_trigger_runs_once_for_each_record_written_and_for_none_refused(crm: Client) -> None:
    crm.upsert([*orders("A", "B"), {"parent_id": "C", "Status": "Gone"}], trigger=["workflow", "approval"])
    crm.upsert(orders("A"), trigger=[])
    stats = crm.emulator.admin.stats()
    assert stats["automations"] == {"workflow": 2, "approval": 2}
    assert stats["automations_by_way"] == {"upsert": {"workflow": 2, "approval": 2}}


def test_without_trigger_everything_runs_by_upsert_insert_and_update(crm: Client) -> None:
    crm.post("/crm/v8/Orders/upsert", json=body(orders("A")))
    record = crm.post("/crm/v8/Orders", json=body(orders("B"))).json()["data"][0]["details"]["id"]
    crm.put("/crm/v8/Orders", json=body([{"id": record, "Country": "Peru"}]))
    every = dict.fromkeys(ALL, 1)
    assert crm.emulator.admin.stats()["automations_by_way"] == {"upsert": every, "insert": every, "update": every}


def test_cadences_run_unless_skipped_and_layout_rules_only_when_applied(crm: Client) -> None:
    crm.upsert(orders("A", "B"))
    crm.upsert(orders("A"), skip_feature_execution=[{"name": "cadences"}])
    crm.upsert(orders("A", "C"), skip_feature_execution=[{"name": "cadences", "action": "insert"}])
    crm.upsert(orders("A"), apply_feature_execution=[{"name": "layout_rules"}])
    stats = crm.emulator.admin.stats()
    assert stats["features"] == {"cadences": 4, "layout_rules": 1}
    assert stats["features_skipped"] == {"cadences": 2}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("skip_feature_execution", "cadences"),
        ("skip_feature_execution", [{"name": "layout_rules"}]),
        ("apply_feature_execution", [{"name": "magic"}]),
        ("apply_feature_execution", [{"name": "layout_rules", "action": "delete"}]),
    ],
)
def test_a_feature_nobody_knows_refuses_the_call(crm: Client, key: str, value: Any) -> None:
    told = crm.upsert(orders("A"), **{key: value}).json()
    assert (told["code"], told["details"]["api_name"]) == ("INVALID_DATA", key)
    assert not crm.records()


@pytest.mark.parametrize("position", ["none", "all"])
def test_for_the_rows_of_a_job_nothing_runs_or_everything_by_switch(crm: Client, position: str) -> None:
    crm.emulator.admin.switch(bulk_automations=position)
    crm.bulk([["parent_id", "Status"], ["A", "Paid"], ["B", "Gone"]])
    ran = {} if position == "none" else dict.fromkeys(ALL, 1)
    stats = crm.emulator.admin.stats()
    assert (stats["automations"], stats["features"]) == (ran, {} if position == "none" else {"cadences": 1})


def test_deleting_runs_workflows_unless_told_otherwise(crm: Client) -> None:
    ids = [item["details"]["id"] for item in crm.upsert(orders("A", "B")).json()["data"]]
    crm.delete(f"/crm/v8/Orders?ids={ids[0]}")
    crm.delete(f"/crm/v8/Orders?ids={ids[1]}&wf_trigger=false")
    stats = crm.emulator.admin.stats()
    assert (stats["automations_by_way"]["delete"], stats["records"]["delete"]) == ({"workflow": 1}, 2)


def test_insert_update_and_delete_cost_a_credit_for_ten_records_begun(crm: Client) -> None:
    def spent() -> int:
        return int(crm.emulator.admin.stats()["credits"]["spent"])

    before = spent()
    made = crm.post("/crm/v8/Orders", json=body(orders(*map(str, range(11))))).json()["data"]
    assert spent() - before == 2
    ids = [item["details"]["id"] for item in made]
    crm.put("/crm/v8/Orders", json=body([{"id": record, "Country": "Peru"} for record in ids[:10]]))
    assert spent() - before == 3
    crm.delete(f"/crm/v8/Orders?ids={','.join(ids)}")
    assert spent() - before == 5
    assert not crm.records()


def test_an_update_needs_the_id_of_a_record_that_is_there(crm: Client) -> None:
    answer = crm.put("/crm/v8/Orders", json=body([{"parent_id": "A"}, {"id": "4876876000000999999"}]))
    told = [(item["code"], item["details"]["api_name"]) for item in answer.json()["data"]]
    assert told == [("MANDATORY_NOT_FOUND", "id"), ("INVALID_DATA", "id")]


def test_an_inserted_key_that_is_there_names_the_record_that_holds_it(crm: Client) -> None:
    held = crm.upsert(orders("A")).json()["data"][0]["details"]["id"]
    answer = crm.post("/crm/v8/Orders", json=body(orders("a", "B")))
    refused, made = answer.json()["data"]
    assert (answer.status_code, refused["code"], made["code"]) == (207, "DUPLICATE_DATA", "SUCCESS")
    assert (refused["details"]["api_name"], refused["details"]["id"]) == ("parent_id", held)
