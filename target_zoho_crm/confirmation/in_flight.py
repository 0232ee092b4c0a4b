"""Which keys have a write under way: two writes for one key are never under way together, as Zoho orders neither."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Collection
from typing import TypeAlias

from target_zoho_crm.mapping.key_folding import KeyFolding

Flight: TypeAlias = "array[int]"
"""The hashes of keys under way, in place of the keys: some bytes each. A strange key of the same hash only waits."""


class InFlight:
    """The keys of one module with a write under way, as Zoho compares them. Safe for threads."""

    def __init__(self, folding: KeyFolding) -> None:
        """Start with none; `folding` is that of the module's key field."""
        self._folding = folding
        self._lock = threading.Lock()
        self._flights: list[Flight] = []

    def begin(self, keys: Collection[str]) -> Flight:
        """Note that writes for these keys are under way; returns what `end` takes."""
        flight = array("q", map(hash, self._folding.folded(keys)))
        with self._lock:
            self._flights.append(flight)
        return flight

    def end(self, flight: Flight) -> None:
        """Note that the writes of a flight are over, or never happened."""
        with self._lock:
            self._flights = [each for each in self._flights if each is not flight]

    def among(self, keys: Collection[str]) -> set[str]:
        """Which of these keys have a write under way."""
        with self._lock:
            flights = list(self._flights)
        if not flights:
            return set()
        folded = self._folding.folded(keys)
        wanted, found = set(map(hash, folded)), set[int]()
        for each in flights:
            found.update(wanted.intersection(each))
        return {key for key, compared in zip(keys, folded, strict=True) if hash(compared) in found} if found else set()
