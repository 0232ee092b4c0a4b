from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from emulator_client import Client
from every_call import call_everything
from openapi import ERROR_KEYS, Checker, Forms, Recorder

from zoho_crm_emulator.emulator import Emulator, Settings
from zoho_crm_emulator.endpoints import endpoints
from zoho_crm_emulator.jobs import Jobs

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SDK_FLOW = Path(__file__).with_name("sdk_flow.py")
SDK_FURTHER = Path(__file__).with_name("sdk_further.py")


def run_sdk(emulator: EmulatorProcess, base: str, folder: Path, script: Path = SDK_FLOW) -> dict[str, Any]:
    pytest.importorskip("zohocrmsdk", reason="Zoho's official SDK (zohocrmsdk8_0) is not installed")
    arguments = [base, emulator.client_id, emulator.client_secret, emulator.refresh_token, str(folder)]
    run = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    seen: dict[str, Any] = json.loads(run.stdout)
    return seen


def test_the_official_sdk_writes_reads_and_runs_a_bulk_job(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    seen = run_sdk(zoho_emulator, zoho_emulator.base_url, tmp_path)
    assert {"Accounts", "Contacts", "Lines", "Order_Lines", "Orders", "Sales_Orders"} <= set(seen["modules"])
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


def test_the_official_sdk_searches_counts_updates_deletes_and_bulk_reads(
    zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    zoho_emulator.admin.switch(search_lag_seconds=0)
    records = [{"parent_id": f"P-{n}", "Item_Count": n, "Country": "Chile"} for n in range(4)]
    ids = zoho_emulator.admin.put_records("Orders", records)
    seen = run_sdk(zoho_emulator, zoho_emulator.base_url, tmp_path, SDK_FURTHER)
    assert seen["found"] == {"P-2": ids[2], "P-3": ids[3]}
    assert seen["count"] == 3
    assert seen["updated"] == [["success", ids[2]], ["success", ids[3]]]
    assert seen["deleted"] == [[ids[2], "recycle", "Emulator Admin"]]
    assert seen["bulk"] == {"count": 1, "rows": [["Id", "parent_id", "Country"], [ids[3], "P-3", "Peru"]]}


def test_every_answer_the_sdk_got_satisfies_zohos_openapi_files(
    zoho_emulator: EmulatorProcess, checker: Forms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Recorder(zoho_emulator.base_url) as recorder:
        run_sdk(zoho_emulator, recorder.base_url, tmp_path)
    assert checker.faults(recorder.answers) == []
    with capsys.disabled():
        print(f"\nofficial SDK, answers checked {checker.against}:\n{checker.report()}")  # noqa: T201
    assert len(checker.checked) >= 11


NOT_SERVED = {
    "photo": "records and the org have no pictures: file and image fields are left out of the emulator",
    "territories": "the org has no territories",
    "users": "the org's users are fixed, and there are no groups of them",
    "layouts": "layouts are made by the admin API: the pipeline reads them only",
    "modules": "modules are made by the admin API: the pipeline writes to modules that are there",
}


NOT_SERVED_CALLS = {
    ("GET", "/crm/v8/org/photo"),
    ("POST", "/crm/v8/{module_api_name}/{id}/actions/assign_territories"),
    ("POST", "/crm/v8/users"),
    ("PUT", "/crm/v8/settings/modules"),
    ("DELETE", "/crm/v8/settings/layouts/{id}"),
}
"""One for each reason, for want of the files."""


def test_answers_of_every_endpoint_and_status_satisfy_zohos_openapi_files(
    zoho_emulator: EmulatorProcess, checker: Forms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Recorder(zoho_emulator.base_url) as recorder:
        call_everything(Client(zoho_emulator, base=recorder.base_url))
    assert {200, 201, 204, 207, 400, 429} <= {answer.status for answer in recorder.answers}
    assert checker.faults(recorder.answers) == []
    checked = {(method, path) for method, path, _ in checker.checked}
    assert len(checked) >= 34
    if not isinstance(checker, Checker):
        return
    served = served_and_described(checker, tmp_path)
    with capsys.disabled():
        print(f"\nplain calls, answers checked {checker.against} ({len(checked)} endpoints):\n{checker.report()}")  # noqa: T201
    assert len(served) >= 34
    assert sorted(served - checked) == []


def test_what_the_files_tell_of_and_the_emulator_lacks_is_refused_as_zoho_refuses_unknown_calls(
    crm: Client, zoho_emulator: EmulatorProcess, checker: Forms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = not_served(checker, tmp_path) if isinstance(checker, Checker) else sorted(NOT_SERVED_CALLS)
    told = []
    for method, path in others:
        (reason,) = {why for word, why in NOT_SERVED.items() if word in path.rpartition("settings/")[2]}
        address = path.replace("{module_api_name}", "Orders")
        answer = crm.session.request(method, zoho_emulator.base_url + re.sub(r"{\w+}", "1", address), timeout=120)
        body = answer.json()
        assert body.keys() == ERROR_KEYS
        assert (answer.status_code, body["code"]) in {(404, "INVALID_URL_PATTERN"), (400, "INVALID_REQUEST_METHOD")}
        assert checker.is_error(body)
        told.append(f"  {method:6} {path} {answer.status_code} {body['code']}: {reason}")
    with capsys.disabled():
        print(f"\ndescribed by the files, and not served by the emulator ({len(told)}):", *told, sep="\n")  # noqa: T201
    assert zoho_emulator.admin.stats()["requests"]["unknown"] == len(others)
    assert len(others) <= 28


def not_served(checker: Checker, folder: Path) -> list[tuple[str, str]]:
    """Each method and path that Zoho's files tell of and the emulator does not serve."""
    known = {(method, shape_of(path)) for method, path in served_and_described(checker, folder)}
    known.add(("GET", shape_of("/{download_url}")))  # the address that a job tells
    return [one for one in sorted(checker.all_described()) if (one[0], shape_of(one[1])) not in known]


def shape_of(path: str) -> str:
    """A path without the names of its parts, of which the files use two for one."""
    return re.sub(r"{\w+}", "{}", path)


def served_and_described(checker: Checker, folder: Path) -> set[tuple[str, str]]:
    """Each method and path of the emulator that Zoho's files tell of, as the files write the path."""
    emulator = Emulator(Settings(data=str(folder / "x.sqlite")))
    listed = [(method, path) for method, path, _ in endpoints(Jobs(emulator))]
    emulator.close()
    return {
        (method, found[1])
        for method, path in listed
        if (found := checker.described(method, path.replace("{", "").replace("}", ""))) is not None
    }
