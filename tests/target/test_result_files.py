from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_zoho_crm.api.codes import Family
from target_zoho_crm.api.errors import AnswerError
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.writing import result_files
from target_zoho_crm.writing.result_files import job_outcomes

HEADER = ("parent_id", "Subject", "Status", "STATUS", "RECORD_ID", "ERRORS")


def zipped(rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER, name: str = "r.csv") -> io.BytesIO:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text.getvalue())
    return file


def row(key: str, status: str, zoho_id: str = "", errors: str = "") -> tuple[str, ...]:
    return key, "Subject, with comma", "open", status, zoho_id, errors


def by_key(rows: Iterable[Sequence[str]], *keys: str) -> dict[str, Outcome]:
    manifest = {key: f"version of {key}" for key in keys}
    made = job_outcomes(zipped(rows), manifest)
    assert [each.key for each in made] == list(keys)
    assert [each.version for each in made] == list(manifest.values())
    return {each.key: each for each in made}


def test_rows_are_told_apart_by_their_key_and_never_by_their_place() -> None:
    rows = [
        row("D", "unprocessed"),
        row("C", "Skipped", "", "INVALID_DATA-Status,Subject"),
        row("B", "UPDATED", "22"),
        row("A", "Added", "11"),
    ]
    made = by_key(rows, "A", "B", "C", "D", "E")
    assert (made["A"].status, made["A"].zoho_id, made["A"].action) == (Status.SYNCED, "11", "insert")
    assert (made["B"].status, made["B"].zoho_id, made["B"].action) == (Status.SYNCED, "22", "update")
    assert (made["C"].code, made["C"].field, made["C"].family) == ("INVALID_DATA", "Status,Subject", Family.DATA)
    assert (made["D"].status, made["D"].code, made["D"].family) == (
        Status.REJECTED,
        "UNPROCESSED",
        Family.TRANSIENT,
    )
    assert (made["E"].status, made["E"].code, made["E"].family) == (
        Status.REJECTED,
        "NOT_IN_RESULT",
        Family.TRANSIENT,
    )


@pytest.mark.parametrize("refused", [False, True])
def test_a_key_may_take_two_columns(refused: bool) -> None:  # noqa: FBT001
    rows = [("1", "8", "added", "11", ""), ("1", "9", "updated", "12", ""), ("2", "8", "added", "13", "")]
    if refused:
        rows[1] = ("1", "9", "skipped", "", "INVALID_DATA-Partners")
    file = zipped(rows, ("Parent_Id", "Partners", "STATUS", "RECORD_ID", "ERRORS"))
    manifest = dict.fromkeys(("2|8", "1|9", "1|8", "2|9"), "v")
    made = {each.key: each for each in job_outcomes(file, manifest, key_columns=2)}
    assert [made[key].zoho_id for key in manifest] == ["13", None if refused else "12", "11", None]
    assert made["1|9"].code == ("INVALID_DATA" if refused else None)
    assert made["2|9"].code == "NOT_IN_RESULT"


@pytest.mark.parametrize(
    ("errors", "code", "field", "family"),
    [
        ("MANDATORY_NOT_FOUND-Name", "MANDATORY_NOT_FOUND", "Name", Family.DATA),
        ("INVALID_DATA-A,B:INVALID_DATA-C", "INVALID_DATA", "A,B,C", Family.DATA),
        ("INVALID_DATA-A:DUPLICATE_DATA-B", "MULTIPLE_OR_MULTI_ERRORS", "A,B", Family.DATA),
        ("RECORD_LOCKED", "RECORD_LOCKED", None, Family.TRANSIENT),
        ("RECORD_LOCKED:INVALID_DATA-A", "MULTIPLE_OR_MULTI_ERRORS", "A", Family.DATA),
        ("", "SKIPPED", None, Family.DATA),
    ],
)
def test_the_errors_column_gives_code_and_fields(errors: str, code: str, field: str | None, family: Family) -> None:
    made = by_key([row("A", "skipped", "", errors)], "A")["A"]
    assert (made.status, made.code, made.field, made.family) == (Status.REJECTED, code, field, family)


@pytest.mark.parametrize(("status", "zoho_id"), [("added", ""), ("updated", "x"), ("", "11"), ("done", "11")])
def test_a_row_that_is_not_beyond_doubt_is_no_success(status: str, zoho_id: str) -> None:
    made = by_key([row("A", status, zoho_id)], "A")["A"]
    assert (made.status, made.family) == (Status.REJECTED, Family.TRANSIENT)


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        (row("A", "added", "1"), row("A", "skipped", "", "DUPLICATE_DATA-parent_id"), "DUPLICATE_DATA"),
        (row("A", "unprocessed"), row("A", "added", "1"), "UNPROCESSED"),
        (row("A", "unprocessed"), row("A", "skipped", "", "INVALID_DATA-B"), "INVALID_DATA"),
        (row("A", "added", "1"), row("A", "added", "2"), "CONFLICTING_RESULT"),
    ],
)
def test_a_key_named_twice_is_no_success_unless_both_rows_agree(
    one: tuple[str, ...], other: tuple[str, ...], code: str
) -> None:
    for rows in ([one, other], [other, one]):
        made = by_key(rows, "A")["A"]
        assert (made.status, made.code) == (Status.REJECTED, code)
    assert by_key([row("A", "added", "1")] * 2, "A")["A"].status is Status.SYNCED


