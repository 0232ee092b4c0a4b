"""Measures all cases and keeps the result: `python -m benchmarks.run --rows 100000 500000 --runs 5`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.cases import Bench, BenchmarkError
from benchmarks.figures import Figures
from benchmarks.orders import make_orders
from scripts.performance_page import performance_tables
from zoho_crm_emulator.control import EmulatorProcess

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 500_000], help="orders in the table")
    parser.add_argument("--runs", type=int, default=5, help="how often each case is measured")
    parser.add_argument(
        "--plain-runs",
        type=int,
        nargs="+",
        help="how often the plain pairs are measured, a number for each of --rows; as --runs if absent",
    )
    parser.add_argument("--out", type=Path, help="where the result goes; benchmarks/results/<moment>.json if absent")
    options = parser.parse_args()
    work = RESULTS / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with EmulatorProcess(work / "crm.sqlite", edition="unlimited") as emulator:
            benches = [Bench(work, emulator, rows) for rows in options.rows]
            plain_runs = options.plain_runs or [options.runs] * len(benches)
            figures = measure(benches, options.runs, plain_runs)
    except BenchmarkError as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    result = figures.result()
    path = options.out or RESULTS / f"{datetime.now(timezone.utc):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(work)
    print(performance_tables(result))
    print(f"\nKept in {path}")
    return 0


def measure(benches: list[Bench], runs: int, plain_runs: list[int]) -> Figures:
    """Measure every case `runs` times, the plain pairs as often as `plain_runs` says for each bench.

    The rounds go through all pairs, so that a slow minute meets them all.
    """
    figures = Figures()
    for bench, plain in zip(benches, plain_runs, strict=True):
        make_orders(bench.source, bench.rows)
        for number in range(1, runs + 1):
            for pair in bench.pairs():
                if number > plain and not pair.confirms:
                    continue
                print(f"{bench.rows:,} orders, round {number} of {runs}: {pair.label}", file=sys.stderr)
                if pair.tap_of == pair.name:
                    figures.add("tap", pair.label, bench.rows, bench.tap_alone(pair))
                figures.add("target", pair.label, bench.rows, bench.target_alone(pair))
                figures.add("meltano", pair.label, bench.rows, bench.meltano(pair, f"{bench.rows}-{number}"))
    return figures


if __name__ == "__main__":
    sys.exit(main())
