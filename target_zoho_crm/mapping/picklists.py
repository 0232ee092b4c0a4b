"""Values of a picklist: which ones the field has, and what becomes of others. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.mapping.field_settings import FieldSettings, OnUnknownPicklist
from target_zoho_crm.mapping.field_values import Refusal, any_to_text, choices_json
from target_zoho_crm.mapping.value_checks import too_long

_SHOWN_CHARACTERS = 40
_HINTS_REMEMBERED = 1_000
_ALIKE = 0.6


_UNKNOWN = re.compile(r'(?P<field>\S+) "(?P<value>.*)" is not in the picklist(?: \(did you mean "(?P<meant>.*)"\?\))?')


class UnknownValue(NamedTuple):
    """A value that a picklist lacks, with the entry that was perhaps meant, as a refusal's message says it."""

    field: str
    value: str
    meant: str | None


def unknown_values(message: str | None) -> list[UnknownValue]:
    """What the message of a refused order says of unknown values of picklists; the other way of `Picklist`'s hints."""
    found = (_UNKNOWN.fullmatch(part) for part in (message or "").split("; "))
    return [UnknownValue(each["field"], each["value"], each["meant"]) for each in found if each]


class Picklist:
    """The entries of one picklist field.

    The metadata does not tell whether Zoho would add an unknown value to the list or refuse it. So `reject` is the
    default, which keeps typing errors out of the list, and `add` leaves it to Zoho.
    """

    def __init__(self, field: Field, settings: FieldSettings) -> None:
        """A field without entries in its metadata has nothing to check against."""
        self._entries = field.picklist
        self._known = frozenset(field.picklist)
        self._columns = self._known | {None, ""}
        self._longest = field.length
        self._policy = settings.on_unknown_picklist if field.picklist else OnUnknownPicklist.ADD
        self._one_default: str | None = any_to_text(settings.default)
        self._several_default: list[str] = choices_json(settings.default) or []
        self._hints: dict[str, str] = {}

    def one(self, value: str) -> str | None:
        """The entry that a value stands for, without the blanks that a column of fixed length pads it with.

        Raises:
            Refusal: it is none, and unknown ones are refused.
        """
        if value in self._known:
            return value
        value = value.strip()
        if value in self._known:
            return value
        if not value:
            return self._one_default if self._policy is OnUnknownPicklist.DEFAULT else None
        if self._policy is OnUnknownPicklist.DEFAULT and value != self._one_default:
            return self._one_default
        if self._policy is OnUnknownPicklist.ADD:
            if self._longest is not None and len(value) > self._longest:
                raise too_long(self._longest)
            return value
        raise Refusal(ZohoCode.INVALID_DATA, None, self._hint(value))

    def several(self, values: Sequence[str]) -> list[str] | None:
        """The entries of a multi-select, each once; of unknown ones as for a single one."""
        found: dict[str | None, None] = {}
        for value in values:
            unknown = value not in self._known and value not in self._several_default
            if unknown and self._policy is OnUnknownPicklist.DEFAULT:
                found |= dict.fromkeys(self._several_default)
            else:
                found[self.one(value)] = None
        return [each for each in found if each is not None] or None

    def fits(self, column: Sequence[Any]) -> bool:
        """Whether a whole column holds only entries."""
        return self._columns.issuperset(column)

    def _hint(self, value: str) -> str:
        """Why a value is refused, with the entry that was perhaps meant. A value is a code, so a short one is shown."""
        hint = self._hints.get(value)
        if hint is None:
            hint = self._made_hint(value)
            if len(self._hints) < _HINTS_REMEMBERED:
                self._hints[value] = hint
        return hint

    def _made_hint(self, value: str) -> str:
        if len(value) > _SHOWN_CHARACTERS:
            return f"has a value of more than {_SHOWN_CHARACTERS} characters that is not in the picklist"
        plain = {entry.strip().casefold(): entry for entry in reversed(self._entries)}
        close = difflib.get_close_matches(value.strip().casefold(), plain, n=1, cutoff=_ALIKE)
        meant = f' (did you mean "{plain[close[0]]}"?)' if close else ""
        return f'"{value}" is not in the picklist{meant}'
