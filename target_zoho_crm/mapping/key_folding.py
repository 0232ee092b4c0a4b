"""How Zoho's unique field may compare keys: trimmed, mostly without case, and compatible characters alike. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sync_databases.folded_keys import folded_key, shortest_number


@dataclass(frozen=True, slots=True)
class KeyFolding:
    """The form of a key by which two keys are taken for one that Zoho may take for one."""

    folds_case: bool
    numbers: bool = False
    """Whether the keys are numbers: 7 and 7.00, as a column renders them before and after its type was changed."""

    def fold(self, key: str) -> str:
        """Fold one key."""
        return folded_key(shortest_number(key) if self.numbers else key, folds_case=self.folds_case)

    def folded(self, keys: Collection[str]) -> Collection[str]:
        """The folded form of all keys, in their order."""
        changed = self.changed(keys)
        return [changed.get(key, key) for key in keys] if changed else keys

    def changed(self, keys: Collection[str]) -> dict[str, str]:
        """The folded form of those keys that differ from it; one look finds that there are none, as is usual."""
        joined = "".join(keys)
        if self.numbers and "." in joined:
            return {key: folded for key in keys for folded in [self.fold(key)] if folded != key}
        no_space = joined.split(None, 1) == [joined]  # which goes no further than to the first space
        if no_space and joined.isascii() and (not self.folds_case or joined.upper() == joined):
            return {}
        # What `fold` does to ASCII, without a call for each key.
        plain = str.upper if self.folds_case else str
        folds = [plain(key.strip()) for key in keys] if joined.isascii() else map(self.fold, keys)
        return {key: folded for key, folded in zip(keys, folds, strict=True) if folded != key}
