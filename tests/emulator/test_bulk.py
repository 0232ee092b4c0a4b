from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest
from emulator_client import Client, csv_zip

COLUMNS = ["parent_id", "Customer_Name", "Status"]


def row_of(result: list[list[str]], key: str) -> list[str]:
    return next(row for row in result if row[0] == key)


def made(crm: Client, rows: list[list[str]]) -> str:
    file_id: str = crm.upload(csv_zip(rows)).json()["details"]["file_id"]
    return file_id


def test_an_upsert_job_adds_updates_skips_and_tells_each_row(crm: Client) -> None:
    crm.upsert([{"parent_id": "old", "Customer_Name": "Before", "Notes": "kept"}])
    job, result = crm.bulk(
        [COLUMNS, ["new", "Ada", "New"], ["OLD ", "After", "Paid"], ["bad", "x" * 121, "Gone"], ["", "Nobody", "New"]]
    )
    file = job["resource"][0]["file"]
    assert (job["status"], file["name"]) == ("COMPLETED", "orders.csv")
    counts = {name: file[name] for name in file if name.endswith("_count")}
    assert counts == {"added_count": 2, "updated_count": 1, "skipped_count": 1, "total_count": 4}
    held = {record["parent_id"]: record for record in crm.emulator.admin.records("Orders")}
    assert [row[0] for row in result] == ["new", "OLD ", "bad", ""]
    assert row_of(result, "new")[3:] == ["added", held["new"]["id"], ""]
    assert row_of(result, "OLD ")[3:5] == ["updated", held["OLD "]["id"]]
    assert row_of(result, "bad")[3:] == ["skipped", "", "INVALID_DATA-Customer_Name,Status"]
    assert (held["OLD "]["Customer_Name"], held["OLD "]["Notes"]) == ("After", "kept")


def test_the_result_repeats_only_the_first_three_mapped_columns(crm: Client) -> None:
    columns = ["parent_id", "Country", "Status", "Channel"]
    rows = [columns, ["A", "Peru", "New", "Web"]]
    job, result = crm.bulk(rows)
    header = crm.result(job)[0]
    assert header == ["parent_id", "Country", "Status", "STATUS", "RECORD_ID", "ERRORS"]
    assert result[0][:3] == ["A", "Peru", "New"]
    crm.emulator.admin.switch(result_names="api_name", result_status="upper")
    mapped = [{"api_name": "Country", "index": 1}, {"api_name": "parent_id", "index": 0}]
    job, result = crm.bulk([["key", "land"], ["A", "Chile"]], mapped)
    assert (crm.result(job)[0][:2], result[0][2]) == (["parent_id", "Country"], "UPDATED")
    crm.emulator.admin.switch(result_columns="mapping")
    job, _ = crm.bulk([["key", "land"], ["A", "Chile"]], mapped)
    assert crm.result(job)[0][:2] == ["Country", "parent_id"]


