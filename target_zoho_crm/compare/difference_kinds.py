"""What a difference between what was sent and what the CRM holds is like, and why that may be. Pure.

Stricter than the comparison (`values.py`), which asks whether a write would change anything: a text that was cut, or a
blank that was trimmed, is the CRM's own affair there, and is seen here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from target_zoho_crm.api.metadata import Field
from target_zoho_crm.compare.values import FLOAT_DIGITS, NO_VALUE, Verdict, compare_values, plain, with_line_feeds
from target_zoho_crm.mapping.converters import DECIMAL, PICKLISTS, TEXT, WHOLE


class DifferenceKind(StrEnum):
    """A kind of difference. The ledger keeps these names: a person accepts them by field."""

    ROUNDED = "rounded"
    SHIFTED_TIME = "shifted_time"
    CUT = "cut"
    OTHER_CHOICE = "other_choice"
    OTHER_USER = "other_user"
    OVERWRITTEN = "overwritten"
    OTHER_MATCH = "other_match"
    FILLED = "filled"
    CASE_FOLDED = "case_folded"
    BLANKS_TRIMMED = "blanks_trimmed"
    KEPT = "kept"
    EMPTIED = "emptied"
    LINE_ORDER = "line_order"
    LINES_DIFFER = "lines_differ"


WHY: dict[DifferenceKind, str] = {
    DifferenceKind.ROUNDED: "the field keeps fewer decimals or digits",
    DifferenceKind.SHIFTED_TIME: "the zone of the column, of `timezone` or of the org is another one",
    DifferenceKind.CUT: "the field takes fewer characters",
    DifferenceKind.OTHER_CHOICE: "the pick list has another value for it, or a rule sets one",
    DifferenceKind.OTHER_USER: "an assignment rule gives records to another user",
    DifferenceKind.OVERWRITTEN: "a workflow or another program writes the field after us (`trigger`)",
    DifferenceKind.OTHER_MATCH: "another unique field has the value already, so another record was found",
    DifferenceKind.FILLED: "no column goes there, and the CRM fills it by itself",
    DifferenceKind.CASE_FOLDED: "the field keeps letters in another case",
    DifferenceKind.BLANKS_TRIMMED: "the field drops blanks at the ends",
    DifferenceKind.KEPT: "an empty value does not empty the field, or it has a default",
    DifferenceKind.EMPTIED: "a rule empties the field, or the user may not write it",
    DifferenceKind.LINE_ORDER: "the CRM sorts the lines by itself",
    DifferenceKind.LINES_DIFFER: "lines are lacking, or are there twice",
}
"""Why that may be, for each kind."""

LINES = frozenset({DifferenceKind.LINE_ORDER, DifferenceKind.LINES_DIFFER})

_SHIFT_MOST_SECONDS = 26 * 3600
"""Zones lie between -12:00 and +14:00."""
_SHIFT_STEP_SECONDS = 15 * 60

_Judge = Callable[[Field, Any, Any], DifferenceKind | None]


def kind_of(field: Field, written: Any, held: Any) -> DifferenceKind | None:
    """The kind of difference between what would be written, in its JSON form, and what a read gives.

    None where both are the same, or cannot be compared.
    """
    verdict = compare_values(field, written, held)
    if verdict is Verdict.NOT_COMPARABLE:
        return None
    if written in NO_VALUE or held in NO_VALUE:
        if verdict is Verdict.EQUAL:
            return None
        return DifferenceKind.KEPT if written in NO_VALUE else DifferenceKind.EMPTIED
    judge = next((each for kinds, each in _JUDGES if field.data_type in kinds), None)
    try:
        found = None if judge is None else judge(field, written, held)
    except (TypeError, ValueError, InvalidOperation, OverflowError):
        found = None
    if found is None and verdict is Verdict.DIFFERENT:
        return DifferenceKind.OVERWRITTEN
    return found


def shape_of(value: Any) -> str:
    """What a log may say of a value: how long or exact it is, and nothing of what it says."""
    if value in NO_VALUE:
        return "nothing"
    if isinstance(value, bool):
        return "a tick or none"
    if isinstance(value, (int, float, Decimal)):
        return f"a number with {_places(_number(value))} decimals"
    if isinstance(value, str):
        return f"{len(value)} characters"
    return f"{len(value)} entries" if isinstance(value, list) else "a record or user"


def _text_kind(field: Field, written: Any, held: Any) -> DifferenceKind | None:
    ours, theirs = plain(written), plain(held)
    equal = compare_values(field, written, held) is Verdict.EQUAL
    if equal and field.rich_text:
        return None
    if ours == theirs:
        return None if with_line_feeds(written) == with_line_feeds(held) else DifferenceKind.BLANKS_TRIMMED
    if ours.casefold() == theirs.casefold():
        return None if equal else DifferenceKind.CASE_FOLDED
    if len(theirs) < len(ours) and ours.startswith(theirs):
        return DifferenceKind.CUT
    return None


def _number_kind(_field: Field, written: Any, held: Any) -> DifferenceKind | None:
    ours, theirs = _number(written), _number(held)
    difference = abs(ours - theirs)
    if difference == 0 or (isinstance(held, float) and difference < abs(ours).scaleb(-FLOAT_DIGITS)):
        return None
    places = _places(theirs)
    fewer = places < _places(ours) and difference < Decimal(1).scaleb(-places)
    digits = ours != 0 and difference < abs(ours).scaleb(2 - FLOAT_DIGITS)  # what a float cannot hold
    return DifferenceKind.ROUNDED if fewer or digits else None


def _time_kind(_field: Field, written: Any, held: Any) -> DifferenceKind | None:
    seconds = int(datetime.fromisoformat(written).timestamp()) - int(datetime.fromisoformat(held).timestamp())
    if seconds and abs(seconds) <= _SHIFT_MOST_SECONDS and seconds % _SHIFT_STEP_SECONDS == 0:
        return DifferenceKind.SHIFTED_TIME
    return None


def _day_kind(_field: Field, written: Any, held: Any) -> DifferenceKind | None:
    days = date.fromisoformat(written) - date.fromisoformat(held[: len("YYYY-MM-DD")])
    return DifferenceKind.SHIFTED_TIME if abs(days.days) == 1 else None


def _always(kind: DifferenceKind) -> _Judge:
    def judge(field: Field, written: Any, held: Any) -> DifferenceKind | None:
        return kind if compare_values(field, written, held) is Verdict.DIFFERENT else None

    return judge


def _number(value: Any) -> Decimal:
    return Decimal(repr(value) if isinstance(value, float) else value)


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


_JUDGES: tuple[tuple[frozenset[str], _Judge], ...] = (
    (TEXT, _text_kind),
    (DECIMAL | WHOLE, _number_kind),
    (frozenset({"datetime"}), _time_kind),
    (frozenset({"date"}), _day_kind),
    (PICKLISTS, _always(DifferenceKind.OTHER_CHOICE)),
    (frozenset({"ownerlookup", "userlookup"}), _always(DifferenceKind.OTHER_USER)),
)
