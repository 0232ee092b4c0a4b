"""The rows of the reader's queries, as the driver gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync_databases.keys import NO_VERSION

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Where a row of a query holds what the reader goes by: key, version, replication key."""

    values: int
    """How many values a row begins with."""
    key_at: int
    version_at: int
    position_at: int
    """That of the version, where the version is the replication key's own text.

    An empty text, or none, is a position and no version.
    """
    fingerprint_at: int | None = None
    """Where a fingerprint of the columns that are sent stands; None where there is none."""

    @classmethod
    def behind(cls, values: int, *, is_version: bool, fingerprint: bool) -> RowLayout:
        """The layout of rows that hold these texts one after the other, behind so many values.

        `is_version`: the position is the version. `fingerprint`: the row has one.
        """
        position = values + (1 if is_version else 2)
        return cls(values, values, values + 1, position, position + 1 if fingerprint else None)

    def key(self, row: Row) -> str:
        """The order's key as text."""
        key: str = row[self.key_at]
        return key

    def version(self, row: Row) -> str:
        """The order's version."""
        version: str = row[self.version_at] or NO_VERSION
        return version

    def columns(self, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """The values of rows by column, keys and versions last."""
        columns: list[Sequence[Any]] = list[Sequence[Any]](zip(*rows, strict=True))
        if not rows:
            return [()] * (self.values + 2)
        versions = columns[self.version_at]
        if self.position_at == self.version_at:
            versions = [version or NO_VERSION for version in versions]
        return [*columns[: self.values], columns[self.key_at], versions]

    def replication(self, row: Row) -> str:
        """The text of the order's replication key."""
        position: str = row[self.position_at]
        return position

    def fingerprint(self, row: Row) -> str:
        """The fingerprint of the columns that are sent."""
        assert self.fingerprint_at is not None  # noqa: S101 - who asks has looked
        fingerprint: str = row[self.fingerprint_at]
        return fingerprint
