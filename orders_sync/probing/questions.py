"""A question as a value; and all there are, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orders_sync.probing.bench import Bench
from orders_sync.probing.verdicts import Verdict


@dataclass(frozen=True)
class Calls:
    """Some calls, and the most credits that they cost; several questions may share them."""

    what: str
    credits: int


@dataclass(frozen=True)
class Question:
    """One open question of how Zoho behaves.

    Args:
        switch: its id: the emulator's switch that has its positions.
        asks: what it asks, in a few words.
        calls: what asking it takes.
        ask: makes the calls and judges the answers. It raises NotAsked where it cannot be asked.
    """

    switch: str
    asks: str
    calls: tuple[Calls, ...]
    ask: Callable[[Bench], Verdict]
