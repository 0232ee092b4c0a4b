"""All that is measured, in the order of docs/performance.md: `python -m benchmarks.suite`, by `make bench`.

A kind's module keeps its result by `benchmarks.results.keep` under the kind's name. Each runs in a process of its own;
one that fails is reported at the end, and the others are measured all the same.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
QUICK_RESULTS = PROJECT / ".bench" / "quick"


@dataclass(frozen=True)
class Kind:
    """One thing that is measured."""

    name: str
    title: str
    text: str
    """What is measured, and what to know before comparing."""

    command: Sequence[str]
    """Module and arguments."""

    quick: Sequence[str]
    """Module and arguments of the short form."""

    plot: str = ""
    """What the plot of benchmarks/plots.py of this name shows; none where there is no plot."""


KINDS = (
    Kind(
        "comparison",
        "Throughput beside other Singer programs",
        "Orders of 12 columns. The plain pair (`benchmarks/plain.py`) is what singer-sdk makes of a few lines: a SQL "
        "tap, and a target that throws its batches away; it writes nothing and confirms nothing, while `orders-sync` "
        "delivers every order and writes its ack. Each program has an environment of its own. *Times plain* is "
        "the ratio of the medians to the plain pair that validates, as singer-sdk does unless set otherwise, measured "
        "in the same rounds. Targets and pairs use SQLite, with the ledger beside the orders; the emulator takes no "
        "time on purpose, but its share of the same CPUs. Time and CPU include each process's start.",
        ["benchmarks.compare", "--rows", "500000", "--runs", "5"],
        ["benchmarks.compare", "--rows", "20000", "--runs", "1"],
        plot="Records a second of each contender, with the smallest and the largest of the runs",
    ),
    Kind(
        "memory",
        "Memory by size",
        "The largest resident set of tap and target, joined by a pipe, SQLite, one run a size.",
        ["benchmarks.memory_use", "--rows", "100000", "1000000", "5000000"],
        ["benchmarks.memory_use", "--rows", "5000", "50000"],
        plot="Peak memory of tap and target against the number of orders",
    ),
    Kind(
        "first-load",
        "First load beside the best possible schedule",
        "Jobs take 4 to 12 seconds, uploads 0.2 to 0.6, calls 0.1 to 0.8; limits of an Enterprise org. The best "
        "possible schedule is computed from what each job, upload and call really took, and begins once the token and "
        "the CRM's set-up have been asked for.",
        ["benchmarks.initial_load", "--rows", "1000000"],
        ["benchmarks.initial_load", "--rows", "20000", "--bulk-rows", "2000", "--max-jobs", "4"],
        plot="Each bulk job of a first load: what it waited for, and how long",
    ),
    Kind(
        "freshness",
        "Freshness in follow mode, by polling",
        "20 changes a second with bursts of 2,000, calls of 0.3 seconds, the pair killed and started again on the way. "
        "Seconds from the commit in the shop's database to the answer of the call that brought the change.",
        ["benchmarks.freshness", "--kills", "5", "--bursts", "5", "--seconds", "600"],
        ["benchmarks.freshness", "--kills", "1", "--bursts", "1", "--seconds", "20", "--idle", "2"],
        plot="How many of the changes outside bursts were visible after so many seconds",
    ),
    Kind(
        "freshness-notify",
        "Freshness in follow mode, woken by NOTIFY",
        "The same with the trigger of `orders-sync init --notify`, without bursts and kills.",
        ["benchmarks.freshness", "--kills", "0", "--bursts", "0", "--seconds", "120", "--idle", "5", "--notify"],
        ["benchmarks.freshness", "--kills", "0", "--bursts", "0", "--seconds", "10", "--idle", "2", "--notify"],
    ),
    Kind(
        "acks",
        "Writing acks",
        "How long the ledger takes for the acks of a whole bulk job.",
        ["benchmarks.ack_writing"],
        ["benchmarks.ack_writing", "--runs", "1"],
    ),
    Kind(
        "large-table",
        "Large tables",
        "Runs over a table whose orders are all synced, or all but 500, by `meltano run`. *Meltano alone* runs two "
        "scripts that do nothing; the *plain pair* is one of singer-sdk with an empty table.",
        [
            "benchmarks.large_table",
            *("--engine", "postgresql", "mariadb", "sqlite"),
            *("--rows", "10000000", "1000000", "1000000"),
        ],
        ["benchmarks.large_table", "--engine", "sqlite", "--rows", "20000", "--runs", "1"],
    ),
    Kind(
        "partitions",
        "Partitions side by side",
        "Several pairs at once, each on its part of the keys, against one.",
        ["benchmarks.parallel_pairs", "--rows", "500000"],
        ["benchmarks.parallel_pairs", "--rows", "20000", "--runs", "1"],
    ),
)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.suite", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short forms; results go to .bench/quick")
    parser.add_argument("--only", nargs="*", default=[], choices=[kind.name for kind in KINDS], help="these kinds only")
    parser.add_argument("--rows", nargs="*", default=[], help="orders in the comparison")
    parser.add_argument("--runs", help="rounds of the comparison")
    options = parser.parse_args()
    sized = [*(["--rows", *options.rows] if options.rows else []), *(["--runs", options.runs] if options.runs else [])]
    if options.quick:
        os.environ["BENCH_RESULTS"] = str(QUICK_RESULTS)
    began = time.monotonic()
    failed = []
    for kind in KINDS:
        command = kind.quick if options.quick else kind.command
        if not options.only or kind.name in options.only:
            print(f"== {kind.title}", flush=True)
            more = sized if kind.name == "comparison" else []
            if subprocess.run([sys.executable, "-m", *command, *more], check=False, cwd=PROJECT).returncode:
                failed.append(kind.name)
    print(f"Measured in {time.monotonic() - began:,.0f} s")
    if failed:
        print(f"Failed: {', '.join(failed)}; see above", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
