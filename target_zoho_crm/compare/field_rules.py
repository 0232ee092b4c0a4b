"""Which fields of a record a write may touch: what `write:` says, what the record holds, what we wrote last. Pure.

What we wrote is known by fingerprints, never by values. Where they do not say whose a value is, it is people's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from target_zoho_crm.api.metadata import Field
from target_zoho_crm.compare.values import FLOAT_DIGITS, NO_VALUE, Verdict, compare_values, entries_of, folded_text
from target_zoho_crm.mapping.converters import DECIMAL, REFERENCES, TEXT, WHOLE
from target_zoho_crm.mapping.field_mapping import Constant, MappedColumn
from target_zoho_crm.mapping.field_settings import WriteRule

PEOPLES = "-"
"""Stands in place of fingerprints: the field was edited, and is left alone until it holds what we would write."""

_FINGERPRINT_BYTES = 8

Marks = dict[str, list[str]]
"""Fingerprints of what we wrote by field: of the last write, and of one that may have had its effect."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an update of one order does to its fields with rules.

    `left` stay as they are; `kept` of them hold something else than the order does. `writes` says whether one is
    written, so that nobody may change the record meanwhile. `before` has the marks to note before the write, and
    `after` those that hold once it was made.
    """

    left: frozenset[str]
    kept: int
    writes: bool
    before: Marks
    after: Marks


def decide(
    fields: Sequence[MappedColumn | Constant],
    values: Sequence[Any],
    record: Mapping[str, Any],
    marks: Marks,
    *,
    ours: bool,
    ignore_empty: bool,
) -> Decision:
    """Decide about the `values` that an order has for `fields`, in their JSON form, and its `record`.

    `ours`: a field without marks holds what we wrote.
    """
    left: set[str] = set()
    kept = 0
    before, after = dict(marks), dict(marks)
    for each, value in zip(fields, values, strict=True):
        name = each.field.api_name
        unsent = value is None and (ignore_empty or (isinstance(each, MappedColumn) and each.keeps))
        if each.write is WriteRule.ONCE or unsent or name not in record:
            left.add(name)
            continue
        held = record[name]
        if compare_values(each.field, value, held) is Verdict.EQUAL:
            left.add(name)
            if each.write is WriteRule.UNTIL_EDITED:
                before[name] = after[name] = [fingerprint(each.field, held)]
            continue
        if each.write is WriteRule.IF_EMPTY:
            writes = held in NO_VALUE
        else:
            known = marks.get(name)
            writes = ours if known is None else fingerprint(each.field, held) in known
            written = fingerprint(each.field, value)
            before[name] = [*(known or [fingerprint(each.field, held)]), written] if writes else [PEOPLES]
            after[name] = [written] if writes else [PEOPLES]
        if not writes:
            left.add(name)
            kept += 1
    return Decision(frozenset(left), kept, len(left) < len(fields), before, after)


def marks_of_new(fields: Sequence[MappedColumn | Constant], values: Sequence[Any]) -> Marks:
    """The marks of an order that is new in the CRM."""
    ruled = zip(fields, values, strict=True)
    return {
        each.field.api_name: [fingerprint(each.field, value)]
        for each, value in ruled
        if each.write is WriteRule.UNTIL_EDITED
    }


def read_marks(text: str | None) -> Marks:
    """Marks as an ack has them."""
    return msgspec.json.decode(text, type=Marks) if text else {}


def marks_text(marks: Marks) -> str:
    """Marks for an ack."""
    return msgspec.json.encode(marks, order="sorted").decode()


def fingerprint(field: Field, value: Any) -> str:
    """A fingerprint of a value, the same for what is written in JSON and what a read gives for it."""
    plain = "" if value in NO_VALUE or value is False else _plain(field, value)
    return hashlib.blake2b(plain.encode(errors="surrogatepass"), digest_size=_FINGERPRINT_BYTES).hexdigest()


def _plain(field: Field, value: Any) -> str:
    text = next((text for kinds, text in _TEXTS if field.data_type in kinds), None)
    if text is not None:
        try:
            return text(field, value)
        except (TypeError, ValueError, KeyError, InvalidOperation):
            pass  # no value of its type: as it stands
    return str(value).strip()


def _number_text(_field: Field, value: Any) -> str:
    return f"{Decimal(repr(value) if isinstance(value, float) else value):.{FLOAT_DIGITS - 1}e}"


def _reference_text(_field: Field, value: Any) -> str:
    return str(value["id"] if isinstance(value, dict) else value)


_TEXTS: tuple[tuple[frozenset[str], Callable[[Field, Any], str]], ...] = (
    (TEXT, folded_text),
    (frozenset({"multiselectpicklist"}), lambda _field, value: "\n".join(sorted(entries_of(value)))),
    (WHOLE | DECIMAL, _number_text),
    (frozenset({"date"}), lambda _field, value: date.fromisoformat(value[: len("YYYY-MM-DD")]).isoformat()),
    (frozenset({"datetime"}), lambda _field, value: str(int(datetime.fromisoformat(value).timestamp()))),
    (REFERENCES, _reference_text),
)