def test_a_key_that_comes_back_folded_is_found_only_if_it_can_mean_one_alone() -> None:
    made = by_key([row(" ord-1", "added", "1"), row("X1", "added", "2")], "ORD-1", "x1", "x1 ")
    assert made["ORD-1"].status is Status.SYNCED
    assert {made["x1"].code, made["x1 "].code} == {"NOT_IN_RESULT"}
    exact = by_key([row("a", "unprocessed"), row("A", "added", "1")], "a")["a"]
    assert exact.code == "UNPROCESSED"


def test_keys_that_were_not_sent_are_ignored_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    made = by_key([row("A", "added", "1"), row("Z", "added", "2")], "A")
    assert made["A"].status is Status.SYNCED
    assert "1 row" in caplog.text


def test_a_field_called_status_is_not_taken_for_the_status() -> None:
    header = ("parent_id", "STATUS", "Subject", "STATUS", "RECORD_ID", "ERRORS")
    made = job_outcomes(zipped([("A", "added", "s", "skipped", "", "INVALID_DATA-B")], header), {"A": "1"})
    assert made[0].status is Status.REJECTED


def test_a_byte_order_mark_and_path_names_do_no_harm(tmp_path: Path) -> None:
    file = zipped([row("A", "added", "1")], ("\ufeffparent_id", *HEADER[1:]), "../../escape.csv")
    path = tmp_path / "result.zip"
    path.write_bytes(file.getvalue())
    assert job_outcomes(path, {"A": "1"})[0].status is Status.SYNCED
    assert list(tmp_path.iterdir()) == [path]


