"""The file of a bulk write job: rows through the mapping into one CSV in a zip, and the job's JSON that describes it.

The key stands in column 0, because a job's result echoes only the first three columns, and matches are made by it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from target_zoho_crm.api.costs import JOB_ZIP_BYTES
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.mapping.conversion import Conversion, Converted, Form
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.csv_text import csv_text
from target_zoho_crm.writing.spool import spooling

CSV_NAME = "records.csv"
_CHUNK_ROWS = 1_000
_COMPRESSION = 1  # level 6 makes the zip a fifth smaller and takes nearly three times as long


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A zip that was written: rows in its CSV, its own size in bytes, and the refusals by key of rows not in it."""

    path: Path
    rows: int
    bytes: int
    refusals: dict[str, Refusal]

    @property
    def fits(self) -> bool:
        """Whether Zoho takes a zip of this size; if not, write it again as two."""
        return self.bytes <= JOB_ZIP_BYTES


def write_bulk_zip(
    path: Path,
    mapping: FieldMapping,
    keys: Sequence[str],
    rows: Iterable[Sequence[Any]],
    positions: Sequence[int] | None = None,
) -> CsvFile:
    """Write rows into the zip at `path`, in one pass and without holding them.

    Args:
        path: the zip; it is replaced.
        mapping: the compiled mapping.
        keys: one a row.
        rows: values by position; a plain iterator is enough.
        positions: as for `Conversion`.

    Raises:
        SpoolError: the disk does not take it.
    """
    path.unlink(missing_ok=True)
    return add_csv(path, CSV_NAME, mapping, keys, rows, positions)


@spooling()
def add_csv(
    path: Path,
    name: str,
    mapping: FieldMapping,
    keys: Sequence[str],
    rows: Iterable[Sequence[Any]],
    positions: Sequence[int] | None = None,
) -> CsvFile:
    """Add a CSV of this name to the zip at `path`; the rest as `write_bulk_zip`. The size is that of the zip."""
    conversion = Conversion(mapping, Form.CSV, positions)
    header = [mapping.key_field.api_name, *conversion.names]
    refusals: dict[str, Refusal] = {}
    count = 0
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION) as archive,
        archive.open(name, "w") as file,
    ):
        file.write(csv_text([[name] for name in header]).encode())
        for chunk_keys, chunk_rows in _chunks(keys, rows):
            converted = _write_chunk(file, conversion, chunk_keys, chunk_rows)
            refusals.update(converted.refusals)
            count += len(converted.keys)
    return CsvFile(path, count, path.stat().st_size, refusals)


def job_body(
    module: str,
    file_id: str,
    mapping: FieldMapping,
    *,
    ignore_empty: bool = False,
    operation: Operation = Operation.UPSERT,
    finds_records: bool = True,
    further: Sequence[dict[str, Any]] = (),
) -> bytes:
    """The JSON that creates the job of a zip made by `write_bulk_zip`.

    Without `finds_records` no record is matched by its key. `further` describes other CSVs of the zip. `ignore_empty`
    False clears a field where the cell is empty, as null does in an upsert call. It stands in both places, because
    Zoho's documents differ about which counts.
    """
    resource = {
        "type": "data",
        "module": {"api_name": module},
        "file_id": file_id,
        "file_names": [CSV_NAME],
        "ignore_empty": ignore_empty,
        **({"find_by": mapping.key_field.api_name} if finds_records else {}),
        "field_mappings": field_mappings(mapping),
    }
    body: dict[str, Any] = {
        "operation": operation.value,
        "character_encoding": "UTF-8",
        "ignore_empty": ignore_empty,
        "resource": [resource, *further],
    }
    return msgspec.json.encode(body)


def field_mappings(mapping: FieldMapping) -> list[dict[str, Any]]:
    """What a resource of a job has for the columns of its CSV, in their order."""
    key = mapping.key_field
    found = [_entry(key, 0, None, "id" if key.data_type == "lookup" else None)]
    for index, column in enumerate(mapping.cells, start=1):
        found.append(_entry(column.field, index, column.csv_format, column.csv_find_by))
    found += [
        {"api_name": constant.field.api_name, "default_value": {"value": constant.in_csv}}
        for constant in mapping.constants
        if constant.of_the_job
    ]
    return found


def _entry(field: Field, index: int, csv_format: str | None, find_by: str | None) -> dict[str, Any]:
    """What the job has for one column."""
    entry: dict[str, Any] = {"api_name": field.api_name, "index": index}
    if csv_format is not None:
        entry["format"] = csv_format
    if find_by is not None:
        entry["find_by"] = find_by
        if field.lookup_module is not None:
            entry["module"] = field.lookup_module
    return entry


def with_callback(body: str, callback_url: str) -> str:
    """Ask for a callback when the job ends. Done on sending, since the URL holds a secret and the journal may not."""
    asked = {**msgspec.json.decode(body), "callback": {"url": callback_url, "method": "post"}}
    return msgspec.json.encode(asked).decode()


def _chunks(keys: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Sequence[str], list[Sequence[Any]]]]:
    source = iter(rows)
    for start in range(0, len(keys), _CHUNK_ROWS):
        chunk_keys = keys[start : start + _CHUNK_ROWS]
        chunk = list(islice(source, len(chunk_keys)))
        if len(chunk) != len(chunk_keys):
            raise ValueError(f"there are {len(keys)} keys, but fewer rows")
        yield chunk_keys, chunk
    if next(source, None) is not None:
        raise ValueError(f"there are {len(keys)} keys, but more rows")


def _write_chunk(file: IO[bytes], conversion: Conversion, keys: Sequence[str], rows: list[Sequence[Any]]) -> Converted:
    converted = conversion.convert(keys, rows)
    content = _csv([converted.keys, *converted.columns])
    if content is None:
        converted = conversion.convert(keys, rows, look_at_text=True)
        content = _csv([converted.keys, *converted.columns])
    file.write(content or b"")
    return converted


def _csv(columns: Sequence[Sequence[Any]]) -> bytes | None:
    """CSV text, or None when some value is no text that every reader takes whole: one look for all rows."""
    text = csv_text(columns)
    if "\0" in text:
        return None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def operation_in_job(create_body: str | None) -> Operation:
    """The operation of a job, after the body that created it."""
    body = msgspec.json.decode(create_body) if create_body else {}
    return Operation(body.get("operation", Operation.UPSERT.value))
