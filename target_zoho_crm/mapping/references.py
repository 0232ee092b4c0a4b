"""A reference given by a value of the record it points at: how it is looked up, created and named in messages. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from typing import Any

import msgspec

from target_zoho_crm.api.costs import PAGE_ROWS
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.mapping.field_values import any_to_text, refuse, whole_text
from target_zoho_crm.mapping.key_folding import KeyFolding

_SHOWN_CHARACTERS = 100
_NUMBERS = frozenset({"integer", "bigint"})
_TEXTS = frozenset({"text", "email", "phone", "website", "autonumber"})


class OnMissingParent(StrEnum):
    """What becomes of an order whose parent is not in the CRM."""

    REJECT = "reject"
    CREATE = "create"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class ParentKind:
    """The records of `module` by the values of `field`.

    `named_alike` are the mandatory text fields of the module: a record that is created for an order holds in them the
    same value as in `field`, since the order knows no other.
    """

    module: str
    field: Field
    named_alike: tuple[str, ...] = ()
    no_parent: frozenset[str] = dataclass_field(default=frozenset(), repr=False)
    """Texts of values that mean none. Not in the repr, which is part of the hashes that ledgers in use hold."""

    @property
    def folding(self) -> KeyFolding:
        """How Zoho compares the field's values."""
        return KeyFolding(folds_case=not self.field.case_sensitive)

    @property
    def can_be_asked_for(self) -> bool:
        """Whether values of the field can stand in a query and in a cell of a bulk job."""
        return self.field.data_type in _NUMBERS | _TEXTS

    def text(self, value: Any) -> str | None:
        """The value as it is asked for; None where there is none.

        Raises:
            Refusal: it cannot be a value of the field.
        """
        text = whole_text(value) if self.field.data_type in _NUMBERS else any_to_text(value)
        text = text.strip() if text is not None else None
        if text is not None and ("\0" in text or not _is_whole(text)):
            raise refuse("text that a request can carry")
        return None if not text or text in self.no_parent else text

    def query(self, values: Collection[str], offset: int) -> str:
        """The query for a page of the records that hold any of these values."""
        name = self.field.api_name
        listed = ", ".join(values if self.field.data_type in _NUMBERS else map(quoted, values))
        where = f"{self.module} where {name} in ({listed})"
        return f"select id, {name} from {where} order by id limit {offset}, {PAGE_ROWS}"  # noqa: S608 - no SQL

    def creation(self, values: Sequence[str], further: Mapping[str, Any]) -> bytes:
        """The body that creates records for these values; a record that is there already is only found."""
        name, of_number = self.field.api_name, self.field.data_type == "integer"
        body: dict[str, Any] = {
            "data": [
                {name: int(value) if of_number else value, **dict.fromkeys(self.named_alike, value)} for value in values
            ],
            "duplicate_check_fields": [self.field.api_name],
            **further,
        }
        return msgspec.json.encode(body)

    def display_name(self, value: str) -> str:
        """One of them by name."""
        return parent_name(self.module, self.field.api_name, value)


@dataclass(frozen=True, slots=True)
class ParentLookup:
    """A lookup field that is given by a value of its parent."""

    kind: ParentKind
    on_missing: OnMissingParent

    @property
    def found_in_jobs(self) -> bool:
        """Whether a bulk job may find the parents itself.

        Not where we must know of missing ones before, and not by a field that two parents may share: nobody says
        which one Zoho takes then.
        """
        return self.kind.field.unique and self.on_missing is OnMissingParent.REJECT


def parents_in_job(create_body: str | None) -> dict[str, tuple[str, str]]:
    """The columns of a bulk job whose cells hold parents' values: module and field of the parents, by API name."""
    body = msgspec.json.decode(create_body) if create_body else {}
    mappings = [each for resource in body.get("resource", ())[:1] for each in resource.get("field_mappings", ())]
    return {
        each["api_name"]: (each["module"], each["find_by"])
        for each in mappings
        if each.get("module") and each.get("find_by", "id") != "id"
    }


def parent_name(module: str, find_by: str, value: str) -> str:
    """A parent by name, as messages have it."""
    shown = value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}..."
    return f"{module} {shown!r} (by {find_by})"


def missing_parent(name: str) -> str:
    """Why an order is refused whose parent is not there."""
    return f"{name} does not exist; create it and send the order again, or see on_missing_parent"


def quoted(value: str) -> str:
    """A text as COQL wants it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True
