from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from client import Client, csv_zip
from openapi import FOLDER, Checker, Recorder

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SDK_FLOW = Path(__file__).with_name("sdk_flow.py")

needs_openapi = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="Zoho's OpenAPI files do not lie beside the repository (shared/zoho-openapi)"
)


def run_sdk(emulator: EmulatorProcess, base: str, folder: Path) -> dict[str, Any]:
    pytest.importorskip("zohocrmsdk", reason="Zoho's official SDK (zohocrmsdk8_0) is not installed")
    arguments = [base, emulator.client_id, emulator.client_secret, emulator.refresh_token, str(folder)]
    run = subprocess.run(
        [sys.executable, str(SDK_FLOW), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    seen: dict[str, Any] = json.loads(run.stdout)
    return seen


def test_the_official_sdk_writes_reads_and_runs_a_bulk_job(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    seen = run_sdk(zoho_emulator, zoho_emulator.base_url, tmp_path)
    assert seen["modules"] == ["Accounts", "Contacts", "Orders"]
    assert (seen["upsert_status"], seen["upsert"]) == (207, [["success", "SUCCESS"], ["error", "INVALID_DATA"]])
    assert seen["read"] == {
        "id": seen["upsert_id"],
        "parent_id": "SDK-1",
        "Customer_Name": "Renée O'Brien",
        "Total_Amount": 12.5,
        "Order_Date": "2026-01-31",
        "Ordered_At": "2026-01-31T08:30:15+00:00",
        "Status": "Paid",
        "Loyalty_Points": 123456789012345,
    }
    assert seen["listed"] == seen["coql"] == ["SDK-1"]
    assert seen["job"] == {"status": "COMPLETED", "added": 1, "updated": 1, "skipped": 1, "total": 3}
    rows = {row[0]: row[3:] for row in seen["result"][1:]}
    assert rows["SDK-1"] == ["updated", seen["upsert_id"], ""]
    assert rows["SDK-4"] == ["skipped", "", "INVALID_DATA-Customer_Name"]
    held = {record["parent_id"]: record for record in zoho_emulator.admin.records("Orders")}
    assert set(held) == {"SDK-1", "SDK-3"}
    assert held["SDK-1"]["Notes"] == 'two\nlines and "quotes"'
    assert str(held["SDK-1"]["Total_Amount"]) == "99.95"
    assert held["SDK-1"]["Status"] == "Paid"
    assert held["SDK-3"]["Notes"] is None
    assert zoho_emulator.admin.stats()["credits"]["by_kind"]["bulk_write"] == 500


@needs_openapi
def test_every_answer_the_sdk_got_satisfies_zohos_openapi_files(
    zoho_emulator: EmulatorProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checker = Checker()
    with Recorder(zoho_emulator.base_url) as recorder:
        run_sdk(zoho_emulator, recorder.base_url, tmp_path)
    answers = [answer for answer in recorder.answers if "/oauth/" not in answer.path]
    for answer in answers:
        checker.check(answer)
    with capsys.disabled():
        print(f"\nofficial SDK, answers checked against OpenAPI:\n{checker.report()}")  # noqa: T201
    assert len(checker.checked) >= 11


@needs_openapi
def test_answers_of_every_endpoint_and_status_satisfy_zohos_openapi_files(
    zoho_emulator: EmulatorProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = zoho_emulator.admin
    admin.alter_field("Orders", "parent_id", external="org")
    checker = Checker()
    with Recorder(zoho_emulator.base_url) as recorder:
        crm = Client(zoho_emulator, base=recorder.base_url)
        for path in ("org", "users", "users?type=CurrentUser", "settings/modules", "settings/modules/Orders"):
            crm.get(f"/crm/v8/{path}")
        for module in ("?module=Orders", "?module=Accounts", "?module=Contacts", "?module=Nothing", ""):
            crm.get(f"/crm/v8/settings/fields{module}")
        for module in ("?module=Orders", "?module=Accounts", "?module=Contacts", ""):
            crm.get(f"/crm/v8/settings/layouts{module}")
        crm.get("/crm/v8/settings/modules/Nothing")
        made = crm.upsert([{"parent_id": "A"}, {"parent_id": "B", "Status": "No such"}]).json()
        crm.upsert([{"parent_id": "A", "Item_Count": 1}])
        crm.upsert([{"parent_id": "C", "Is_Gift": "yes"}])
        crm.upsert([])
        crm.upsert([{"parent_id": "A"}], module="Nothing")
        record = made["data"][0]["details"]["id"]
        crm.get(f"/crm/v8/Orders/{record}")
        crm.get("/crm/v8/Orders/A", headers={"X-EXTERNAL": "Orders.parent_id"})
        crm.get("/crm/v8/Orders?fields=parent_id,Status")
        crm.get("/crm/v8/Orders")
        for query in (
            "select id, parent_id from Orders where parent_id in ('A', 'B')",
            "select id from Orders",
            "select No_Such from Orders where id is not null",
            "select id from Orders where",
            "select id from Orders where id is not null limit 2001",
        ):
            crm.post("/crm/v8/coql", json={"select_query": query})
        archive = csv_zip([["parent_id", "Status"], ["A", "Paid"], ["D", "No such"]])
        crm.upload(archive, **{"X-CRM-ORG": "1"})
        crm.upload(b"no zip")
        admin.set_clock("manual")
        admin.settings(job_seconds=10)
        file_id = crm.upload(archive).json()["details"]["file_id"]
        crm.create(file_id, ["parent_id", "No_Such"])
        crm.create("1", ["parent_id"])
        crm.create(file_id, ["parent_id"], callback={"url": "http://127.0.0.1:1/", "method": "get"})
        crm.create(file_id, ["parent_id"], operation=None)
        job = crm.create(file_id, ["parent_id", "Status"]).json()["details"]["id"]
        crm.job(job)
        admin.advance_clock(2)
        crm.job(job)
        admin.advance_clock(20)
        crm.result(crm.finished(job))
        crm.job("1")
        admin.add_fault(kind="job_failed", code="INVALID_FILE_FORMAT")
        failed = crm.create(file_id, ["parent_id", "Status"]).json()["details"]["id"]
        admin.advance_clock(20)
        crm.finished(failed)
        crm.delete(f"/crm/v8/Orders?ids={record},1")
        crm.delete("/crm/v8/Orders?ids=1")
    statuses = {answer.status for answer in recorder.answers}
    assert {200, 201, 207, 400} <= statuses
    for answer in recorder.answers:
        if "/oauth/" not in answer.path:
            checker.check(answer)
    with capsys.disabled():
        print(f"\nplain calls, answers checked against OpenAPI:\n{checker.report()}")  # noqa: T201
    assert len(checker.checked) >= 20
