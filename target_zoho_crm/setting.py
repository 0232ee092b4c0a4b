"""A setting's schema, and whether its value counts for payload hashes (`delivery/payload_hasher.py`).

What decides which record is written where, and with what, counts: a change of it sends touched orders again. What says
how orders travel, who pays and who knocks does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from singer_sdk import typing as th

IN_PAYLOAD = "x-in-payload"
"""The keyword in a setting's schema; JSON schema has no rule for it."""


class Setting(th.Property[Any]):
    """One setting. Whether it counts has no default: whoever adds a setting says so."""

    def __init__(self, name: str, wrapped: Any, *, in_payload: bool, **options: Any) -> None:
        """`options` as `th.Property` takes them."""
        super().__init__(name, wrapped, **options)
        self.in_payload = in_payload

    def to_dict(self) -> dict[str, Any]:
        """The setting's schema by its name."""
        return {name: {**schema, IN_PAYLOAD: self.in_payload} for name, schema in super().to_dict().items()}


def counted(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an object that counts by its schema. What the schema does not know counts."""
    known: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    other = others if isinstance(others, Mapping) else {}
    kept = {}
    for name, value in values.items():
        described = known.get(name, other)
        if described.get(IN_PAYLOAD, True):
            kept[name] = counted(value, described) if isinstance(value, Mapping) else value
    return kept