@settings(deadline=None)
@given(st.integers(0, 100))
def test_a_truncated_zip_is_believed_in_nothing(percent: int) -> None:
    whole = zipped([row(f"K{n}", "added", str(n)) for n in range(50)]).getvalue()
    cut = whole[: min(len(whole) * percent // 100, len(whole) - 1)]
    with pytest.raises(AnswerError):
        job_outcomes(io.BytesIO(cut), {"K1": "1"})


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_zip_never_gives_a_success_that_was_not_in_it(at: int, flip: int) -> None:
    content = bytearray(zipped([row(f"K{n}", "skipped", "", "INVALID_DATA-A") for n in range(50)]).getvalue())
    content[at % len(content)] ^= flip
    try:
        made = job_outcomes(io.BytesIO(bytes(content)), {"K1": "1"})
    except AnswerError:
        return
    assert made[0].status is Status.REJECTED


def test_bombs_and_crowds_of_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_files, "CSV_BYTES_MOST", 1_000_000)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("r.csv", b"\0" * 1_000_001)
    crowd = io.BytesIO()
    with zipfile.ZipFile(crowd, "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    for file in (bomb, crowd, io.BytesIO(b""), io.BytesIO(b"<html>"), zipped([("A",)]), zipped([], ("a", "b"))):
        with pytest.raises(AnswerError):
            job_outcomes(file, {"A": "1"})


def test_a_row_shifted_by_a_comma_without_quotes_is_no_success() -> None:
    """`A,x,added,55` in place of `A,"x,added,55"`: the status then stands where no status is."""
    shifted = ("A", "x", "open", "added", "55", "skipped", "", "INVALID_DATA-B")
    assert by_key([shifted], "A")["A"].status is Status.REJECTED
    assert by_key([(*row("A", "added", "1"), "", "")], "A")["A"].status is Status.SYNCED
    refusal = by_key([(*row("A", "skipped", "", "INVALID_DATA-B"), "C")], "A")["A"]
    assert (refusal.code, refusal.field) == ("INVALID_DATA", "B")


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_without_its_last_cell_makes_the_file_unreadable(count: int) -> None:
    with pytest.raises(AnswerError, match="cut short"):
        job_outcomes(zipped([row(f"K{n}", "added", "1")[:-1] for n in range(count)]), {"K0": "1"})


@pytest.mark.parametrize("zoho_id", ["²", "١٢٣", "1" * 33])
def test_an_id_that_is_none_of_zohos_is_no_success(zoho_id: str) -> None:
    assert by_key([row("A", "added", zoho_id)], "A")["A"].code == "UNCLEAR_ANSWER"
    both = by_key([row("A", "added", zoho_id), row("B", "added", "1")], "A", "B")
    assert [each.status for each in both.values()] == [Status.REJECTED, Status.SYNCED]


def test_what_grows_far_more_than_a_result_does_is_not_unpacked() -> None:
    bomb = zipped([row("A", "added", "1"), *[("A" * 1000,) * 6] * 2000])
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(AnswerError, match="200 times"):
        job_outcomes(bomb, {"A": "1"})


@pytest.mark.parametrize(("mebibytes", "why"), [(256, "200 times"), (257, "268,435,456 bytes")])
def test_a_result_is_read_up_to_256_mebibytes_however_well_it_is_packed(mebibytes: int, why: str) -> None:
    """Which limit a stated size meets first says where the other one lies; nothing of that size is made."""
    content = zipped([row(f"K{n}", "added", "1") for n in range(1000)]).getvalue()
    (entry,) = zipfile.ZipFile(io.BytesIO(content)).infolist()
    size = mebibytes * 1024 * 1024
    stated = content.replace(entry.file_size.to_bytes(4, "little"), size.to_bytes(4, "little"))
    with pytest.raises(AnswerError, match=why):
        job_outcomes(io.BytesIO(stated), {"K1": "1"})


def test_a_size_that_the_zip_states_too_small_is_all_that_is_read() -> None:
    content = zipped([row(f"K{n}", "added", "1") for n in range(1000)]).getvalue()
    (entry,) = zipfile.ZipFile(io.BytesIO(content)).infolist()
    lying = content.replace(entry.file_size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lying != content
    with pytest.raises(AnswerError):
        job_outcomes(io.BytesIO(lying), {"K1": "1"})


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_take_memory_by_the_files_leave_are_refused(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("r.csv", ",".join(HEADER))
    with pytest.raises(AnswerError, match="another method"):
        job_outcomes(file, {"A": "1"})


def test_a_flood_of_keys_that_were_not_sent_is_not_kept() -> None:
    with pytest.raises(AnswerError, match="far more rows"):
        job_outcomes(zipped(row(f"X{n}", "added", str(n)) for n in range(1100)), {"A": "1"})
    assert by_key((row(f"X{n}", "added", str(n)) for n in range(900)), "A")["A"].code == "NOT_IN_RESULT"


def test_an_entry_without_a_name_is_read_or_refused() -> None:
    file = zipped([row("A", "added", "1")], name="x").getvalue()
    at = file.index(b"PK\x01\x02")
    name_length, name = slice(at + 28, at + 30), slice(at + 46, at + 47)
    patched = bytearray(file)
    patched[name_length] = b"\0\0"
    del patched[name]
    end = patched.index(b"PK\x05\x06")
    size = int.from_bytes(patched[end + 12 : end + 16], "little") - 1
    patched[end + 12 : end + 16] = size.to_bytes(4, "little")
    with pytest.raises(AnswerError):
        job_outcomes(io.BytesIO(bytes(patched)), {"A": "1"})


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("some_quoted", [False, True])
def test_a_long_result_reads_the_same_in_blocks_whatever_stands_between_its_quotes(
    line_end: str, *, some_quoted: bool
) -> None:
    keys = [f"K{n:05}" for n in range(9_000)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(HEADER)
    for n, key in enumerate(keys):
        refused_row = some_quoted and n % 1_700 == 5
        said = f"a{line_end}b,c\n{key},x,y,added,{n}," if some_quoted and n % 900 == 7 else "plain"
        writer.writerow([key, said, "", "skipped" if refused_row else "added", n + 1, "INVALID_DATA-A,B" * refused_row])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("r.csv", text.getvalue())
    made = job_outcomes(file, {key: f"v{key}" for key in reversed(keys)})
    assert [each.key for each in made] == keys[::-1]
    for n, each in enumerate(reversed(made)):
        if some_quoted and n % 1_700 == 5:
            assert (each.status, each.code, each.field) == (Status.REJECTED, "INVALID_DATA", "A,B")
        else:
            assert (each.status, each.zoho_id, each.version) == (Status.SYNCED, str(n + 1), f"v{each.key}")


def test_a_row_cut_short_is_not_mended_by_a_long_one_behind_it() -> None:
    rows = "\r\n".join([",".join(HEADER), "A,s,o,added,1", "B,s,a,b,added,7,", ""])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("r.csv", rows)
    with pytest.raises(AnswerError):
        job_outcomes(file, {"A": "1", "B": "1", "s": "1"})


def test_25000_rows_are_read_in_a_moment() -> None:
    file = zipped(row(f"ORD-{n:08}", "added", str(5725767000000000000 + n)) for n in range(25_000))
    manifest = {f"ORD-{n:08}": "2024-01-01 00:00:00" for n in range(25_000)}
    seconds = []
    for _ in range(5):
        start = time.process_time()
        made = job_outcomes(file, manifest)
        seconds.append(time.process_time() - start)
    assert sum(each.status is Status.SYNCED for each in made) == 25_000
    print(f"25,000 rows in {min(seconds):.3f} s at best")  # noqa: T201
    assert min(seconds) < 1.5, "far above a quiet machine's 0.13"
