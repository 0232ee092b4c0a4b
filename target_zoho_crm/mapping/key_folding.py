"""How Zoho's unique field compares keys: trimmed, and mostly without case. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyFolding:
    """The form of a key in which Zoho compares it. Upper case, since order numbers mostly are."""

    folds_case: bool

    def fold(self, key: str) -> str:
        """Fold one key."""
        return key.strip().upper() if self.folds_case else key.strip()

    def folded(self, keys: Collection[str]) -> Collection[str]:
        """The folded form of all keys, in their order."""
        changed = self.changed(keys)
        return [changed.get(key, key) for key in keys] if changed else keys

    def changed(self, keys: Collection[str]) -> dict[str, str]:
        """The folded form of those keys that differ from it; one look finds that there are none, as is usual."""
        joined = "".join(keys)
        no_space = joined.split(None, 1) == [joined]  # which goes no further than to the first space
        if no_space and (not self.folds_case or joined.upper() == joined):
            return {}
        return {key: folded for key in keys for folded in [self.fold(key)] if folded != key}
