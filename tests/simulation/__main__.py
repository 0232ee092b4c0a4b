"""Runs histories: many in parallel, or one again.

python -m simulation --seeds 30000          seeds from 1 on, by all processors
python -m simulation --seed 17              one, with its faults and what happened, shrunk if it fails
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from simulation.history import History
from simulation.kinds import Kind, default_kinds, kinds_named
from simulation.many import Kept, Total, report, run_many
from simulation.shrinking import shrunk
from simulation.theatre import Theatre


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one history, told step by step")
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--fresh", type=int, default=0, help="how many more, from a seed that the clock gives")
    parser.add_argument("--keep", type=Path, help="a file that keeps sums, by which a second call goes on")
    parser.add_argument("--brief", action="store_true", help="print sums only")
    parser.add_argument("--stop-at-first", action="store_true", help="end with the first failure")
    parser.add_argument("--no-shrinking", action="store_true", help="leave failures as they are")
    parser.add_argument(
        "--kinds",
        type=kinds_named,
        default=default_kinds(),
        help=f"further kinds of trouble: all, none, or some of {', '.join(kind.value for kind in Kind)}",
    )
    options = parser.parse_args()
    if options.seed is not None:
        return _one(options.seed, options.kinds)
    fixed = range(options.first, options.first + options.seeds)
    fresh = int(time.time()) * 1000
    kept = Kept(options.keep, options.kinds, options.first) if options.keep else None
    total = kept.total if kept else Total()
    for _ in run_many(fixed[total.seeds :], options.jobs, total, options.kinds):
        if kept:
            kept.write()
        if total.failed and options.stop_at_first:
            break
    for _ in run_many(range(fresh, fresh + options.fresh), options.jobs, total, options.kinds):
        pass
    report(total, brief=options.brief)
    if total.failed and not options.no_shrinking:
        _tell_failure(min(total.failed), options.kinds)
    return 1 if total.failed else 0


def _one(seed: int, on: frozenset[Kind]) -> int:
    theatre = Theatre()
    try:
        verdict = History(theatre, seed, on=on).run()
    finally:
        theatre.close()
    print(*verdict.trace, sep="\n")
    print(f"seed {seed}: {verdict.steps} steps; {', '.join(map(str, verdict.injected)) or 'no faults'}")
    if not verdict.violations:
        print("lawful")
        return 0
    _tell_failure(seed, on)
    return 1


def _tell_failure(seed: int, on: frozenset[Kind]) -> None:
    theatre = Theatre()
    try:
        verdict, dropped = shrunk(theatre, seed, on)
    finally:
        theatre.close()
    print(f"seed {seed} breaks the law; without {dropped} of its faults and changes it still does:")
    print(*(f"  {line}" for line in verdict.trace), sep="\n")
    print(*(f"  needs {each}" for each in verdict.injected), sep="\n")
    print(*(f"  {line}" for line in verdict.violations), sep="\n")
    names = ",".join(sorted(kind.value for kind in on))
    print(f"again: make simulate SEED={seed}" + (f" KINDS={names}" if on != default_kinds() else ""))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of text have an order of their own in each process
        os.execve(
            sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    sys.exit(main())
