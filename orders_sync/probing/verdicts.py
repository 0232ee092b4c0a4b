"""What an answer says about a question: the position that it shows, those that it leaves open, or that it fits none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, TypeVar

Position = str | int | None
"""A position of a switch, as the emulator and the profile write it."""


class Sureness(StrEnum):
    """How sure a verdict is."""

    SEEN = "seen"
    """The answer is what this position gives, and no other."""
    UNDECIDED = "undecided"
    """It fits several positions."""
    UNKNOWN = "unknown"
    """It fits none that is known; the evidence has it."""
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `positions` is one where it was seen, several where it is undecided, else none."""

    sureness: Sureness
    positions: tuple[Position, ...]
    why: str = ""


class NotAsked(Exception):  # noqa: N818 - no error: what ends one question, not the probe
    """The question cannot be asked here; the text says what is missing."""


class ProbeError(Exception):
    """The probe cannot go on, or leaves something behind; the text says why and what to do."""


def seen(position: Position, why: str = "") -> Verdict:
    """The answer shows this position."""
    return Verdict(Sureness.SEEN, (_plain(position),), why)


def _plain(position: Position) -> Position:
    """A position as a profile has it: a code is a member of an enum here, and text there."""
    return str(position.value) if isinstance(position, Enum) else position


def undecided(*positions: Position, why: str) -> Verdict:
    """The answer fits each of these."""
    return Verdict(Sureness.UNDECIDED, positions, why)


def unknown(why: str) -> Verdict:
    """The answer fits no position."""
    return Verdict(Sureness.UNKNOWN, (), why)


_P = TypeVar("_P", bound=Position)


def by_value(value: Any, positions: Mapping[Any, _P], what: str) -> Verdict:
    """The position that stands for exactly this value; `what` says what the value is, where none does."""
    for key, position in positions.items():
        each = key.value if isinstance(key, Enum) else key
        if type(value) is type(each) and value == each:
            return seen(position)
    return unknown(f"{what} is neither of {', '.join(map(repr, positions))}")
