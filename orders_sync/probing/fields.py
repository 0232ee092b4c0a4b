"""The fields that the probe's questions need in the module; `init --probe` makes those that the API can make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ProbeField:
    """A field to be made; its label becomes its API name, with `_` for a space."""

    api_name: str
    data_type: str
    more: dict[str, Any] = field(default_factory=dict)

    def document(self, module: str) -> dict[str, Any]:
        """The field as `POST settings/fields` takes it, for this module."""
        label = self.api_name.replace("_", " ")
        pointed = {"lookup": {"module": {"api_name": module}}} if self.data_type == "lookup" else {}
        return {"field_label": label, "data_type": self.data_type, **self.more, **pointed}


KEY, SECOND, TEXT, NUMBER, BIGINT, DECIMAL = (
    "Probe_Key",
    "Probe_Second",
    "Probe_Text",
    "Probe_Number",
    "Probe_Bigint",
    "Probe_Decimal",
)
DATE, TIME, LOOKUP, KIND, PART = "Probe_Date", "Probe_Time", "Probe_Lookup", "Probe_Kind", "Probe_Part"
TEXT_LENGTH, PLACES = 40, 2
KINDS, PARTS = ("probe A", "probe B"), ("probe A1", "probe B1")
REFUSED_TEXT = "probe refused"
"""What a validation rule of Probe_Text is to refuse, where a person makes one."""
_UNIQUE = {"unique": {"casesensitive": "true"}}


def _choices(values: tuple[str, ...]) -> dict[str, Any]:
    return {"pick_list_values": [{"display_value": each, "actual_value": each} for each in values]}


FIELDS = (
    ProbeField(KEY, "text", {"length": 100, **_UNIQUE}),
    ProbeField(SECOND, "text", {"length": 100, **_UNIQUE}),
    ProbeField(TEXT, "text", {"length": TEXT_LENGTH}),
    ProbeField(NUMBER, "integer"),
    ProbeField(BIGINT, "bigint"),
    ProbeField(DECIMAL, "double", {"decimal_place": PLACES}),
    ProbeField(DATE, "date"),
    ProbeField(TIME, "datetime"),
    ProbeField(LOOKUP, "lookup"),
    ProbeField(KIND, "picklist", _choices(KINDS)),
    ProbeField(PART, "picklist", _choices(PARTS)),
)
OWN_NAMES = frozenset(each.api_name for each in FIELDS)
