"""Rows of a subform in the zip of their records: written, described in the job, and what its result says of them.

One job then makes records with all their rows, so that neither is there without the other. It inserts: a record that is
there is skipped, since a job would add the rows to those that it has.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from target_zoho_crm.api.metadata import PARENT_ID
from target_zoho_crm.confirmation.outcomes import Status
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.writing.child_failures import LINES, ChildFailures, of_outcome, unknown
from target_zoho_crm.writing.csv_files import CsvFile, add_csv, field_mappings
from target_zoho_crm.writing.result_files import columns_of, is_of_rows, opened_csvs, row_outcome

_NAME = "rows-{count}.csv"
_SUFFIX = ".csv"


@dataclass(frozen=True, slots=True)
class ZippedRows:
    """The rows' module, the mapping of (key of the record, values...), and how many there are."""

    module: str
    mapping: FieldMapping
    count: int

    @property
    def file_name(self) -> str:
        """It says how many rows it has: so does the job's body in the journal, for the run that reads its result."""
        return _NAME.format(count=self.count)

    def resource(self, file_id: str, *, ignore_empty: bool) -> dict[str, Any]:
        """What the job's request has for them: each names its record by the first column of that CSV."""
        mappings = field_mappings(self.mapping)
        parent = next(each for each in mappings if each["api_name"] == PARENT_ID)
        parent["parent_column_index"] = 0
        return {
            "type": "data",
            "module": {"api_name": self.module},
            "file_id": file_id,
            "file_names": [self.file_name],
            "ignore_empty": ignore_empty,
            "field_mappings": mappings,
        }


@dataclass(frozen=True, slots=True)
class RowsToZip:
    """Rows and their own keys, before they are written."""

    about: ZippedRows
    keys: Sequence[str]
    values: Sequence[Sequence[Any]]

    def add_to(self, path: Path) -> CsvFile:
        """Add their CSV to the zip of their records.

        Raises:
            SpoolError: the disk does not take it.
        """
        return add_csv(path, self.about.file_name, self.about.mapping, self.keys, self.values)


def rows_in_job(create_body: str | None) -> int | None:
    """How many rows came in the zip of a job's records; None where none did."""
    resources = msgspec.json.decode(create_body).get("resource", ()) if create_body else ()
    names = [name for resource in resources[1:] for name in resource["file_names"]]
    return int(names[0].partition("-")[2].removesuffix(_SUFFIX)) if names else None


def row_failures(result: Path, records: Collection[str], count: int) -> ChildFailures:
    """What a job's result says of its `count` rows, by the key of their record; `records` are those that were written.

    Where it does not speak of each row and of each record, nobody knows of any.

    Raises:
        AnswerError: the file cannot be read.
    """
    with opened_csvs(result, 2) as found:
        texts = [(header, text) for header, text in found if is_of_rows(header)]
        if len(texts) != 1:
            return _all_unknown(records, "the job's result does not name them")
        header, text = texts[0]
        columns, parent = columns_of(header, 1), header.index(PARENT_ID, 1)
        failures, seen, rows = ChildFailures(), set[str](), 0
        for row in csv.reader(text):
            if len(row) <= columns.last:
                return _all_unknown(records, "the job's result is cut short")
            rows += 1
            seen.add(row[parent])
            outcome = row_outcome(row[0], "", row[columns.status], row[columns.zoho_id], row[columns.errors])
            if outcome.status is not Status.SYNCED:
                failures.add(of_outcome(outcome, LINES), row[parent])
    if rows != count:
        return _all_unknown(records, f"the job's result names {rows:,} of {count:,} lines")
    for record in records:
        if record not in seen:
            failures.add(unknown("the job's result does not name them", LINES), record)
    return failures


def _all_unknown(records: Collection[str], why: str) -> ChildFailures:
    failures = ChildFailures()
    failures.add(unknown(why, LINES), *records)
    return failures
