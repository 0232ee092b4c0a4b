"""A batch: orders that go together by one mapping and one channel, and the pending records whose outcomes they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec

from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.mapping.field_mapping import FieldMapping


class Channel(StrEnum):
    """The way that records take into the CRM."""

    AUTO = "auto"
    UPSERT = "upsert"
    BULK_WRITE = "bulk_write"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One order to be written: its version, the values of the mapped columns, and what our tap says of its content."""

    version: str
    values: tuple[Any, ...]
    content: str = ""


class PendingRecords:
    """Records of one stream that were read together and whose outcomes are awaited; counted, not named."""

    __slots__ = ("stream", "unsettled")

    def __init__(self, stream: str) -> None:
        """Start with no records."""
        self.stream = stream
        self.unsettled = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Orders that go together by one mapping, and the pending records that they are of.

    `entries` is keyed by the order's key; its values stand in the order of the mapping's columns. `payload_hashes` are
    there by key where they were asked for, `job` is the journal's line of an insert call. `one_by_one`: earlier calls
    with these orders failed as a whole, so each goes in a call of its own. `group`: an earlier call with just these
    failed, and one of them is to blame. `links` holds, for a job, the ids of the records that orders are linked to, by
    key and field, and `lines` the rows of a call's lines, once they are read for a check; both may name further orders.
    `left` names fields that an update leaves as they are, by key; `unmodified_since` is a condition of the whole call.
    """

    pending: PendingRecords
    mapping: FieldMapping
    entries: Mapping[str, Entry]
    payload_hashes: Mapping[str, str] = field(default_factory=dict)
    job: JournalledJob | None = None
    one_by_one: bool = False
    group: str | None = None
    links: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    lines: Any = None
    left: Mapping[str, Collection[str]] = field(default_factory=dict)
    unmodified_since: str | None = None

    def sorted(self) -> Batch:
        """The batch in the order of its keys."""
        keys = sorted(self.entries)
        return self if keys == list(self.entries) else self.only(keys)

    def only(self, keys: Collection[str]) -> Batch:
        """Some orders of the batch; all of these keys must be in it."""
        return replace(self, entries=dict(zip(keys, map(self.entries.__getitem__, keys), strict=True)))

    def without(self, keys: Collection[str]) -> Batch:
        """The batch without some orders."""
        if not keys:
            return self
        return replace(self, entries={key: entry for key, entry in self.entries.items() if key not in keys})

    @property
    def versions(self) -> Mapping[str, str]:
        """As `manifest`, but a view: it costs nothing to make."""
        return _Versions(self.entries)

    @property
    def manifest(self) -> dict[str, str]:
        """Key to version."""
        return dict(zip(self.entries, map(_VERSION, self.entries.values()), strict=True))


class _Versions(Mapping[str, str]):
    """The version of each entry by its key."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def __getitem__(self, key: str) -> str:
        return self._entries[key].version

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


_VERSION = attrgetter("version")
