"""Measures ours against its peers: `python -m benchmarks.compare --rows 500000 --runs 5`."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from benchmarks.cases import Bench
from benchmarks.contenders import OURS, OURS_BY_FILES
from benchmarks.figures import Samples, tables
from benchmarks.peers import MELTANOLABS
from benchmarks.processes import BenchmarkError, work_folder
from benchmarks.results import keep
from scripts.servers import NoServerError, postgresql_database
from zoho_crm_emulator.control import EmulatorProcess


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.compare", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000], help="orders in the table")
    parser.add_argument("--runs", type=int, default=5, help="how often each case is measured")
    parser.add_argument("--peer-runs", type=int, help="how often the others are measured; as --runs if absent")
    options = parser.parse_args()
    runs = options.runs, options.peer_runs or options.runs
    try:
        with work_folder() as folder, ExitStack() as databases:
            urls = [databases.enter_context(postgresql_database()) for _ in options.rows]
            with EmulatorProcess(folder / "crm.sqlite", edition="unlimited") as emulator:
                samples = measure(folder, emulator, dict(zip(options.rows, urls, strict=True)), *runs)
            versions = {**MELTANOLABS.versions, "PostgreSQL": _server_version(urls[0])}
    except (BenchmarkError, NoServerError) as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    figures = samples.figures()
    keep("comparison", figures, tables(figures), versions=versions)
    return 0


def measure(folder: Path, emulator: EmulatorProcess, sizes: dict[int, str], runs: int, peer_runs: int) -> Samples:
    """Measure every case of ours `runs` times; the rounds go through all cases, so that a slow minute meets them all.

    The others are measured in the first `peer_runs` rounds.

    `sizes` are numbers of orders, each with an empty database on PostgreSQL.
    """
    samples = Samples()
    for rows, postgresql in sizes.items():
        cases = list(Bench(folder, emulator, rows, postgresql).cases())
        for number in range(1, runs + 1):
            for case in cases:
                if number > peer_runs and case.contender not in {OURS, OURS_BY_FILES}:
                    continue
                print(f"{rows:,} orders, round {number} of {runs}: {case.group}, {case.contender}", file=sys.stderr)
                samples.add(case.group, case.contender, rows, case.measure(number))
    return samples


def _server_version(url: str) -> str:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return str(connection.scalar(sa.text("SHOW server_version"))).split()[0]


if __name__ == "__main__":
    sys.exit(main())
