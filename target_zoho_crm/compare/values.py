"""One value: what would be written into a field against what the CRM gives back for it.

Zoho gives values back in other clothes than it takes them: times in the org's zone, lookups with names, numbers with or
without zeros, no value as null or as an empty text. Two values are equal where a write would change nothing that
anybody could see. What a way of reading cannot give whole is not comparable, and never counts as different.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from target_zoho_crm.api.metadata import LAYOUT, LINKS, Field
from target_zoho_crm.mapping.converters import DECIMAL, PICKLISTS, REFERENCES, TEXT, WHOLE


class Verdict(Enum):
    """How two values stand to each other."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not comparable"


RICH_TEXT_CHARACTERS = 500
"""Reads give no more of a rich text."""

FLOAT_DIGITS = 15
"""So many digits of a number are sure that was read as a float."""

NO_VALUE: tuple[Any, ...] = (None, "", [])
"""What an empty field holds."""
_FOLDED = frozenset({"email", "phone", "website"})
_NEVER_EMPTIED = frozenset({"ownerlookup", LAYOUT})

Comparison = Callable[[Field, Any, Any], Verdict]


def compare_values(field: Field, written: Any, held: Any) -> Verdict:
    """Compare what would be written, in its JSON form, with what a read of the record gives for the field.

    A value that is not of the field's type, on either side, is not comparable.
    """
    if written in NO_VALUE or held in NO_VALUE:
        return _compare_absence(field, written, held)
    compare = next((each for kinds, each in _COMPARISONS if field.data_type in kinds), _incomparable)
    try:
        return compare(field, written, held)
    except (TypeError, ValueError, InvalidOperation, OverflowError):
        return Verdict.NOT_COMPARABLE


def _compare_absence(field: Field, written: Any, held: Any) -> Verdict:
    """Where one side has no value: null, empty text and empty list are alike, as is a box without a tick."""
    if field.data_type in _NEVER_EMPTIED or field.data_type in LINKS:
        return Verdict.NOT_COMPARABLE
    if field.data_type == "boolean":
        written, held = written or None, held or None
    if field.data_type in TEXT:
        written, held = plain(written), plain(held)
    return Verdict.EQUAL if written in NO_VALUE and held in NO_VALUE else Verdict.DIFFERENT


def _compare_texts(field: Field, written: Any, held: Any) -> Verdict:
    if not isinstance(written, str) or not isinstance(held, str):
        return Verdict.NOT_COMPARABLE
    if field.rich_text and max(len(written), len(held)) >= RICH_TEXT_CHARACTERS:
        return Verdict.NOT_COMPARABLE
    ours, theirs = folded_text(field, written), folded_text(field, held)
    return _either(ours == theirs)


def folded_text(field: Field, text: str) -> str:
    """A text as the CRM keeps it, as far as comparing asks: as much of it as the field takes, some without case."""
    kept: str = plain(text)[: field.length].rstrip()
    return kept.casefold() if field.data_type in _FOLDED else kept


def plain(text: Any) -> Any:
    """A text without what forms and gateways change: line ends, and blanks before and behind it."""
    return with_line_feeds(text).strip() if isinstance(text, str) else text


def with_line_feeds(text: str) -> str:
    """A text whose lines end with line feeds alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _compare_choices(field: Field, written: Any, held: Any) -> Verdict:
    if field.data_type == "multiselectpicklist":
        return _either(entries_of(written) == entries_of(held))  # their order says nothing
    return _either(plain(written) == plain(held))


def entries_of(value: Any) -> frozenset[str]:
    """The choices of a multi-select, in either of their forms."""
    entries = value.split(";") if isinstance(value, str) else list(value)
    if not all(isinstance(each, str) for each in entries):
        raise TypeError("no choices")
    return frozenset(each.strip() for each in entries)


def _compare_whole(_field: Field, written: Any, held: Any) -> Verdict:
    return _either(_number(written) == _number(held))


def _compare_decimals(field: Field, written: Any, held: Any) -> Verdict:
    ours, theirs = _number(written), _number(held)
    if ours == theirs:
        return Verdict.EQUAL
    if isinstance(held, float) and ours and abs(ours - theirs) < abs(ours).scaleb(-FLOAT_DIGITS):
        return Verdict.EQUAL
    places = field.decimal_place
    if places is None:
        return Verdict.DIFFERENT
    unit = Decimal(1).scaleb(-places)
    # What has more places than the field was rounded, by a rule that nobody documents.
    return _either(ours % unit != 0 and abs(ours - theirs) < unit)


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("no number")
    number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite():
        raise ValueError("no number")
    return number


def _compare_booleans(_field: Field, written: Any, held: Any) -> Verdict:
    if not isinstance(written, bool):
        return Verdict.NOT_COMPARABLE
    known = {True: True, False: False, "true": True, "false": False}
    return _either(written == known[held]) if held in known else Verdict.NOT_COMPARABLE


def _compare_days(_field: Field, written: Any, held: Any) -> Verdict:
    return _either(date.fromisoformat(written) == date.fromisoformat(held[: len("YYYY-MM-DD")]))


def _compare_timestamps(_field: Field, written: Any, held: Any) -> Verdict:
    ours, theirs = datetime.fromisoformat(written), datetime.fromisoformat(held)
    if ours.tzinfo is None or theirs.tzinfo is None:
        return Verdict.NOT_COMPARABLE
    return _either(int(ours.timestamp()) == int(theirs.timestamp()))  # Zoho keeps no fraction of a second


def _compare_references(_field: Field, written: Any, held: Any) -> Verdict:
    ours, theirs = (each.get("id") if isinstance(each, dict) else each for each in (written, held))
    if not ours or not theirs:
        return Verdict.NOT_COMPARABLE
    return _either(str(ours) == str(theirs))


def _incomparable(_field: Field, _written: Any, _held: Any) -> Verdict:
    """Lines, multiple lookups, tags: no read gives all of them, or says which of them are ours."""
    return Verdict.NOT_COMPARABLE


def _either(equal: bool) -> Verdict:  # noqa: FBT001 - of an expression
    return Verdict.EQUAL if equal else Verdict.DIFFERENT


_COMPARISONS: tuple[tuple[frozenset[str], Comparison], ...] = (
    (TEXT, _compare_texts),
    (PICKLISTS, _compare_choices),
    (WHOLE, _compare_whole),
    (DECIMAL, _compare_decimals),
    (frozenset({"boolean"}), _compare_booleans),
    (frozenset({"date"}), _compare_days),
    (frozenset({"datetime"}), _compare_timestamps),
    (REFERENCES | {LAYOUT}, _compare_references),
)
