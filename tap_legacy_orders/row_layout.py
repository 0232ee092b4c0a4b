"""The rows of the reader's queries, as the driver gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync_databases.keys import NO_VERSION

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Where a row of a query holds what the reader goes by: key, version and replication key stand after the values."""

    key_at: int
    """How many values a row begins with."""
    position_is_version: bool
    """True when the version is the replication key's own text, which is not selected again then.

    An empty text, or none, is a position and no version.
    """
    has_fingerprint: bool = False
    """Whether a fingerprint of the columns that are sent stands behind these."""

    def key(self, row: Row) -> str:
        """The order's key as text."""
        key: str = row[self.key_at]
        return key

    def version(self, row: Row) -> str:
        """The order's version."""
        version: str = row[self.key_at + 1] or NO_VERSION
        return version

    def columns(self, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """The values of rows by column, keys and versions last."""
        width = self.key_at + 2
        columns: list[Sequence[Any]] = list[Sequence[Any]](zip(*rows, strict=True))[:width] if rows else [()] * width
        if self.position_is_version:
            columns[-1] = [version or NO_VERSION for version in columns[-1]]
        return columns

    def replication(self, row: Row) -> str:
        """The text of the order's replication key."""
        position: str = row[self.key_at + (1 if self.position_is_version else 2)]
        return position

    def fingerprint(self, row: Row) -> str:
        """The fingerprint of the columns that are sent."""
        fingerprint: str = row[self.key_at + (2 if self.position_is_version else 3)]
        return fingerprint
