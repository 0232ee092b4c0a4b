"""What the setting `fields` says of single fields: its JSON schema, and its entries as types. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from singer_sdk import typing as th

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.mapping.field_values import UNCONVERTIBLE, Converter, Refusal, any_to_text
from target_zoho_crm.mapping.references import OnMissingParent
from target_zoho_crm.mapping.timestamps import TIMES, gives_whole_date
from target_zoho_crm.setting_schema import IN_PAYLOAD

# No subschema here may name a `default`: the SDK would put it into entries that are text, and fail.
FIELD_OPTIONS: dict[str, dict[str, Any]] = {
    "source": {
        "type": "string",
        "description": "The property; by default the one of the field's name.",
        IN_PAYLOAD: True,
    },
    "find_by": {
        "type": "string",
        "description": "Of a reference: the field of the record it points at that holds the value; `email` for users.",
        IN_PAYLOAD: True,
    },
    "on_missing_parent": {
        "enum": [each.value for each in OnMissingParent],
        "description": "With find_by: what becomes of an order whose parent is not in the CRM; by default `reject`.",
        IN_PAYLOAD: True,
    },
    "default": {
        "type": ["string", "number", "boolean", "array"],
        "description": "What is written where a record has no value, or the stream no such property.",
        IN_PAYLOAD: True,
    },
    "on_too_long": {
        "enum": ["reject", "truncate"],
        "description": "Text longer than the field, or more decimal places: by default `reject`.",
        IN_PAYLOAD: True,
    },
    "on_unknown_picklist": {
        "enum": ["reject", "add", "default"],
        "description": "A value that is not in the picklist: by default `reject`; `add` leaves it to Zoho.",
        IN_PAYLOAD: True,
    },
    "unreadable": {
        "enum": ["reject", "null"],
        "description": "A value that the field cannot hold: by default `reject`; `null` writes the order without it.",
        IN_PAYLOAD: True,
    },
    "null_if": {
        "type": ["string", "number", "array"],
        "description": "A value, or a list of them, that means none: the 0 of a guest, 1753-01-01 of an empty date.",
        IN_PAYLOAD: True,
    },
    "format": {
        "type": "string",
        "description": "How a text has a date or time, such as %d.%m.%Y (docs/mapping.md); ISO is read besides.",
        IN_PAYLOAD: True,
    },
    "values": {
        "type": ["object", "string"],
        "additionalProperties": {"type": "string"},
        "description": "What is written in place of which value; or a file with that table (docs/mapping.md).",
        IN_PAYLOAD: True,
    },
    "null": {
        "enum": ["clear", "keep"],
        "description": "What null does to the field: by default `clear`; `keep` leaves what the CRM has.",
        IN_PAYLOAD: True,
    },
    "write": {
        "enum": ["always", "once", "if_empty", "until_edited"],
        "description": "When the field is written: by default `always`; the others leave it to people "
        "(docs/mapping.md).",
        IN_PAYLOAD: False,
    },
    "append": {
        "type": "boolean",
        "description": "Of a multi-select: add to the entries that the CRM has, by a call for the order.",
        IN_PAYLOAD: True,
    },
}

FIELDS = th.ObjectType(
    additional_properties=th.CustomType(
        {"type": ["string", "object"], "properties": FIELD_OPTIONS, "additionalProperties": False}
    )
)
"""The schema of `fields`. `oneOf` would be the plain way to say it, but the SDK reads no such setting from the
environment."""


class OnTooLong(StrEnum):
    """What becomes of a value that is longer than its field."""

    REJECT = "reject"
    TRUNCATE = "truncate"


class OnUnknownPicklist(StrEnum):
    """What becomes of a value that is not in the picklist."""

    REJECT = "reject"
    ADD = "add"
    DEFAULT = "default"


class OnUnreadable(StrEnum):
    """What becomes of a value that the field cannot hold."""

    REJECT = "reject"
    NULL = "null"


class OnNull(StrEnum):
    """What null does to the field."""

    CLEAR = "clear"
    KEEP = "keep"


class WriteRule(StrEnum):
    """When a field is written."""

    ALWAYS = "always"
    ONCE = "once"
    """Where the order is new in the CRM."""
    IF_EMPTY = "if_empty"
    """Where the record has no value."""
    UNTIL_EDITED = "until_edited"
    """While the record holds what we wrote last."""


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """What the user says of one field.

    `source` None: the property is found by the field's name. `find_by` None: a reference is given by its id.
    """

    api_name: str
    source: str | None = None
    find_by: str | None = None
    on_missing_parent: OnMissingParent | None = None
    default: Any = None
    on_too_long: OnTooLong = OnTooLong.REJECT
    on_unknown_picklist: OnUnknownPicklist = OnUnknownPicklist.REJECT
    unreadable: OnUnreadable = OnUnreadable.REJECT
    null: OnNull = OnNull.CLEAR
    write: WriteRule = WriteRule.ALWAYS
    append: bool = False
    null_if: frozenset[str] = frozenset()
    """Texts of values that mean none."""
    format: str | None = None
    """How a text has a date or time, as `strptime` reads it."""
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What is written in place of which value."""

    @classmethod
    def read(cls, api_name: str, source: str | None, options: Mapping[str, Any]) -> FieldSettings:
        """Turn the options of one entry into types."""
        missing = options.get("on_missing_parent")
        return cls(
            api_name,
            source,
            find_by=options.get("find_by"),
            on_missing_parent=OnMissingParent(missing) if missing is not None else None,
            default=options.get("default"),
            on_too_long=OnTooLong(options.get("on_too_long", "reject")),
            on_unknown_picklist=OnUnknownPicklist(options.get("on_unknown_picklist", "reject")),
            unreadable=OnUnreadable(options.get("unreadable", "reject")),
            null=OnNull(options.get("null", "clear")),
            write=WriteRule(options.get("write", "always")),
            append=options.get("append", False),
            null_if=_texts(options.get("null_if")),
            format=options.get("format"),
            values=options.get("values") or {},
        )

    def check(self, field: Field, *, is_key: bool) -> None:
        """Refuse options that make no sense for the field; `is_key`: it holds the order's key.

        Raises:
            ConfigurationError: there is one; says which and why.
        """
        kind = field.data_type
        ruled = self.write is not WriteRule.ALWAYS
        faults = {
            f"write: {self.write.value} needs a value that a read gives whole, and this is of type {kind}": ruled
            and (kind not in _READ_WHOLE or field.rich_text),
            f"write: {self.write.value} is not for the field that identifies the order": ruled and is_key,
            f"write: {self.write.value} excludes find_by and append": ruled
            and (self.find_by is not None or self.append),
            f"on_too_long: truncate would make another value of type {kind}": self.on_too_long is OnTooLong.TRUNCATE
            and kind not in _SHORTENED,
            f"on_unknown_picklist is for picklists, and this is of type {kind}": self.on_unknown_picklist
            is not OnUnknownPicklist.REJECT
            and kind not in _PICKLISTS,
            "on_unknown_picklist: default needs a `default`": self.on_unknown_picklist is OnUnknownPicklist.DEFAULT
            and self.default is None,
            f"append is for multi-selects, and this is of type {kind}": self.append and kind != "multiselectpicklist",
            f"format is for dates and times, and this is of type {kind}": self.format is not None and kind not in TIMES,
            f"format: {self.format} gives no whole date, as %d.%m.%Y does, or no time (%I needs %p; use %z, not %Z)": (
                self.format is not None and not gives_whole_date(self.format)
            ),
            "values and find_by exclude each other": bool(self.values) and self.find_by is not None,
            "null: keep and unreadable: null exclude each other": self.null is OnNull.KEEP
            and self.unreadable is OnUnreadable.NULL,
            "null: keep and a `default` exclude each other": self.null is OnNull.KEEP and self.default is not None,
        }
        for fault, found in faults.items():
            if found:
                raise configuration_error(
                    OwnCode.INVALID_FIELD_OPTION, f"`fields`, {field.api_name}: {fault}.", field=field.api_name
                )

    def default_by(self, field: Field, convert: Converter) -> Any:
        """The default in the form that `convert` gives.

        Raises:
            ConfigurationError: the field does not take it.
        """
        try:
            found = convert(self.default)
        except UNCONVERTIBLE as error:
            why = error.message if isinstance(error, Refusal) else f"is no value of type {field.data_type}"
        else:
            if found is not None:
                return found
            why = "is empty"
        raise configuration_error(
            OwnCode.INVALID_FIELD_OPTION, f"`fields`, {field.api_name}: the default {why}.", field=field.api_name
        )


