"""What a SCHEMA message asks for: a stream, its properties, and what the tap announces of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_ledger.stream_contract import Announcement


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """One SCHEMA message; only our own tap announces anything."""

    stream: str
    properties: Mapping[str, dict[str, Any]]
    key_properties: Sequence[str]
    announced: Announcement = field(default_factory=Announcement)
