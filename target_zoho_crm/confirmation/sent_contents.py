"""What acks say of how an order was written: its mapping, and the content that our tap says it has.

Of each key one version is under way at a time, so a key says which content is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sync_ledger.stream_contract import read_content
from target_zoho_crm.batch import Entry


class SentContents:
    """One stream's. Safe for threads."""

    def __init__(self, form: str | None, mapping_number: int | None = None) -> None:
        """`form` is the one that the tap announced; None for a tap that is not ours.

        `mapping_number` is that of the mapping that orders are written by.
        """
        self.form = form
        self._mapping_number = mapping_number
        self._by_key: dict[str, str] = {}
        self._rows: dict[str, str] = {}
        self._marks: dict[str, str] = {}

    def note(self, entries: Mapping[str, Entry]) -> None:
        """Note the contents of orders that are to be written."""
        if self.form is None:
            return
        for key, entry in entries.items():
            if entry.content:
                content = read_content(entry.content)
                self._by_key[key] = content.text
                if content.row:
                    self._rows[key] = content.row
            elif self._by_key:
                self.settled((key,))  # of an earlier version, which was left unsynced

    def note_marks(self, marks: Mapping[str, str]) -> None:
        """Note what their acks shall say of fields that may belong to people, by key."""
        self._marks.update(marks)

    def forget_mapping(self) -> None:
        """Let acks name no mapping any more: another schema came, and calls under the one before may be under way."""
        self._mapping_number = None

    def facts(self, *, written: bool = True) -> dict[str, Any]:
        """What the acks of some orders have in common; not `written`: they were acknowledged without a call now."""
        return {"content_form": self.form, "mapping_number": self._mapping_number if written else None}

    def rows_among(self, keys: Iterable[str]) -> dict[str, str | None]:
        """Fingerprints of the rows of those of these orders that have contents; None where there is no such."""
        return {key: self._rows.get(key) for key in keys if key in self._by_key} if self._by_key else {}

    def of(self, key: str) -> str | None:
        """The content of one order; None where the tap said nothing: its version says enough."""
        return self._by_key.get(key)

    def columns(self, keys: Sequence[str]) -> dict[str, Sequence[str | None]]:
        """The acks' columns of which there is anything."""
        columns = {"content": self._by_key, "field_marks": self._marks}
        return {name: list(map(known.get, keys)) for name, known in columns.items() if known}

    def among(self, keys: Iterable[str]) -> dict[str, str]:
        """The contents that there are of these orders, by key."""
        return {key: content for key in keys if (content := self._by_key.get(key))} if self._by_key else {}

    def settled(self, keys: Iterable[str]) -> None:
        """Forget the orders whose acks are written."""
        if self._by_key or self._marks:
            for key in keys:
                self._by_key.pop(key, None)
                self._rows.pop(key, None)
                self._marks.pop(key, None)