def test_empty_cells_blank_unless_they_are_ignored(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Country": "Peru"}])
    rows = [["parent_id", "Country"], ["A", ""]]
    crm.bulk(rows, resource={"ignore_empty": True})
    assert crm.records()["A"]["Country"] == "Peru"
    crm.bulk(rows)
    assert crm.records()["A"]["Country"] is None


@pytest.mark.parametrize(
    ("position", "says", "country"),
    [
        ("both", {"request": True, "resource": False}, None),
        ("both", {"request": False, "resource": True}, "Peru"),
        ("request", {"request": True, "resource": False}, "Peru"),
        ("request", {"request": False, "resource": True}, None),
        ("resource", {"request": False, "resource": True}, "Peru"),
        ("resource", {"request": True, "resource": False}, None),
    ],
)
def test_empty_cells_are_ignored_by_either_place_of_the_request(
    crm: Client, position: str, says: dict[str, bool], country: str | None
) -> None:
    crm.upsert([{"parent_id": "A", "Country": "Peru"}])
    crm.emulator.admin.switch(ignore_empty_at=position)
    cells = [["parent_id", "Country"], ["A", ""]]
    crm.bulk(cells, ignore_empty=says["request"], resource={"ignore_empty": says["resource"]})
    assert crm.records()["A"]["Country"] == country


def test_every_type_comes_out_of_a_cell_as_it_came_out_of_json(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Total_Amount", decimal_place=9)
    account = crm.emulator.admin.put_records("Accounts", [{"Account_Name": "Acme", "Legacy_Id": "L-1"}])[0]
    cells: dict[str, tuple[str, Any, dict[str, str]]] = {
        "parent_id": ("A", "A", {}),
        "Order_Date": ("31/01/2026", "2026-01-31", {"format": "dd/MM/yyyy"}),
        "Ordered_At": ("2026-01-31 08:30:15 +0200", "2026-01-31T06:30:15+00:00", {"format": "yyyy-MM-dd HH:mm:ss Z"}),
        "Updated_At": ("2026-01-31T08:30:15Z", "2026-01-31T08:30:15+00:00", {"format": "yyyy-MM-dd'T'HH:mm:ssXXX"}),
        "Customer_Name": ('Renée "R", Jr.', 'Renée "R", Jr.', {}),
        "Total_Amount": ("1234567890123456.123456789", "1234567890123456.123456789", {}),
        "Tax_Rate": ("7.50", "7.5", {}),
        "Item_Count": ("-12", -12, {}),
        "Loyalty_Points": ("123456789012345678", "123456789012345678", {}),
        "Is_Gift": ("TRUE", True, {}),
        "Notes": ("two\r\nlines", "two\r\nlines", {}),
        "Tags_List": ("gift;express", ["gift", "express"], {}),
        "Account": ("l-1", {"id": account, "name": "Acme"}, {"find_by": "Legacy_Id", "module": "Accounts"}),
        "Owner": ("emulclerk@shops.com", None, {"find_by": "email"}),
    }
    mappings = [{"api_name": name, "index": index, **cells[name][2]} for index, name in enumerate(cells)]
    job, result = crm.bulk([list(cells), [cell for cell, _, _ in cells.values()]], mappings)
    assert result[0][-1] == "", job
    held = crm.records()["A"]
    for name, (_, expected, _) in cells.items():
        if name != "Owner":
            told = str(held[name]) if name in {"Total_Amount", "Tax_Rate"} else held[name]
            assert told == expected, name
    assert held["Owner"]["email"] == "emulclerk@shops.com"


@pytest.mark.parametrize(
    ("field", "cell", "options"),
    [
        ("Order_Date", "2026-13-01", {"format": "yyyy-MM-dd"}),
        ("Order_Date", "01/31/2026", {"format": "dd/MM/yyyy"}),
        ("Ordered_At", "2026-01-31 08:30", {"format": "yyyy-MM-dd HH:mm:ss"}),
        ("Item_Count", "1.0", {}),
        ("Item_Count", "1,000", {}),
        ("Total_Amount", "1,000.50", {}),
        ("Total_Amount", "1e3", {}),
        ("Is_Gift", "yes", {}),
        ("Status", "paid", {}),
        ("Customer_Email", "a@b", {}),
        ("Account", "nobody", {"find_by": "Legacy_Id", "module": "Accounts"}),
        ("Owner", "nobody@example.com", {"find_by": "email"}),
        ("Loyalty_Points", "1234567890123456789", {}),
    ],
)
def test_a_bad_cell_skips_its_row_and_no_other(crm: Client, field: str, cell: str, options: dict[str, str]) -> None:
    mappings = [{"api_name": "parent_id", "index": 0}, {"api_name": field, "index": 1, **options}]
    _, result = crm.bulk([["parent_id", field], ["A", cell], ["B", ""]], mappings)
    assert [row[2] for row in result] == ["skipped", "added"]
    assert result[0][4] == f"INVALID_DATA-{field}"


def test_a_cell_without_offset_is_in_the_orgs_zone(crm: Client) -> None:
    crm.emulator.admin.switch(time_zone="America/New_York")
    mappings = [
        {"api_name": "parent_id", "index": 0},
        {"api_name": "Ordered_At", "index": 1, "format": "MMM d, yyyy h:mm a"},
    ]
    crm.bulk([["k", "t"], ["A", "Jul 4, 2026 1:05 PM"]], mappings)
    assert crm.records()["A"]["Ordered_At"] == "2026-07-04T13:05:00-04:00"


def test_without_mappings_the_header_names_the_fields(crm: Client) -> None:
    crm.emulator.admin.put_records("Accounts", [{"Account_Name": "Acme", "Legacy_Id": "L-1"}])
    file_id = made(crm, [["parent_id", "Account.Legacy_Id"], ["A", "L-1"]])
    created = crm.create(file_id, [], resource={"field_mappings": None})
    crm.finished(created.json()["details"]["id"])
    assert crm.records()["A"]["Account"]["name"] == "Acme"


def test_defaults_fill_what_no_column_does(crm: Client) -> None:
    layout = crm.get("/crm/v8/settings/layouts?module=Orders").json()["layouts"][0]["id"]
    mappings = [
        {"api_name": "parent_id", "index": 0},
        {"api_name": "Channel", "default_value": {"value": "Shop"}},
        {"api_name": "Layout", "default_value": {"value": {"id": layout}}},
    ]
    crm.bulk([["parent_id"], ["A"]], mappings)
    assert crm.records()["A"]["Channel"] == "Shop"


def test_insert_skips_what_is_there_and_update_what_is_not(crm: Client) -> None:
    crm.upsert([{"parent_id": "A", "Country": "Peru"}])
    rows = [["parent_id", "Country"], ["A", "Chile"], ["B", "Chile"]]
    _, inserted = crm.bulk(rows, operation="insert")
    assert [row[2] for row in inserted] == ["skipped", "added"]
    assert inserted[0][4] == "DUPLICATE_DATA-parent_id"
    _, updated = crm.bulk([["parent_id", "Country"], ["A", "Fiji"], ["C", "Fiji"]], operation="update")
    assert [row[2] for row in updated] == ["updated", "skipped"]
    assert {key: record["Country"] for key, record in crm.records().items()} == {"A": "Fiji", "B": "Chile"}


def test_a_row_may_be_found_by_its_id(crm: Client) -> None:
    record = crm.upsert([{"parent_id": "A"}]).json()["data"][0]["details"]["id"]
    rows = [["id", "Country"], [record, "Peru"], ["4876876000000999999", "Peru"]]
    _, result = crm.bulk(rows, operation="update", resource={"find_by": "id"})
    assert [row[2] for row in result] == ["updated", "skipped"]
    assert crm.records()["A"]["Country"] == "Peru"


def test_a_key_twice_in_one_file_adds_then_updates(crm: Client) -> None:
    _, result = crm.bulk([["parent_id", "Country"], ["A", "Peru"], ["a", "Chile"]])
    assert [row[2] for row in result] == ["added", "updated"]
    assert crm.records()["a"]["Country"] == "Chile"


def test_another_unique_field_held_elsewhere_skips_the_row(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Customer_Email", unique=True)
    crm.upsert([{"parent_id": "A", "Customer_Email": "a@example.com"}])
    _, result = crm.bulk([["parent_id", "Customer_Email"], ["B", "A@example.com"]])
    assert result[0][2:] == ["skipped", "", "DUPLICATE_DATA-Customer_Email"]


def test_unknown_pick_list_values_join_an_open_list(crm: Client) -> None:
    crm.bulk([["parent_id", "Channel"], ["A", "Pigeon"]])
    fields = {f["api_name"]: f for f in crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]}
    assert fields["Channel"]["pick_list_values"][-1]["actual_value"] == "Pigeon"


@pytest.mark.parametrize(
    ("archive", "headers", "status", "code"),
    [
        (csv_zip([["a"]]), {"feature": ""}, 400, "MANDATORY_NOT_FOUND"),
        (csv_zip([["a"]]), {"X-CRM-ORG": ""}, 400, "MANDATORY_NOT_FOUND"),
        (csv_zip([["a"]]), {"feature": "bulk-read"}, 400, "NOT_SUPPORTED_FEATURE"),
        (csv_zip([["a"]]), {"X-CRM-ORG": "4876876000000000201"}, 400, "INVALID_DATA"),
        (b"parent_id\nA\n", {}, 400, "INVALID_FILE_FORMAT"),
        (b"x" * (25 * 1024 * 1024 + 1), {}, 413, "FILE_TOO_LARGE"),
    ],
)
def test_an_upload_is_checked(crm: Client, archive: bytes, headers: dict[str, str], status: int, code: str) -> None:
    answer = crm.upload(archive, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_upload_errors_have_the_gateways_form_when_switched(crm: Client) -> None:
    crm.emulator.admin.switch(upload_errors="gateway", file_too_large=400)
    answer = crm.upload(csv_zip([["a"]]), feature="").json()
    assert (answer["ERROR_MESSAGE"], "code" in answer) == ("Bad Request", False)
    assert crm.upload(b"x" * (25 * 1024 * 1024 + 1)).status_code == 400


CREATE_ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"operation": None}, "MISSING_REQUIRED_KEY"),
    ({"operation": "merge"}, "INVALID_DATA"),
    ({"resource": {"file_id": "1"}}, "INVALID_FILE_ID"),
    ({"resource": {"module": {"api_name": "Nothing"}}}, "MODULE_NOT_AVAILABLE"),
    ({"resource": {"find_by": None}}, "MANDATORY_NOT_FOUND"),
    ({"resource": {"find_by": "Country"}}, "INVALID_FIELD"),
    ({"resource": {"field_mappings": [{"api_name": "parent_id", "index": 9}]}}, "COLUMN_INDEX_NOT_FOUND"),
    ({"resource": {"field_mappings": [{"api_name": "parent_id"}]}}, "MISSING_REQUIRED_KEY"),
    ({"resource": {"field_mappings": [{"api_name": "No_Such", "index": 0}]}}, "INVALID_FIELD"),
    ({"resource": {"field_mappings": [{"api_name": "Created_Time", "index": 0}]}}, "INVALID_FIELD"),
    ({"resource": {"field_mappings": [{"api_name": "Country", "index": 1}]}}, "MANDATORY_FIELDS_NOT_MAPPED"),
    (
        {"resource": {"field_mappings": [{"api_name": "parent_id", "index": 0, "format": "QQQ"}]}},
        "INVALID_FORMAT",
    ),
    ({"resource": {"file_names": ["other.csv"]}}, "FILE_NOT_SUPPORTED"),
    ({"callback": {"url": "ftp://x", "method": "post"}}, "INVALID_CALLBACK_URL"),
    ({"callback": {"url": "http://127.0.0.1:1/", "method": "get"}}, "INVALID_CALLBACK_METHOD"),
    ({"character_encoding": "klingon"}, "INVALID_DATA"),
]


