"""Peak memory of tap and target by number of orders: `python -m benchmarks.memory_use --rows 100000 1000000 5000000`.

Ours only, joined by a pipe, one run a size: the largest resident set of each process.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import OURS, pairs
from benchmarks.orders import COLUMNS, make_orders
from benchmarks.processes import BenchmarkError, Processes, work_folder
from benchmarks.results import Table, keep
from zoho_crm_emulator.control import EmulatorProcess

ROWS = [100_000, 1_000_000, 5_000_000]
PER_CENT = 100


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory_use", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="orders in the table")
    options = parser.parse_args()
    sizes = []
    try:
        for rows in options.rows:
            print(f"{rows:,} orders", file=sys.stderr)
            with work_folder() as folder:
                sizes.append(measure(folder, rows))
    except BenchmarkError as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    figures = {"columns": len(COLUMNS), "sizes": sizes, "spread_per_cent": spreads(sizes)}
    keep("memory", figures, [table(figures)])
    return 0


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Bring so many orders over, and give each process's peak in MiB and the seconds it took.

    Raises:
        BenchmarkError: an order did not reach the CRM.
    """
    url = f"sqlite:///{folder / 'orders.sqlite'}"
    make_orders(url, rows)
    with EmulatorProcess(folder / "crm.sqlite", edition="unlimited") as emulator:
        processes = Processes(folder)
        pair = next(each for each in pairs(emulator) if each.name == OURS)
        used = processes.pipe(processes.tap_command(pair.tap, url), processes.command("target", pair.target, url))
        there = emulator.admin.stats()["modules"]["Orders"]
    if there != rows:
        raise BenchmarkError(f"{there} of {rows} orders reached the CRM")
    peaks = {role: round(used[role].peak_memory_mib, 1) for role in ("tap", "target")}
    return {"rows": rows, "seconds": round(used["whole"].seconds, 1), "peak_memory_mib": peaks}


def spreads(sizes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By how many per cent the largest peak of each process is above its smallest."""
    found = {}
    for role in sizes[0]["peak_memory_mib"]:
        peaks = [size["peak_memory_mib"][role] for size in sizes]
        found[role] = round(PER_CENT * (max(peaks) / min(peaks) - 1), 1)
    return found


def table(figures: Mapping[str, Any]) -> Table:
    """A row a size, and the spread."""
    rows = [
        [f"{size['rows']:,}", *(f"{peak:.1f}" for peak in size["peak_memory_mib"].values()), f"{size['seconds']:,.0f}"]
        for size in figures["sizes"]
    ]
    spread = ["Largest above smallest", *(f"{each:.1f} %" for each in figures["spread_per_cent"].values()), ""]
    columns = ["Orders", "Peak of the tap, MiB", "Peak of the target, MiB", "Seconds of the run"]
    return Table("Peak memory by number of orders", columns, [*rows, spread])


if __name__ == "__main__":
    sys.exit(main())
