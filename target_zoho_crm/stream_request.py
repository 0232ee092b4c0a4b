"""What a SCHEMA message asks for: a stream, its properties, and what the tap announces of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_ledger.stream_contract import Announcement


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """One SCHEMA message; only our own tap announces anything."""

    named: str
    """The stream as the message calls it, and the settings."""
    properties: Mapping[str, dict[str, Any]]
    key_properties: Sequence[str]
    announced: Announcement = field(default_factory=Announcement)

    @property
    def stream(self) -> str:
        """The stream as the ledger knows it: the tap's own name, which a stream map's `__alias__` does not change."""
        return self.announced.stream or self.named

    @property
    def key_is_number(self) -> bool:
        """Whether the key is one column, of numbers."""
        if len(self.key_properties) != 1:
            return False
        kinds = self.properties.get(self.key_properties[0], {}).get("type", ())
        return set([kinds] if isinstance(kinds, str) else kinds) - {"null", "integer"} == {"number"}