@pytest.mark.parametrize(("changes", "code"), CREATE_ERRORS)
def test_a_job_that_cannot_run_is_refused_at_creation(crm: Client, changes: dict[str, Any], code: str) -> None:
    file_id = made(crm, [["parent_id", "Country"], ["A", "Peru"]])
    answer = crm.create(file_id, ["parent_id", "Country"], **changes)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(("changes", "code"), [one for one in CREATE_ERRORS if "field_mappings" in str(one[0])])
def test_the_same_checks_can_fail_the_job_instead(crm: Client, changes: dict[str, Any], code: str) -> None:
    crm.emulator.admin.switch(bulk_checks_at="job")
    created = crm.create(made(crm, [["parent_id", "Country"], ["A", "Peru"]]), ["parent_id"], **changes)
    assert created.status_code == 201
    told = crm.finished(created.json()["details"]["id"])
    assert (told["status"], told["resource"][0]["code"], "result" in told) == ("FAILED", code, False)
    assert not crm.records()


def test_rows_columns_and_files_have_their_limits(crm: Client) -> None:
    many = made(crm, [["parent_id"], *([str(number)] for number in range(25_001))])
    assert crm.create(many, ["parent_id"]).json()["code"] == "LIMIT_EXCEEDED"
    wide = made(crm, [["parent_id", *(f"c{number}" for number in range(200))], ["A"]])
    assert crm.create(wide, ["parent_id"]).json()["code"] == "HEADER_LIMIT_EXCEEDED"
    two = io.BytesIO()
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("a.csv", "parent_id\nA\n")
        archive.writestr("b.csv", "parent_id\nA\n")
    file_id = crm.upload(two.getvalue()).json()["details"]["file_id"]
    assert crm.create(file_id, ["parent_id"]).json()["code"] == "FILE_NOT_SUPPORTED"
    crm.emulator.admin.switch(max_rows=10_000)
    fewer = made(crm, [["parent_id"], *([str(number)] for number in range(10_001))])
    assert crm.create(fewer, ["parent_id"]).json()["code"] == "LIMIT_EXCEEDED"


