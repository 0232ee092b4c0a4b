"""Tables of values: what is written in place of which value, in the settings or in a file beside them."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error

HEADER = ("value", "becomes")
"""The columns of a table in a CSV file; a JSON file holds one object."""


def with_value_tables(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with each table in the place of the file that `values` names, so that it counts as a setting.

    Raises:
        ConfigurationError: a file is not there, or no table.
    """
    found = {**config, "fields": _read_in(config.get("fields"))}
    streams = config.get("streams") or {}
    found["streams"] = {
        name: {**own, "fields": _read_in(own.get("fields"))} if own.get("fields") else own
        for name, own in streams.items()
    }
    return {name: value for name, value in found.items() if name in config}


def _read_in(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {name: _with_table(name, entry) for name, entry in fields.items()}


def _with_table(field: str, entry: Any) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("values"), str):
        return {**entry, "values": read_table(field, Path(entry["values"]))}
    return entry


def read_table(field: str, path: Path) -> dict[str, str]:
    """The table of one field.

    Raises:
        ConfigurationError: the file is not there, or no table; says where.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise _wrong(field, path, f"cannot be read: {why}") from None
    if path.suffix.lower() == ".json":
        try:
            return msgspec.json.decode(text, type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise _wrong(field, path, f"is no JSON object of texts: {error}") from None
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows or tuple(rows[0]) != HEADER:
        raise _wrong(field, path, f"must begin with the line {','.join(HEADER)}")
    wrong = next((number for number, row in enumerate(rows[1:], 2) if row and len(row) != len(HEADER)), None)
    if wrong is not None:
        raise _wrong(field, path, f"line {wrong} has not two cells")
    return {row[0]: row[1] for row in rows[1:] if row}


def write_table(path: Path, table: Mapping[str, str]) -> None:
    """Write a table into its file, in one go: a run that begins meanwhile reads the old one or the new one.

    Raises:
        OSError: the file cannot be written.
    """
    if path.suffix.lower() == ".json":
        text = msgspec.json.format(msgspec.json.encode(table)).decode() + "\n"
    else:
        cells = io.StringIO(newline="")
        writer = csv.writer(cells, lineterminator="\n")
        writer.writerows([HEADER, *table.items()])
        text = cells.getvalue()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=path.parent, delete=False) as file:
        file.write(text)
    if path.exists():
        os.chmod(file.name, path.stat().st_mode)  # noqa: PTH101 - a name
    os.replace(file.name, path)  # noqa: PTH105


def by_table(
    convert: Callable[[Any], Any], table: Mapping[str, str], as_text: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """The converter, of what the table has for a value; of several values (an array) each by itself."""

    def mapped(value: Any) -> Any:
        if isinstance(value, list):
            return convert([table.get(as_text(each), each) for each in value])
        return convert(table.get(as_text(value), value))

    return mapped


def _wrong(field: str, path: Path, why: str) -> Exception:
    return configuration_error(
        OwnCode.INVALID_FIELD_OPTION, f"`fields`, {field}: the table of `values`, {path}, {why}.", field=field
    )
