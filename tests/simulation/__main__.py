"""Runs histories: `python -m simulation SEED` tells one, with its faults and what happened."""

from __future__ import annotations

import sys
import time

from simulation.history import History, Theatre

theatre = Theatre()
began = time.perf_counter()
first, last = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None
for seed in range(first, (last or first + 1)):
    verdict = History(theatre, seed).run()
    if verdict.violations or last is None:
        print(seed, verdict.violations, verdict.steps)
        if last is None:
            print(*verdict.trace, *map(str, verdict.injected), sep="\n")
print(time.perf_counter() - began)
theatre.close()
