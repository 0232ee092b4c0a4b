"""What a person thought of mutants that survive: survivors.txt, a line each.

id  equivalent|accepted  file:definition  why

Equivalent: no run can show a difference. Accepted: one can, and it breaks no promise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mutation.mutants import mutants_of

LIST = Path(__file__).parent / "survivors.txt"
WORDS = ("equivalent", "accepted")


@dataclass(frozen=True)
class Survivor:
    """One line of the list."""

    id: str
    word: str
    place: str
    why: str


def read(text: str) -> list[Survivor]:
    """The list; empty lines and those that begin with # are for its reader."""
    lines = (line.split(maxsplit=3) for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return [Survivor(*line) for line in lines]


def complaints(survivors: Iterable[Survivor], root: Path) -> list[str]:
    """What does not fit the code as it is, and lines that say nothing."""
    found: list[str] = []
    known: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    for each in survivors:
        file, _, definition = each.place.partition(":")
        if file not in known:
            path = root / file
            mutants = mutants_of(file, path.read_text(encoding="utf-8")) if path.is_file() else []
            known[file] = {mutant.id: mutant.definition for mutant in mutants}
        if each.word not in WORDS:
            found.append(f"{each.id}: {each.word!r} is neither {' nor '.join(WORDS)}")
        if each.id in seen:
            found.append(f"{each.id} stands twice")
        if known[file].get(each.id) != definition:
            found.append(f"{each.id} is no mutant of {each.place} any more: look at it again, or take it out")
        seen.add(each.id)
    return found
