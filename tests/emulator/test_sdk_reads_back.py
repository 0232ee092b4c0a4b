"""Zoho's official SDK reads back what the target wrote by both channels: records, fields, layouts and job results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from openapi import Forms, Recorder

from zoho_crm_emulator.schema import DataType

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

READER = Path(__file__).with_name("sdk_reader.py")
TARGET = Path(sys.executable).parent / "target-zoho-crm"

TEXT, NUMBER, WHOLE = {"type": ["string", "null"]}, {"type": ["number", "null"]}, {"type": ["integer", "null"]}
WRITTEN: dict[str, tuple[dict[str, Any], Any, Any]] = {
    # the field, its JSON schema, what the tap sends, and what the SDK says of it: its class and its value
    "Customer_Name": (TEXT, "Renée, \"two\" & 'one'", ["str", "Renée, \"two\" & 'one'"]),
    "Notes": (TEXT, "two\nlines", ["str", "two\nlines"]),
    "Customer_Email": (TEXT, "renee@example.com", ["str", "renee@example.com"]),
    "Customer_Phone": (TEXT, "+49 30 1234", ["str", "+49 30 1234"]),
    "Website": (TEXT, "https://shop.example/a?b=c", ["str", "https://shop.example/a?b=c"]),
    "Status": (TEXT, "Paid", ["Choice", "Paid"]),
    "Tags_List": (
        {"type": ["array", "null"], "items": {"type": "string"}},
        ["gift", "fragile"],
        [["Choice", "gift"], ["Choice", "fragile"]],
    ),
    "Order_Date": ({"type": ["string", "null"], "format": "date"}, "2026-01-31", ["date", "2026-01-31"]),
    "Ordered_At": (
        {"type": ["string", "null"], "format": "date-time"},
        "2026-01-31T08:30:15+02:00",
        ["datetime", "2026-01-31T06:30:15+00:00"],
    ),
    "Item_Count": (WHOLE, 999_999_999, ["int", 999_999_999]),
    "Loyalty_Points": (WHOLE, 123_456_789_012_345_678, ["int", 123_456_789_012_345_678]),
    "Total_Amount": (NUMBER, 1234567.25, ["float", 1234567.25]),
    "Weight_Kg": (NUMBER, 0.125, ["float", 0.125]),
    "Tax_Rate": (NUMBER, 19.5, ["float", 19.5]),
    "Is_Gift": ({"type": ["boolean", "null"]}, True, ["bool", True]),
    "Country": (TEXT, None, ["NoneType", None]),
}


LINE = {"_sync_key": {"type": "string"}, "Line_Number": WHOLE, "Product": TEXT, "Quantity": NUMBER}
LINES = [
    {"_sync_key": "1", "Line_Number": 1, "Product": "Tea", "Quantity": 2.5},
    {"_sync_key": "2", "Line_Number": 2, "Product": None, "Quantity": 1},
]


def written_by_the_target(
    emulator: EmulatorProcess, folder: Path, channel: str, layout: str, records: list[dict[str, Any]]
) -> None:
    properties: dict[str, Any] = {"parent_id": {"type": "string"}, "Account": TEXT, "Owner": TEXT, "Clerk": TEXT}
    several = ("Tag", "Partners", "Watchers") if channel == "upsert" else ("Partners",)
    properties |= {name: {"type": "array", "items": {"type": "string"}} for name in several}
    properties["lines"] = {"type": "array", "items": {"type": "object", "properties": LINE}}
    properties |= {name: schema for name, (schema, _, _) in WRITTEN.items()}
    config = {
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
        "refresh_token": emulator.refresh_token,
        **dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url),
        "ack_url": f"sqlite:///{folder}/ledger.sqlite",
        "channel": channel,
        "fields": {
            "Account": {"find_by": "Legacy_Id"},
            "Owner": {"find_by": "email"},
            "Clerk": {"find_by": "email"},
            "Layout": {"default": layout},
            **{name: {"source": name} for name in several},
        },
        "lines": {"write_to": "subform"},
        "child_rows_per": "parent",  # so that a job writes rows
    }
    schema = {"stream": "orders", "schema": {"properties": properties}, "key_properties": ["parent_id"]}
    messages: list[dict[str, Any]] = [{"type": "SCHEMA", **schema}]
    messages += [{"type": "RECORD", "stream": "orders", "record": record} for record in records]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "messages.singer").write_text("".join(f"{json.dumps(message)}\n" for message in messages))
    command = [TARGET, "--config", folder / "config.json", "--input", folder / "messages.singer"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr


def read_by_the_sdk(emulator: EmulatorProcess, base: str, folder: Path, **wanted: Any) -> dict[str, Any]:
    pytest.importorskip("zohocrmsdk", reason="Zoho's official SDK (zohocrmsdk8_0) is not installed")
    arguments = [base, emulator.client_id, emulator.client_secret, emulator.refresh_token, str(folder)]
    run = subprocess.run(
        [sys.executable, str(READER), *arguments],
        input=json.dumps({"modules": [], "records": {}, "jobs": [], **wanted}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    seen: dict[str, Any] = json.loads(run.stdout)
    return seen


EMAIL, CLERK = "emulclerk@shops.com", ["MinifiedUser", {"id": "4876876000000000302", "name": "Emulator Clerk"}]


@pytest.mark.nightly
def test_the_sdk_reads_each_type_as_the_target_was_given_it(
    zoho_emulator: EmulatorProcess, checker: Forms, tmp_path: Path
) -> None:
    admin = zoho_emulator.admin
    (account,) = admin.put_records("Accounts", [{"Account_Name": "Ada's Shop", "Legacy_Id": "C1"}])
    admin.add_field("Orders", "Clerk", "userlookup")
    admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
    admin.add_subform("Orders", "Watchers", data_type="multiuserlookup")
    layout = admin.add_layout("Orders", "Export", ["Weight_Kg"])
    values = {name: value for name, (_, value, _) in WRITTEN.items()}
    values |= {"lines": LINES, "Account": "C1", "Owner": EMAIL, "Clerk": EMAIL}
    by_calls = {"Tag": ["vip", "late"], "Partners": [account], "Watchers": [CLERK[1]["id"]]}
    written_by_the_target(zoho_emulator, tmp_path, "upsert", layout, [{"parent_id": "U", **values, **by_calls}])
    by_job = {"parent_id": "B", **values, "Partners": [account]}
    refused = {**by_job, "parent_id": "X", "Account": "C9", "lines": []}
    written_by_the_target(zoho_emulator, tmp_path, "bulk_write", layout, [by_job, refused])
    ids = {record["parent_id"]: record["id"] for record in admin.records("Orders")}
    assert set(ids) == {"U", "B"}

    jobs = [job["id"] for job in admin.jobs()]
    wanted = {"modules": ["Orders", "Lines"], "records": {"Orders": list(ids.values())}, "jobs": jobs}
    with Recorder(zoho_emulator.base_url) as recorder:
        seen = read_by_the_sdk(zoho_emulator, recorder.base_url, tmp_path, **wanted)
    assert checker.faults(recorder.answers) == []
    for key, record in ids.items():
        read = seen["records"][record]
        assert (read["parent_id"], read["Owner"], read["Clerk"]) == (["str", key], CLERK, CLERK)
        assert {name: read[name] for name in WRITTEN} == {name: told for name, (_, _, told) in WRITTEN.items()}
        assert read["Account"] == ["Record", {"id": ["int", int(account)], "name": ["str", "Ada's Shop"]}]
        assert read["Layout"] == ["Layouts", {"id": layout, "name": "Export"}]
        assert_lines(read["Lines"], record)
        assert_partners(read["Partners"], account)
    assert_tags_and_watchers(seen["records"][ids["U"]])
    assert_fields(seen["fields"]["Orders"])
    assert seen["layouts"]["Orders"] == {"Standard": [], "Export": ["Weight_Kg"]}
    assert seen["layouts"]["Lines"] == {"Standard": ["Parent_Id"]}
    assert_jobs(list(seen["jobs"].values()), ids["B"])


def assert_lines(read: list[Any], record: str) -> None:
    rows = [row for kind, row in read if kind == "Record"]
    assert [[row[name] for name in ("Line_Id", "Line_Number", "Product", "Quantity")] for row in rows] == [
        [["str", "1"], ["int", 1], ["str", "Tea"], ["float", 2.5]],
        [["str", "2"], ["int", 2], ["NoneType", None], ["float", 1.0]],
    ]
    assert {row["Parent_Id"][1]["id"][1] for row in rows} == {int(record)}


def assert_partners(read: list[Any], account: str) -> None:
    ((_, partner),) = read
    assert partner["Partners"] == ["Record", {"id": ["int", int(account)], "name": ["str", "Ada's Shop"]}]


def assert_tags_and_watchers(read: dict[str, Any]) -> None:
    assert [(kind, tag["name"]) for kind, tag in read["Tag"]] == [("Tag", "vip"), ("Tag", "late")]
    ((_, watcher),) = read["Watchers"]
    assert watcher["Watchers"] == CLERK


def assert_fields(fields: dict[str, dict[str, Any]]) -> None:
    types = {field["data_type"] for field in fields.values()}
    assert types == set(get_args(DataType)) - {
        "autonumber",
        "linetax",
    }  # which nobody writes, and which `test_line_items.py` reads back
    assert all(fields[name]["api_create"] for name in WRITTEN)
    assert "Paid" in fields["Status"]["values"]
    assert fields["Account"]["lookup"] == "Accounts"
    assert (fields["Lines"]["rows"], fields["Partners"]["linking"]) == ("Lines", "Orders_Partners")
    assert (fields["Total_Amount"]["length"], fields["Total_Amount"]["decimal_place"]) == (16, 2)


def assert_jobs(jobs: list[dict[str, Any]], record: str) -> None:
    told = {job["resources"][0]["module"]: job for job in jobs}
    assert set(told) == {"Orders", "Lines", "Orders_Partners"}
    assert {(job["status"], job["operation"]) for job in jobs} == {("COMPLETED", "upsert"), ("COMPLETED", "insert")}
    (orders,), (lines,) = told["Orders"]["resources"], told["Lines"]["resources"]
    assert (orders["find_by"], orders["added"], orders["skipped"]) == ("parent_id", 1, 1)
    assert set(orders["mapped"]) >= {"parent_id", "Account", "Owner", "Clerk", "Layout", *WRITTEN}
    assert lines["added"] == len(LINES)
    (rows,) = told["Orders"]["results"].values()
    assert {row[0]: tuple(row[-3:]) for row in rows[1:]} == {
        "B": ("added", record, ""),
        "X": ("skipped", "", "INVALID_DATA-Account"),
    }
