"""Result files of bulk write jobs: a zip with a CSV, whole or damaged."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence

from fuzz.choices import Choices
from fuzz.zoho_answers import assert_one_line

from target_zoho_crm.api.errors import AnswerError
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.writing.result_files import job_outcomes

KEYS = ("K1", "k1", " K1", "K2", "SO-10", "so-10", "1", "01", "straße", "STRASSE", "a,b", 'q"q', "x\ny", "é", "=1+1")
STATUSES = (
    "added", "updated", "Added", " UPDATED ", "skipped", "unprocessed", "", "success", "add ed", "added\0", "SKIPPED",
    "adde\u0501",
)  # fmt: skip
IDS = ("5725767000000524157", "1", "", " 77 ", "12a", "²", "١٢", "-5", "+5", "1" * 33, "1" * 5000, "1.0", "0")
ERRORS = ("", "INVALID_DATA-Status", "INVALID_DATA-A,B:DUPLICATE_DATA-parent_id", "RECORD_LOCKED", ":", "-", "x\ny-z")


def run_one(data: bytes) -> None:
    choices = Choices(data)
    manifest = {key: f"v{n}" for n, key in enumerate(dict.fromkeys(choices.pick(KEYS) for _ in range(4)))}
    shape = choices.number(9)
    if shape == 0:
        _believes_nothing_or_names_all(choices.rest(), manifest)
    elif shape == 1:
        text = choices.rest()
        _believes_only_what_is_there(text.decode("utf-8", "replace"), _zipped(choices, text), manifest)
    else:
        _reads_what_was_written(choices, manifest)


def _reads_what_was_written(choices: Choices, manifest: Mapping[str, str]) -> None:
    header, rows = _table(choices, manifest)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    content = text.getvalue().encode()
    if choices.one_in(4):
        content = b"\xef\xbb\xbf" + content
    whole = not choices.one_in(4)
    expected = _expected(header, rows, manifest)
    parents = {"Account": ("Accounts", "Account_Name")} if choices.one_in(3) else None
    file = _zipped(choices, content)
    if not whole:
        file = choices.damaged(file)
    refusal = None
    try:
        outcomes = job_outcomes(io.BytesIO(file), manifest, parents)
    except AnswerError as error:
        refusal = str(error)
    if refusal is not None:
        assert_one_line(refusal)
        assert not whole or expected is None or "\0" in text.getvalue(), f"a good file is refused: {refusal}"
        return
    _are_well_formed(outcomes, manifest)
    assert expected is not None or not whole, "a file is believed that cannot be read whole"
    synced = {each.key: each.zoho_id for each in outcomes if each.status is Status.SYNCED}
    assert synced == expected, f"{synced} were called synced, the file says {expected}"


def _table(choices: Choices, manifest: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    ends = ["STATUS", "RECORD_ID", "ERRORS"]
    if choices.one_in(8):
        ends = [choices.pick(("status", " Status ", "RECORD_ID", "ERRORS", "Errors", "X")) for _ in range(3)]
    header = ["parent_id", *("Subject", "STATUS", "Account")[: choices.number(3)], *ends]
    keys = [*manifest, *KEYS]
    rows = []
    for _ in range(choices.number(6)):
        key = choices.pick(keys) if not choices.one_in(16) else choices.text(5)
        cells = [key, *(choices.text(4) for _ in header[1:-3])]
        cells += [choices.pick(STATUSES), choices.pick(IDS), choices.pick(ERRORS)]
        if choices.one_in(16):
            del cells[choices.number(len(cells) - 1) :]
        if choices.one_in(12):
            cells += [choices.pick(("", "", "added", "5", "skipped")) for _ in range(1 + choices.number(2))]
        if choices.one_in(12):
            cells[1:1] = ["added", "55"]
        rows.append(cells)
    return header, rows


def _expected(
    header: Sequence[str], rows: Sequence[Sequence[str]], manifest: Mapping[str, str]
) -> dict[str, str] | None:
    """An independent reading: who is surely in the CRM, and with which id. None where the file cannot be read whole.

    A key is in the CRM if every row that names it says so, with one and the same id. A row names a key exactly; only a
    key that no row names exactly is also named by its text without case and outer spaces, if no other key has it.
    """
    names = [name.strip().upper() for name in header]
    if any(name not in names[1:] for name in ("STATUS", "RECORD_ID", "ERRORS")):
        return None
    last = {name: len(names) - 1 - names[::-1].index(name) for name in ("STATUS", "RECORD_ID", "ERRORS")}
    rows = [row for row in rows if row]
    if any(len(row) <= max(last.values()) for row in rows):
        return None
    found = {}
    for key in manifest:
        naming = [row for row in rows if row[0] == key]
        if not naming and [other.strip().casefold() for other in manifest].count(key.strip().casefold()) == 1:
            naming = [
                row for row in rows if row[0] not in manifest and row[0].strip().casefold() == key.strip().casefold()
            ]
        ids = {row[last["RECORD_ID"]].strip() for row in naming}
        sure = [
            row[last["STATUS"]].strip().lower() in {"added", "updated"} and not any(row[len(header) :])
            for row in naming
        ]
        if sure and all(sure) and len(ids) == 1 and re.fullmatch("[0-9]{1,32}", next(iter(ids))):
            found[key] = ids.pop()
    return found


def _believes_nothing_or_names_all(file: bytes, manifest: Mapping[str, str]) -> None:
    try:
        outcomes = job_outcomes(io.BytesIO(file), manifest)
    except AnswerError as error:
        assert_one_line(str(error))
        return
    _are_well_formed(outcomes, manifest)


def _believes_only_what_is_there(text: str, file: bytes, manifest: Mapping[str, str]) -> None:
    try:
        outcomes = job_outcomes(io.BytesIO(file), manifest)
    except AnswerError as error:
        assert_one_line(str(error))
        return
    _are_well_formed(outcomes, manifest)
    for each in outcomes:
        if each.status is Status.SYNCED:
            assert (each.zoho_id or "?") in text
            assert re.search("added|updated", text, re.IGNORECASE)
            assert each.key.strip().casefold() in text.replace('""', '"').casefold()


def _are_well_formed(outcomes: Sequence[Outcome], manifest: Mapping[str, str]) -> None:
    assert [(each.key, each.version) for each in outcomes] == list(manifest.items())
    for each in outcomes:
        assert each.status in {Status.SYNCED, Status.REJECTED, Status.UNSYNCED}
        if each.status is not Status.SYNCED:
            assert each.family is not None
            assert_one_line(f"{each.code} {each.field}")
            assert "\0" not in f"{each.message}"


def _zipped(choices: Choices, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", choices.pick((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))) as archive:
        archive.writestr(choices.pick(("r.csv", "../../r.csv", "/r.csv", "C:\\r.csv", "a/b.CSV", "noname")), content)
        if choices.one_in(8):
            archive.writestr("folder/", b"")
    return file.getvalue()
