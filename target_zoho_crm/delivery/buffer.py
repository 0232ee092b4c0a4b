"""The buffer of one stream: one entry a key, in the order in which keys first came.

The latest record wins. What it lacks is taken of the record that it supersedes, which nobody would write else.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from msgspec import UNSET, structs

from target_zoho_crm.batch import Entry
from target_zoho_crm.mapping.field_mapping import Refusal
from target_zoho_crm.record_decoding import GONE, Rows


class Buffer:
    """Orders read and not yet sent."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        """How many orders wait."""
        return len(self._entries)

    def add(self, rows: Rows) -> int:
        """Take records in; returns how many of all were superseded by a later one of the same key."""
        before = len(self._entries)
        if rows.contents is None:
            entries = map(Entry, rows.versions, rows.values)
        else:
            entries = map(Entry, rows.versions, rows.values, rows.contents)
        if rows.partial:
            for key, entry in zip(rows.keys, entries, strict=True):
                self._entries[key] = _completed(entry, self._entries.get(key))
        else:
            self._entries.update(zip(rows.keys, entries, strict=True))
        return before + len(rows.keys) - len(self._entries)

    def put_back(self, entries: dict[str, Entry]) -> int:
        """Take entries back that could not go yet; newer ones stay. Returns how many were superseded."""
        newer = {key: _completed(self._entries[key], entries[key]) for key in entries.keys() & self._entries.keys()}
        self._entries = {**entries, **self._entries, **newer}
        return len(newer)

    @property
    def keys(self) -> Collection[str]:
        """The keys of what waits."""
        return self._entries.keys()

    def take(self, most: int, leaving: Collection[str] = ()) -> dict[str, Entry]:
        """Give out up to `most` entries, the oldest first, but none of the keys in `leaving`."""
        if most >= len(self._entries) and not leaving:
            taken, self._entries = self._entries, {}
            return taken
        free = (item for item in self._entries.items() if item[0] not in leaving)
        taken = dict(islice(free, most))
        for key in taken:
            del self._entries[key]
        return taken


def _completed(entry: Entry, earlier: Entry | None) -> Entry:
    """An entry with the values of an earlier one where its record has none."""
    if earlier is None or earlier.values is GONE or not any(value is UNSET for value in entry.values):
        return entry
    if isinstance(earlier.values[0], Refusal):  # it could not be read
        return entry
    both = zip(entry.values, earlier.values, strict=True)
    return structs.replace(entry, values=tuple(before if now is UNSET else now for now, before in both))
