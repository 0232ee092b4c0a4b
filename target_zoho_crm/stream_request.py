"""What a SCHEMA message asks for: a stream, its properties, and what the tap announces of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_ledger.partitions import WHOLE, Partition


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """One SCHEMA message; what only our own tap announces may be missing.

    `read_since` is when the tap began to read, as `RunLock.refuse_outdated` takes it; `partition` is the share of the
    stream that it reads; `sync_flag` describes the flag in the orders' table that it goes by.
    """

    stream: str
    properties: Mapping[str, dict[str, Any]]
    key_properties: Sequence[str]
    read_since: str | None = None
    partition: Partition = WHOLE
    sync_flag: object = None
