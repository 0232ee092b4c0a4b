"""Makes a failing history small: whatever it fails without is left out, one thing at a time."""

from __future__ import annotations

from simulation.chance import Chance
from simulation.history import History, Verdict
from simulation.history_plan import Plan
from simulation.kinds import Kind
from simulation.theatre import Theatre

ROUNDS = 3


def shrunk(theatre: Theatre, seed: int, on: frozenset[Kind]) -> tuple[Verdict, int]:
    """The smallest failing history of a seed that was found, and how much was left out.

    Raises:
        ValueError: the seed does not fail.
    """
    best = History(theatre, seed, on=on).run()
    if not best.violations:
        raise ValueError(f"seed {seed} is lawful")
    dropped: frozenset[tuple[str, int]] = frozenset()
    operations = Plan.of(Chance(seed), on).operations
    for _ in range(ROUNDS):
        before = dropped
        found = [(each.place, each.number) for each in best.injected]
        found += [("legacy", number) for number in reversed(range(operations))]
        for each in dict.fromkeys(found):
            if each in dropped:
                continue
            verdict = History(theatre, seed, dropped | {each}, on).run()
            if verdict.violations:
                best, dropped = verdict, dropped | {each}
        if dropped == before:
            break
    return best, len(dropped)