def _texts(option: Any) -> frozenset[str]:
    """The texts of a value, or of a list of them."""
    values = option if isinstance(option, list) else [option]
    return frozenset(text for text in map(any_to_text, values) if text is not None)


_SHORTENED = frozenset({"text", "textarea", "currency", "double", "decimal", "percent"})
_PICKLISTS = frozenset({"picklist", "multiselectpicklist"})
_READ_WHOLE = frozenset(
    {"text", "textarea", "email", "phone", "website", "picklist", "multiselectpicklist", "integer", "bigint"}
    | {"currency", "double", "decimal", "percent", "boolean", "date", "datetime", "lookup", "ownerlookup", "userlookup"}
)


def read_fields(config: Mapping[str, str | Mapping[str, Any]]) -> dict[str, FieldSettings]:
    """The entries of `fields` by API name.

    An entry is either `property: API name`, or `API name: {options}`; one field may have both, and then its options
    name no source.

    Raises:
        ConfigurationError: two entries name different sources for one field.
    """
    sources: dict[str, str] = {}
    for source, api_name in config.items():
        if isinstance(api_name, str):
            _claim(sources, api_name, source)
    options = {name: entry for name, entry in config.items() if not isinstance(entry, str)}
    for name, entry in options.items():
        if entry.get("source") is not None:
            _claim(sources, name, entry["source"])
    names = [*sources, *(name for name in options if name not in sources)]
    return {name: FieldSettings.read(name, sources.get(name), options.get(name, {})) for name in names}


def _claim(sources: dict[str, str], api_name: str, source: str) -> None:
    known = sources.setdefault(api_name, source)
    if known != source:
        raise configuration_error(
            OwnCode.AMBIGUOUS_FIELD, f"`fields` sends {known} and {source} to the one field {api_name}.", field=api_name
        )