def test_other_encodings_are_read_when_named_and_text_that_is_none_fails(crm: Client) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("o.csv", "parent_id,Country\nA,Perú\n".encode("latin-1"))
    file_id = crm.upload(buffer.getvalue()).json()["details"]["file_id"]
    job = crm.create(file_id, ["parent_id", "Country"], character_encoding="ISO-8859-1").json()["details"]["id"]
    crm.finished(job)
    assert crm.records()["A"]["Country"] == "Perú"
    assert crm.create(file_id, ["parent_id", "Country"]).json()["code"] == "FILE_NOT_SUPPORTED"


def test_a_job_goes_through_its_states_by_the_clock(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.set_clock("manual")
    admin.settings(job_seconds=10)
    job = crm.create(made(crm, [["parent_id"], ["A"]]), ["parent_id"]).json()["details"]["id"]
    told = crm.job(job)
    assert (told["status"], "file" in told["resource"][0], "result" in told) == ("ADDED", False, False)
    admin.advance_clock(5)
    assert crm.job(job)["status"] == "INPROGRESS"
    assert not crm.records()
    admin.switch(job_status_word="IN PROGRESS", job_counts="present")
    told = crm.job(job)
    assert (told["status"], told["resource"][0]["file"]["total_count"]) == ("IN PROGRESS", 0)
    admin.advance_clock(5)
    assert crm.finished(job)["status"] == "COMPLETED"
    (noted,) = admin.jobs()
    assert (noted["due"] - noted["created"], noted["ended"]) == (10_000, noted["due"])
    admin.switch(job_counts="missing")
    assert "file" not in crm.job(job)["resource"][0]


def test_a_result_lies_at_any_of_its_addresses_and_is_gone_after_seven_days(crm: Client) -> None:
    job, result = crm.bulk([["parent_id"], ["A"]])
    for shape in ("absolute", "double_slash", "relative"):
        crm.emulator.admin.switch(download_url=shape)
        told = crm.job(job["id"])
        assert crm.result(told)[1:] == result, told["result"]
    address = told["result"]["download_url"]
    assert crm.session.get(crm.base + address, headers={"Authorization": ""}, timeout=120).status_code == 401
    assert "attachment" in crm.get(address).headers["Content-Disposition"]
    crm.emulator.admin.advance_clock(7 * 86400 + 1)
    gone = Client(crm.emulator).get(address)
    assert (gone.status_code, gone.json()["x-info"]) == (400, "Link not valid")


def test_an_unknown_job_is_told_either_way(crm: Client) -> None:
    for status in (400, 404):
        crm.emulator.admin.switch(job_not_found=status)
        answer = crm.get("/crm/bulk/v8/write/4876876000000999999")
        assert (answer.status_code, answer.json()["code"]) == (status, "RESOURCE_NOT_FOUND")


def test_a_job_that_skipped_everything_may_say_so(crm: Client) -> None:
    rows = [["parent_id", "Status"], ["A", "Gone"]]
    assert crm.bulk(rows)[0]["status"] == "COMPLETED"
    crm.emulator.admin.switch(all_rows_skipped="SKIPPED")
    assert crm.bulk(rows)[0]["status"] == "SKIPPED"


def test_other_calls_are_answered_while_a_full_job_is_done(crm: Client) -> None:
    rows = [[f"K-{n}", f"Customer {n}", "New", "2026-01-31", f"{n}.25", "Web"] for n in range(25_000)]
    header = ["parent_id", "Customer_Name", "Status", "Order_Date", "Total_Amount", "Channel"]
    file_id = made(crm, [header, *rows])
    job = crm.create(file_id, header).json()["details"]["id"]
    answered = 0
    while (told := crm.job(job))["status"] not in {"COMPLETED", "FAILED"}:
        assert crm.get("/crm/v8/org").status_code == 200
        answered += 1
    assert answered > 2  # each but the last one's answer came before the job's end
    assert told["resource"][0]["file"]["added_count"] == 25_000
    ids = {row[4] for row in crm.result(told)[1:]}
    assert len(ids) == 25_000
    held = crm.records()
    assert len(held) == 25_000
    assert str(held["K-24999"]["Total_Amount"]) == "24999.25"


def test_csv_written_by_anybody_is_read(crm: Client) -> None:
    text = '\ufeff"parent_id","Notes"\r\n"A","say ""hi"", ok"\r\n\r\nB,short\r\nC\r\n'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("o.csv", text.encode())
    file_id = crm.upload(buffer.getvalue()).json()["details"]["file_id"]
    job = crm.create(file_id, ["parent_id", "Notes"]).json()["details"]["id"]
    told = crm.finished(job)
    assert [row[0] for row in crm.result(told)[1:]] == ["A", "B", "C"]
    held = crm.records()
    assert (held["A"]["Notes"], held["B"]["Notes"], held["C"]["Notes"]) == ('say "hi", ok', "short", None)
    assert list(csv.reader(io.StringIO(text)))


def test_whether_a_job_finds_records_by_unique_fields_that_it_does_not_name(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Customer_Email", unique=True)
    head = ["parent_id", "Customer_Email"]
    ((_, _, added, one, _),) = crm.bulk([head, ["A", "a@example.com"]])[1]
    assert added == "added"
    ((*_, skipped, _, errors),) = crm.bulk([head, ["B", "a@example.com"]])[1]
    assert (skipped, errors) == ("skipped", "DUPLICATE_DATA-Customer_Email")
    crm.emulator.admin.switch(bulk_duplicate_checks="all")
    ((_, _, updated, two, _),) = crm.bulk([head, ["B", "a@example.com"]])[1]
    assert (updated, two) == ("updated", one)
    assert set(crm.records()) == {"B"}
