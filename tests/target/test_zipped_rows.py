"""What a job's result says of the rows in the zip of their records: nothing is believed that it leaves out."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from target_zoho_crm.batch import Channel
from target_zoho_crm.writing.result_files import job_outcomes
from target_zoho_crm.writing.routing import ChildRows, ChildRowsPer, LineCounts, Routing, plan
from target_zoho_crm.writing.zipped_rows import row_failures

RECORDS = "Legacy_No,Subject,Status,STATUS,RECORD_ID,ERRORS\nA,a,,added,11,\nB,b,,added,12,\n"
ROWS = ("1,A,p,added,21,", "2,A,p,added,22,", "3,B,p,added,23,")
HEADER = "Line_Id,Parent_Id,Product_Name,STATUS,RECORD_ID,ERRORS"


def result(folder: Path, rows: Sequence[str] | None) -> Path:
    path = folder / "result.zip"
    with zipfile.ZipFile(path, "w") as archive:
        if rows is not None:
            archive.writestr("a.csv", "\n".join([HEADER, *rows, ""]))
        archive.writestr("b.csv", RECORDS)
    return path


def failed(folder: Path, rows: Sequence[str] | None) -> dict[str, str]:
    found = row_failures(result(folder, rows), ["A", "B"], 3)
    return {record: failures[0].text for record, failures in found.items()}


def test_the_records_are_found_beside_their_rows(tmp_path: Path) -> None:
    found = job_outcomes(result(tmp_path, ROWS), {"A": "1", "B": "2"}, with_rows=True)
    assert [(each.key, each.zoho_id) for each in found] == [("A", "11"), ("B", "12")]


def test_records_are_found_whose_own_key_is_called_as_the_field_of_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "result.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", RECORDS.replace("Legacy_No", "Parent_Id"))
        archive.writestr("b.csv", "\n".join([HEADER, *ROWS, ""]))
    found = job_outcomes(path, {"A": "1", "B": "2"}, with_rows=True)
    assert [(each.key, each.zoho_id) for each in found] == [("A", "11"), ("B", "12")]
    assert row_failures(path, ["A", "B"], 3) == {}


def test_rows_that_are_all_written_are_no_failure(tmp_path: Path) -> None:
    assert failed(tmp_path, ROWS) == {}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("3,B,p,skipped,,INVALID_DATA-Quantity", "line '3': INVALID_DATA"),
        ("3,B,p,unprocessed,,", "line '3': UNPROCESSED"),
        ("3,B,p,added,,", "line '3': neither a clear success nor an error"),
    ],
)
def test_a_row_that_is_not_written_is_a_failure_of_its_record(tmp_path: Path, row: str, said: str) -> None:
    assert failed(tmp_path, [*ROWS[:2], row]) == {"B": said}


@pytest.mark.parametrize(
    "rows", [None, ROWS[:2], [*ROWS, "4,B,p,added,24,"], [*ROWS[:2], "3,B,p"]], ids=["none", "less", "more", "cut"]
)
def test_nobody_knows_of_rows_that_a_result_does_not_name_whole(tmp_path: Path, rows: Sequence[str] | None) -> None:
    assert {*failed(tmp_path, rows)} == {"A", "B"}


def test_a_record_that_no_row_names_is_not_written_whole(tmp_path: Path) -> None:
    assert {*failed(tmp_path, [*ROWS[:2], "3,A,p,added,23,"])} == {"B"}


def test_a_job_takes_as_many_records_as_their_rows_leave_room_for() -> None:
    routing = Routing(Channel.BULK_WRITE, 100, child_rows=ChildRows(200, ChildRowsPer.PARENT))
    found = plan(30, routing, lines=LineCounts([10] * 30, in_subform=True, with_orders=True))
    assert (found.job_sizes, found.credits) == ((10, 10, 10), 1_500)


@pytest.mark.parametrize(("lines", "jobs"), [(5, (5_000,)), (6, ())])
def test_jobs_pay_for_five_thousand_records_with_five_rows(lines: int, jobs: tuple[int, ...]) -> None:
    routing = Routing(Channel.AUTO, 25_000, child_rows=ChildRows(200, ChildRowsPer.PARENT))
    found = plan(5_000, routing, lines=LineCounts([lines] * 5_000, in_subform=True, with_orders=True))
    assert (found.job_sizes, found.credits) == (jobs, 500)
