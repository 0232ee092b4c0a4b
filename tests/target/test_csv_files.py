from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Iterator
from datetime import timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_zoho_crm.api.costs import JOB_ZIP_BYTES
from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.mapping.field_mapping import FieldMapping, compile_mapping
from target_zoho_crm.writing.csv_files import CsvFile, job_body, write_bulk_zip
from target_zoho_crm.writing.upsert_body import upsert_body

SCHEMA: dict[str, Any] = {
    "Subject": {"type": "string"},
    "Total": {"type": "number"},
    "Ordered": {"type": "string", "format": "date-time"},
    "Paid": {"type": "boolean"},
}
TYPES = {"Subject": "text", "Total": "currency", "Ordered": "datetime", "Paid": "boolean"}
GOOD = ("A chair", Decimal("12.50"), "2024-07-01T10:20:30Z", True)


def mapping(types: dict[str, str] = TYPES, schema: dict[str, Any] = SCHEMA, key_type: str = "text") -> FieldMapping:
    fields = {name: Field(name, data_type) for name, data_type in types.items()}
    fields["parent_id"] = Field("parent_id", key_type, unique=True)
    return compile_mapping(
        schema,
        ModuleFields("Orders", fields),
        key_field="parent_id",
        key_properties=["id"],
        settings={},
        timezone=timezone.utc,
    )


def read(file: CsvFile) -> list[list[str]]:
    with zipfile.ZipFile(file.path) as archive:
        (name,) = archive.namelist()
        text = archive.read(name).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_the_key_stands_in_column_0_and_each_value_in_its_own(tmp_path: Path) -> None:
    file = write_bulk_zip(tmp_path / "f.zip", mapping(), ["K1", "K2"], iter([GOOD, (None, None, None, None)]))
    assert read(file) == [
        ["parent_id", "Subject", "Total", "Ordered", "Paid"],
        ["K1", "A chair", "12.50", "2024-07-01T10:20:30+00:00", "true"],
        ["K2", "", "", "", ""],
    ]
    assert (file.rows, file.refusals, file.bytes) == (2, {}, (tmp_path / "f.zip").stat().st_size)


def test_a_refused_value_sets_its_own_row_aside_and_no_other(tmp_path: Path) -> None:
    keys = [f"K{n}" for n in range(2_500)]
    rows = [list(GOOD) for _ in keys]
    rows[1_200][1] = "much"  # type: ignore[call-overload]
    rows[2_400][2] = 7  # type: ignore[call-overload]
    rows[5][0] = "half\0text"  # type: ignore[call-overload]
    rows[6][0] = "half a pair \ud800"  # type: ignore[call-overload]
    file = write_bulk_zip(tmp_path / "f.zip", mapping(), keys, rows)
    assert {key: (each.code, each.field) for key, each in file.refusals.items()} == {
        "K5": ("INVALID_DATA", "Subject"),
        "K6": ("INVALID_DATA", "Subject"),
        "K1200": ("INVALID_DATA", "Total"),
        "K2400": ("INVALID_DATA", "Ordered"),
    }
    assert not any("much" in each.message for each in file.refusals.values())
    assert [row[0] for row in read(file)[1:]] == [key for key in keys if key not in file.refusals]
    assert file.rows == 2_496


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        ),
        max_size=20,
    )
)
def test_quotes_commas_and_every_kind_of_line_end_come_through_whole(pairs: list[tuple[str, str]]) -> None:
    made = mapping({"Subject": "text"}, {"Subject": {"type": "string"}})
    pairs.append(('"quoted", \r\n', "\r\n\n\r,\"'\t\x01\x1f\u2028\ufeff"))
    path = Path(f"/dev/shm/{id(pairs)}.zip") if Path("/dev/shm").is_dir() else Path(f"{id(pairs)}.zip")  # noqa: S108
    try:
        file = write_bulk_zip(path, made, [key for key, _ in pairs], [(text,) for _, text in pairs])
        assert [tuple(row) for row in read(file)[1:]] == pairs
    finally:
        path.unlink(missing_ok=True)


def test_keys_without_rows_and_rows_without_keys_are_a_fault_of_the_program(tmp_path: Path) -> None:
    for keys, rows in ((["A", "B"], [GOOD]), (["A"], [GOOD, GOOD]), (["A"], [GOOD[:3]])):
        with pytest.raises((ValueError, IndexError)):
            write_bulk_zip(tmp_path / "f.zip", mapping(), keys, rows)


def test_a_file_that_zoho_would_not_take_says_so(tmp_path: Path) -> None:
    assert CsvFile(tmp_path, 1, JOB_ZIP_BYTES, {}).fits
    assert not CsvFile(tmp_path, 1, JOB_ZIP_BYTES + 1, {}).fits


def test_equal_rows_give_equal_files(tmp_path: Path) -> None:
    one = write_bulk_zip(tmp_path / "1.zip", mapping(), ["K"], [GOOD]).path.read_bytes()
    assert one == write_bulk_zip(tmp_path / "2.zip", mapping(), ["K"], [GOOD]).path.read_bytes()


