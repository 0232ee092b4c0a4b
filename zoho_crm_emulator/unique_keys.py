"""Unique fields: how values are compared, and which record holds a value now."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from zoho_crm_emulator.schema import Field


def key_maker(field: Field, user: int) -> Callable[[Any], str]:
    """A function from a value to what is compared.

    Zoho compares trimmed and without case, unless the field is case-sensitive; what else it takes for one is the
    field's `folding`. A user-scoped external id counts among the same user's records only.
    """
    prefix = f"{user}:" if field.external == "user" else ""
    if field.case_sensitive:
        return lambda value: prefix + str(value).strip()
    fold = _FOLDINGS[field.folding]
    return lambda value: prefix + fold(str(value)).strip()


def _upper(value: str) -> str:
    return value.upper()


def _compatible(value: str) -> str:
    """Full-width forms, ligatures, composed and combining letters, the Ohm sign and omega: all one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).upper().casefold())


def _without_accents(value: str) -> str:
    """As some collations of databases do."""
    apart = unicodedata.normalize("NFKD", _compatible(value))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


_FOLDINGS: dict[str, Callable[[str], str]] = {
    "upper": _upper,
    "casefold": str.casefold,
    "compatible": _compatible,
    "accents": _without_accents,
}


def holders(connection: sqlite3.Connection, field: Field, keys: Iterable[str]) -> dict[str, int]:
    """The records that hold any of these keys of a field."""
    rows = connection.execute(
        "SELECT key, record FROM unique_keys WHERE field = ? AND key IN (SELECT value FROM json_each(?))",
        (field.id, msgspec.json.encode(list(keys)).decode()),
    )
    return dict(rows.fetchall())


def holders_by_value(
    connection: sqlite3.Connection, module_id: int, api_name: str, values: Iterable[str]
) -> dict[str, int]:
    """The oldest records that hold any of these values of a field that is not unique: a scan of the module.

    Zoho does this when `duplicate_check_fields` is absent and the module's own field is an ordinary one.
    """
    rows = connection.execute(
        "SELECT lower(trim(json_extract(doc, ?))) AS key, min(id) FROM records WHERE module = ? "
        "AND lower(trim(json_extract(doc, ?))) IN (SELECT value FROM json_each(?)) GROUP BY key",
        (f'$."{api_name}"', module_id, f'$."{api_name}"', msgspec.json.encode(list(values)).decode()),
    )
    return dict(rows.fetchall())


def save(connection: sqlite3.Connection, final: dict[tuple[int, str], int | None]) -> None:
    """Write which record holds each (field, key) at the end of a batch; None frees the key."""
    gone = [pair for pair, record in final.items() if record is None]
    held = [(field, key, record) for (field, key), record in final.items() if record is not None]
    if gone:
        connection.executemany("DELETE FROM unique_keys WHERE field = ? AND key = ?", gone)
    connection.executemany("INSERT OR REPLACE INTO unique_keys VALUES (?, ?, ?)", held)


def hold(connection: sqlite3.Connection, field: Field, held: Iterable[tuple[str, int]]) -> None:
    """Write which records hold these keys of a field, none of which another holds."""
    connection.executemany(
        f"INSERT INTO unique_keys VALUES ({field.id:d}, ?, ?)",  # noqa: S608 - a number
        held,
    )
