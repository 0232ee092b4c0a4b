"""Many histories, in as many processes as there are processors, and what they met."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from code_tried import code_tried
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
    pairs: Counter[str] = field(default_factory=Counter)
    """By two kinds met in one history: `one + other`, in the order of the alphabet."""
    failed: dict[int, list[str]] = field(default_factory=dict)
    """What broke the law, by seed."""
    seconds: float = 0.0

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        self.seeds += 1
        self.faults.update(each.kind for each in verdict.injected)
        self.with_fault.update(verdict.kinds)
        self.pairs.update(map(" + ".join, itertools.combinations(sorted(verdict.kinds), 2)))
        if verdict.violations:
            self.failed[verdict.seed] = verdict.violations


def run_many(seeds: Sequence[int], jobs: int, total: Total, on: frozenset[Kind]) -> Iterator[None]:
    """Run a history for each seed, with kinds of trouble that are `on`; yields when `total` has one more share."""
    began = time.perf_counter() - total.seconds
    for verdicts in _shares(seeds, jobs, on):
        for verdict in verdicts:
            total.add(verdict)
        total.seconds = time.perf_counter() - began
        yield


def _shares(seeds: Sequence[int], jobs: int, on: frozenset[Kind]) -> Iterator[list[Verdict]]:
    shares = [seeds[start : start + SHARE] for start in range(0, len(seeds), SHARE)]
    # Processes of their own from the start: the stand-ins are for them alone.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(partial(_share, on=on), shares)


_THEATRE: list[Theatre] = []


def _share(seeds: Iterable[int], on: frozenset[Kind]) -> list[Verdict]:
    if not _THEATRE:
        _THEATRE.append(Theatre())
    return [History(_THEATRE[0], seed, on=on).run() for seed in seeds]


class Kept:
    """A file with the total of the first seeds, by which a second call with the same code goes on."""

    def __init__(self, file: Path, on: frozenset[Kind], first: int) -> None:
        """Read it, where it is of this code, these kinds and this first seed."""
        self._file = file
        self._of = {
            "code": code_tried("tests/simulation", "zoho_crm_emulator"),
            "first": first,
            "kinds": sorted(each.value for each in on),
        }
        self.total = Total()
        if file.exists():
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["of"] == self._of:
                self.total = _total(kept["total"])

    def write(self) -> None:
        """Write the total down in one go."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"of": self._of, "total": vars(self.total)}, indent=1), encoding="utf-8")
        new.replace(self._file)


def _total(kept: Mapping[str, Any]) -> Total:
    counters = {name: Counter(kept[name]) for name in ("with_fault", "faults", "pairs")}
    failed = {int(seed): violations for seed, violations in kept["failed"].items()}
    return Total(seeds=kept["seeds"], seconds=kept["seconds"], failed=failed, **counters)


def report(total: Total, *, brief: bool) -> None:
    """Print what was met: fault by fault and pair by pair, or in brief."""
    kinds = sorted(total.faults)
    print(
        f"simulation: {total.seeds:,} histories in {total.seconds:,.0f} s, {sum(total.faults.values()):,} faults of "
        f"{len(kinds)} kinds, {len(total.pairs)} of {len(kinds) * (len(kinds) - 1) // 2} pairs of kinds met in one "
        f"history; {len(total.failed)} break the law"
    )
    if not brief:
        print(f"{'fault':18} {'injected':>10} {'histories':>10}")
        for kind, count in sorted(total.faults.items()):
            print(f"{kind:18} {count:10,} {total.with_fault[kind]:10,}")
        print("pairs of faults in one history:")
        for one in kinds:
            met = {other: total.pairs[f"{one} + {other}"] for other in kinds}
            others = ", ".join(f"{other} {count:,}" for other, count in met.items() if count)
            if others:
                print(f"  {one}: {others}")
    for seed, violations in itertools.islice(sorted(total.failed.items()), 20):
        print(f"seed {seed}: {violations[0]}")
