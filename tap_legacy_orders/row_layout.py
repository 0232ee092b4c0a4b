"""The rows of the reader's queries, as the driver gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Where a row of a query holds what the reader goes by: key, version and replication key stand after the values."""

    key_at: int
    """How many values a row begins with."""
    position_is_version: bool
    """True when the version is the replication key's own text, which is not selected again then."""
    has_fingerprint: bool = False
    """Whether a fingerprint of the columns that are sent stands behind these."""

    def key(self, row: Row) -> str:
        """The order's key as text."""
        key: str = row[self.key_at]
        return key

    def version(self, row: Row) -> str:
        """The order's version."""
        version: str = row[self.key_at + 1]
        return version

    def replication(self, row: Row) -> str:
        """The text of the order's replication key."""
        position: str = row[self.key_at + (1 if self.position_is_version else 2)]
        return position

    def fingerprint(self, row: Row) -> str:
        """The fingerprint of the columns that are sent."""
        fingerprint: str = row[self.key_at + (2 if self.position_is_version else 3)]
        return fingerprint
