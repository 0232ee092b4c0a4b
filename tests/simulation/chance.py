"""Seeded decisions: each a function of seed, place and number alone, so that one can be dropped and the rest stay."""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple


class Injection(NamedTuple):
    """One thing that a history does to the pair: the `number`-th decision at `place` came out as `kind`."""

    place: str
    number: int
    kind: str

    def __str__(self) -> str:
        """E.g. `call 17: lost_after`."""
        return f"{self.place} {self.number}: {self.kind}"


class Chance:
    """All that is left to chance in one history."""

    def __init__(self, seed: int, dropped: frozenset[tuple[str, int]] = frozenset()) -> None:
        """Decisions named in `dropped` (place, number) come out as nothing."""
        self.seed = seed
        self.dropped = dropped
        self.injected: list[Injection] = []
        self.quiet = False
        """Set at the end of a history, when nothing more goes wrong."""
        self._numbers: Counter[str] = Counter()

    def at(self, place: str, number: int) -> random.Random:
        """The generator of one decision."""
        return random.Random((self.seed << 64) | (zlib.crc32(place.encode()) << 32) | number)

    def next(self, place: str) -> tuple[int, random.Random]:
        """The number and the generator of the next decision at a place."""
        number = self._numbers[place]
        self._numbers[place] += 1
        return number, self.at(place, number)

    def decide(self, place: str, rate: float, kinds: Mapping[str, float]) -> tuple[str | None, random.Random]:
        """Whether something happens here, with probability `rate`, and which kind by weight; and a generator."""
        number, generator = self.next(place)
        kind = None
        if generator.random() < rate and not self.quiet and (place, number) not in self.dropped:
            kind = generator.choices(list(kinds), list(kinds.values()))[0]
            self.injected.append(Injection(place, number, kind))
        return kind, generator

    def planned(self, place: str, number: int, kind: str) -> bool:
        """Note something that was planned beforehand; False where it is dropped."""
        if (place, number) in self.dropped:
            return False
        self.injected.append(Injection(place, number, kind))
        return True