def test_the_job_names_every_column_by_index_with_its_format_and_the_key_to_find_by() -> None:
    body = json.loads(job_body("Orders", "3477061000006121001", mapping()))
    (resource,) = body["resource"]
    assert resource["field_mappings"] == [
        {"api_name": "parent_id", "index": 0},
        {"api_name": "Subject", "index": 1},
        {"api_name": "Total", "index": 2},
        {"api_name": "Ordered", "index": 3, "format": "yyyy-MM-dd'T'HH:mm:ssXXX"},
        {"api_name": "Paid", "index": 4},
    ]
    assert (body["operation"], resource["find_by"]) == ("upsert", "parent_id")
    assert body["ignore_empty"] is resource["ignore_empty"] is False
    assert resource["module"] == {"api_name": "Orders"}


def test_an_upsert_always_names_the_key_to_check_and_keeps_every_digit() -> None:
    row = ("A chair", Decimal("1234567890123456.123456789"), "2024-07-01T10:20:30Z", False)
    body, refusals = upsert_body(mapping(), ["K1", "K2"], [row, ("", None, None, None)], {"trigger": []})
    assert refusals == {}
    assert b'"Total":1234567890123456.123456789' in body
    sent = json.loads(body)
    assert sent["duplicate_check_fields"] == ["parent_id"]
    assert sent["trigger"] == []
    assert sent["data"][1] == {"parent_id": "K2", "Subject": None, "Total": None, "Ordered": None, "Paid": None}
    assert "trigger" not in json.loads(upsert_body(mapping(), ["K1"], [row])[0])


def test_refused_records_are_not_in_the_body_and_the_others_are() -> None:
    rows: list[tuple[Any, ...]] = [
        GOOD,
        ("x", "much", None, None),
        ("a\0b", None, None, None),
        ("\\u0000", None, None, None),
    ]
    body, refusals = upsert_body(mapping(), ["A", "B", "C", "D"], rows)
    assert [each["parent_id"] for each in json.loads(body)["data"]] == ["A", "D"]
    assert {key: each.field for key, each in refusals.items()} == {"B": "Total", "C": "Subject"}


@pytest.mark.parametrize("bad", ["a\0b", "half a pair \ud800"])
def test_text_that_no_channel_carries_whole_is_refused_even_where_all_else_is_right(tmp_path: Path, bad: str) -> None:
    rows = [GOOD, (bad, *GOOD[1:])]
    body, by_upsert = upsert_body(mapping(), ["A", "B"], rows)
    file = write_bulk_zip(tmp_path / "f.zip", mapping(), ["A", "B"], rows)
    assert [each["parent_id"] for each in json.loads(body)["data"]] == ["A"]
    assert [each[0] for each in read(file)[1:]] == ["A"]
    for refusals in (by_upsert, file.refusals):
        assert {key: (each.code, each.field) for key, each in refusals.items()} == {"B": ("INVALID_DATA", "Subject")}
    assert write_bulk_zip(tmp_path / "f.zip", mapping(), [bad], [GOOD]).refusals.keys() == {bad}
    assert upsert_body(mapping(), [bad], [GOOD])[1].keys() == {bad}


@pytest.mark.parametrize("neighbour", ["well", "a\0b"])
def test_what_is_wrong_with_a_record_does_not_depend_on_its_neighbours(tmp_path: Path, neighbour: str) -> None:
    rows = [("NUL \0 inside", "no number", None, True), (neighbour, 1, None, True)]
    _, by_call = upsert_body(mapping(), ["bad", "other"], rows)
    by_job = write_bulk_zip(tmp_path / "f.zip", mapping(), ["bad", "other"], iter(rows)).refusals
    assert {refusals["bad"].field for refusals in (by_call, by_job)} == {"Subject,Total"}
    assert ("other" in by_call, "other" in by_job) == (("\0" in neighbour,) * 2)


def test_a_row_of_12_columns_takes_microseconds_also_where_every_thousandth_is_refused(tmp_path: Path) -> None:
    kinds = ["text"] * 6 + ["datetime"] * 2 + ["currency"] * 2 + ["integer", "boolean"]
    json_types = ["string"] * 8 + ["number"] * 2 + ["integer", "boolean"]
    made = mapping(
        {f"C{n}": kind for n, kind in enumerate(kinds)}, {f"C{n}": {"type": kind} for n, kind in enumerate(json_types)}
    )
    count = 25_000

    def rows(bad_every: int) -> Iterator[tuple[Any, ...]]:
        for n in range(count):
            total = Decimal(n) / 100 if n % bad_every else Decimal("NaN")
            moment = f"2024-07-01T10:20:{n % 60:02}+00:00"
            texts = (f"Order {n}", f"customer{n}@example.org", "open", "Berlin", f"{n:05}", "a note, quoted")
            yield (*texts, moment, moment, total, Decimal("19.99"), n, n % 2 == 0)

    keys = [f"ORD-{n:08}" for n in range(count)]
    for bad_every in (count * 2, 1_000):
        ready = list(rows(bad_every))
        seconds = []
        for _ in range(3):
            start = time.process_time()
            write_bulk_zip(tmp_path / "f.zip", made, keys, ready)
            seconds.append(time.process_time() - start)
        each = min(seconds) / count * 1e6
        print(f"one bad row in {bad_every:,}: {each:.1f} us a row, zip {(tmp_path / 'f.zip').stat().st_size:,}")  # noqa: T201
        assert each < 160, "far above a quiet machine's 8 and 17"
