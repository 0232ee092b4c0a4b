"""Four pairs side by side against one: `python -m benchmarks.parallel_pairs`, on a PostgreSQL server.

Each round is a first load of the same orders. The emulator's jobs take no time and its limits are high, but it works on
the same machine, as the database does; the CPU of all plugins together says what partitions cost, the seconds what they
gain, and how busy the machine is with one pair how much they could gain at best.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.contenders import target_settings
from benchmarks.figures import spread
from benchmarks.large_shop import LargeShop, scratch_database
from benchmarks.measured import Usage, run_measured
from benchmarks.peers import ours
from benchmarks.processes import BenchmarkError, work_folder
from benchmarks.results import Table, keep
from scripts.servers import NoServerError
from sync_ledger.ledger import Ledger
from zoho_crm_emulator.control import EmulatorProcess


@dataclass(frozen=True)
class Round:
    """A first load by some pairs: seconds by the clock, CPU of all plugins, and what the ledger says afterwards.

    `machine_seconds` is the CPU of the whole machine: plugins, database and emulator.
    """

    seconds: float
    cpu_seconds: float
    machine_seconds: float
    ledger: str


def first_load(folder: Path, url: str, emulator: EmulatorProcess, rows: int, of: int) -> Round:
    """Forget everything, then load with `of` pairs at once.

    Raises:
        BenchmarkError: a pair failed, or an order is missing.
    """
    emulator.admin.reset()
    ledger = Ledger.open(url)
    ledger.tables.metadata.drop_all(ledger.engine)
    ledger.ensure_tables()
    target = target_settings(emulator, url)
    scripts = []
    for index in range(1, of + 1):
        tap = {"sqlalchemy_url": url, "orders_table": "orders", "partition": {"index": index, "of": of}}
        for role, config in (("tap", tap), ("target", target)):
            (folder / f"{role}-{index}.json").write_text(json.dumps(config), encoding="utf-8")
        reads = f"'{ours('tap-legacy-orders')}' --config tap-{index}.json"
        pipe = f"{reads} | '{ours('target-zoho-crm')}' --config target-{index}.json"
        scripts.append(f"cd '{folder}' && {pipe} > state-{index}.json")
    began, used = time.perf_counter(), _machine_seconds()
    with ThreadPoolExecutor(of) as threads:
        usages = list(threads.map(_run, scripts, [folder / f"{index}.log" for index in range(of)]))
    seconds, used = time.perf_counter() - began, _machine_seconds() - used
    found = _told(ledger)
    ledger.close()
    there = emulator.admin.stats()["modules"]["Orders"]
    if there != rows:
        raise BenchmarkError(f"{there:,} of {rows:,} orders reached the CRM by {of} pairs")
    return Round(seconds, sum(usage.cpu_seconds for usage in usages), used, found)


def _machine_seconds() -> float:
    """CPU seconds of all CPUs since the machine began, as Linux counts them."""
    user, nice, system, _, _, interrupts, soft, stolen = map(
        int, Path("/proc/stat").read_text(encoding="ascii").split()[1:9]
    )
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _run(script: str, log: Path) -> Usage:
    with log.open("wb") as output:
        usage = run_measured(["bash", "-o", "pipefail", "-c", script], stderr=output.fileno())
    if usage.exit_code != 0:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        raise BenchmarkError("\n  ".join([f"a pair ended with exit code {usage.exit_code}", *said]))
    return usage


def _told(ledger: Ledger) -> str:
    """What the ledger says of each order, as a hash: key, version and status."""
    ack = ledger.tables.ack
    query = sa.select(ack.c.record_key, ack.c.version, ack.c.status, ack.c.zoho_id.is_not(None))
    told = hashlib.sha256()
    with ledger.connect() as connection:
        for row in connection.execution_options(yield_per=10_000).execute(query.order_by(ack.c.record_key)):
            told.update(repr(tuple(row)).encode())
    return told.hexdigest()


def measure(rows: int, runs: int, of: int, folder: Path) -> dict[str, Any]:
    """Measure `runs` rounds of one pair and of `of`, by turns."""
    with (
        scratch_database("postgresql", folder) as url,
        EmulatorProcess(folder / "crm.sqlite", edition="unlimited", job_seconds="0") as emulator,
    ):
        LargeShop(url, rows).make_orders()
        rounds: dict[int, list[Round]] = {1: [], of: []}
        for _ in range(runs):
            for pairs, kept in rounds.items():
                kept.append(first_load(folder, url, emulator, rows, pairs))
                print(f"{pairs} pairs: {kept[-1].seconds:.1f} s, {kept[-1].cpu_seconds:.1f} s of CPU", file=sys.stderr)
    if len({each.ledger for kept in rounds.values() for each in kept}) != 1:
        raise BenchmarkError("the ledger of several pairs is another one than that of one pair")
    return {
        "rows": rows,
        "runs": runs,
        "pairs": {str(pairs): _figures(rows, kept) for pairs, kept in rounds.items()},
        "ratio": round(_median(rounds[1]) / _median(rounds[of]), 2),
        "same_ledger": True,
    }


def _figures(rows: int, rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        "seconds": spread([each.seconds for each in rounds]),
        "cpu_seconds": spread([each.cpu_seconds for each in rounds]),
        "machine_seconds": spread([each.machine_seconds for each in rounds]),
        "busy_share": spread([each.machine_seconds / each.seconds / (os.cpu_count() or 1) for each in rounds]),
        "records_per_second": spread([rows / each.seconds for each in rounds]),
    }


def _median(rounds: Sequence[Round]) -> float:
    return spread([each.seconds for each in rounds])["median"]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.parallel_pairs", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--of", type=int, default=4)
    options = parser.parse_args()
    try:
        with work_folder() as folder:
            figures = measure(options.rows, options.runs, options.of, folder)
    except (BenchmarkError, NoServerError) as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    keep("partitions", figures, [table(figures)])
    return 0


def table(figures: Mapping[str, Any]) -> Table:
    """A row for each number of pairs."""
    rows = []
    for pairs, figure in figures["pairs"].items():
        seconds, speed, cpu = (figure[name] for name in ("seconds", "records_per_second", "cpu_seconds"))
        shown = [f"{seconds[name]:.1f}" for name in ("median", "smallest", "largest")]
        machine, busy = figure["machine_seconds"]["median"], figure["busy_share"]["median"]
        rows.append([pairs, *shown, f"{speed['median']:,.0f}", f"{cpu['median']:.1f}", f"{machine:.1f}", f"{busy:.0%}"])
    columns = [
        *("Pairs at once", "Seconds", "Smallest", "Largest", "Orders a second"),
        *("CPU s of all plugins", "CPU s with database and emulator", "CPUs busy"),
    ]
    alone = figures["pairs"]["1"]["busy_share"]["median"]
    note = (
        f"First loads of {figures['rows']:,} orders; the CRM and the ledger are the same each time. One pair keeps the "
        f"CPUs busy for {alone:.0%} of the time, so that no number of pairs can be more than {1 / alone:.2f} times as "
        "fast here."
    )
    return Table(f"Throughput: {figures['ratio']} times that of one pair", columns, rows, note)


if __name__ == "__main__":
    sys.exit(main())
