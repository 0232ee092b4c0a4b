"""Many histories, in as many processes as there are processors, and what they met."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from simulation.history import History, Verdict
from simulation.kinds import Kind
from simulation.theatre import Theatre

SHARE = 25
"""Histories that a process takes at a time."""


@dataclass
class Total:
    """All verdicts."""

    seeds: int = 0
    with_fault: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        self.seeds += 1
        self.faults.update(each.kind for each in verdict.injected)
        self.with_fault.update(verdict.kinds)
        self.pairs.update(itertools.combinations(sorted(verdict.kinds), 2))
        if verdict.violations:
            self.failed.append(verdict)


def run_many(seeds: Sequence[int], jobs: int, on: frozenset[Kind], *, stop_at_first: bool = False) -> Total:
    """Run a history for each seed, with kinds of trouble that are `on`."""
    total = Total()
    for verdict in _verdicts(seeds, jobs, on):
        total.add(verdict)
        if verdict.violations and stop_at_first:
            break
    total.failed.sort(key=lambda verdict: verdict.seed)
    return total


def _verdicts(seeds: Sequence[int], jobs: int, on: frozenset[Kind]) -> Iterator[Verdict]:
    if jobs == 1:
        theatre = Theatre()
        try:
            yield from (History(theatre, seed, on=on).run() for seed in seeds)
        finally:
            theatre.close()
        return
    shares = [seeds[start : start + SHARE] for start in range(0, len(seeds), SHARE)]
    # Processes of their own from the start: the stand-ins are for them alone.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for verdicts in pool.imap(partial(_share, on=on), shares):
            yield from verdicts


_THEATRE: list[Theatre] = []


def _share(seeds: Iterable[int], on: frozenset[Kind]) -> list[Verdict]:
    if not _THEATRE:
        _THEATRE.append(Theatre())
    return [History(_THEATRE[0], seed, on=on).run() for seed in seeds]


def report(total: Total, seconds: float, *, brief: bool) -> None:
    """Print what was met: fault by fault and pair by pair, or in brief."""
    kinds = sorted(total.faults)
    met = sum(1 for count in total.pairs.values() if count)
    print(
        f"simulation: {total.seeds:,} histories in {seconds:,.0f} s, {sum(total.faults.values()):,} faults of "
        f"{len(kinds)} kinds, {met} of {len(kinds) * (len(kinds) - 1) // 2} pairs of kinds met in one history; "
        f"{len(total.failed)} break the law"
    )
    if not brief:
        print(f"{'fault':18} {'injected':>10} {'histories':>10}")
        for kind, count in sorted(total.faults.items()):
            print(f"{kind:18} {count:10,} {total.with_fault[kind]:10,}")
        print("pairs of faults in one history:")
        for one in kinds:
            others = ", ".join(f"{other} {total.pairs[one, other]:,}" for other in kinds if other > one)
            if others:
                print(f"  {one}: {others}")
    for verdict in total.failed[:20]:
        print(f"seed {verdict.seed}: {verdict.violations[0]}")
