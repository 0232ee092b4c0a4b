"""Measures the pair against itself at an earlier commit: `python -m benchmarks.against_commit COMMIT`.

Both are installed into environments of their own, and each round runs both, one right after the other, so that a slow
minute meets both. What is compared is CPU an order and memory, of tap and target; nothing is kept, since figures of two
days or machines are not to be compared.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import Plugin, target_settings
from benchmarks.large_shop import LargeShop
from benchmarks.orders import make_orders
from benchmarks.peers import PROJECT, Peer
from benchmarks.processes import BenchmarkError, Processes, Usages, work_folder
from scripts.servers import NoServerError, postgresql_database
from zoho_crm_emulator.control import EmulatorProcess

MICROSECONDS = 1e6
EARLIER, NOW = "earlier", "now"
ROLES = ("tap", "target")


@dataclass(frozen=True)
class Case:
    """Orders on one engine, written by one channel, with the ledger beside them or in a database of its own."""

    engine: str
    channel: str
    rows: int
    beside: bool
    of_large_table: bool = False
    """The orders of `benchmarks.large_shop` in place of those of the comparison."""

    def __str__(self) -> str:
        """For a line of the table."""
        ledger = "beside them" if self.beside else "elsewhere"
        orders = "orders of the large table" if self.of_large_table else "orders"
        return f"{self.rows:,} {orders} on {self.engine} by {self.channel}, ledger {ledger}"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.against_commit", description=__doc__)
    parser.add_argument("commit", help="the earlier commit")
    parser.add_argument("--rows", type=int, default=300_000, help="orders by bulk write jobs")
    parser.add_argument("--call-rows", type=int, default=0, help="orders by upsert calls; 0: none")
    parser.add_argument("--elsewhere", action="store_true", help="also with the ledger in a database of its own")
    parser.add_argument("--large-table", action="store_true", help="also with the orders of the large table")
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured")
    options = parser.parse_args()
    cases = [
        Case(engine, channel, rows, beside, of_large_table)
        for channel, rows in (("bulk_write", options.rows), ("upsert", options.call_rows))
        for engine in ("sqlite", "postgresql")
        for beside in ((True, False) if options.elsewhere else (True,))
        for of_large_table in ((False, True) if options.large_table else (False,))
        if rows
    ]
    try:
        with work_folder() as folder, _installed(options.commit, folder / "checkout") as pairs:
            for number, case in enumerate(cases):
                _print(case, _measure(folder / str(number), case, pairs, options.runs))
    except (BenchmarkError, NoServerError) as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _installed(commit: str, checkout: Path) -> Iterator[Mapping[str, Peer]]:
    """Both versions of the pair; the earlier one is checked out for as long."""
    git = ["git", "-C", str(PROJECT)]
    subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(checkout), commit], check=True)
    try:
        yield {
            EARLIER: Peer("earlier", [f"{checkout}[postgres]"], state=commit),
            NOW: Peer("now", ["--editable", f"{PROJECT}[postgres]"]),
        }
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(checkout)], check=True)


def _measure(folder: Path, case: Case, pairs: Mapping[str, Peer], runs: int) -> dict[str, list[Usages]]:
    folder.mkdir()
    taken: dict[str, list[Usages]] = {EARLIER: [], NOW: []}
    with EmulatorProcess(folder / "crm.sqlite", edition="unlimited") as emulator:
        for number in range(runs):
            for name in (EARLIER, NOW) if number % 2 else (NOW, EARLIER):
                print(f"{case}: {name}, round {number + 1} of {runs}", file=sys.stderr)
                emulator.admin.reset()
                emulator.admin.switch(download_url="relative")  # an earlier pair knows no host of results
                with _orders(folder, case) as (orders, ledger):
                    taken[name].append(_pipe(folder, case, pairs[name], emulator, orders, ledger))
                there = emulator.admin.stats()["modules"]["Orders"]
                if there != case.rows:
                    raise BenchmarkError(f"{name}: of {case.rows} orders {there} reached the CRM")
    return taken


@contextmanager
def _orders(folder: Path, case: Case) -> Iterator[tuple[str, str]]:
    """URLs of a new database with the orders, and of one for the ledger."""
    apart = folder / "ledger.sqlite"
    if case.engine == "postgresql":
        with postgresql_database() as url:
            _make(url, case)
            yield url, url if case.beside else f"sqlite:///{apart}"
    else:
        url = f"sqlite:///{folder / 'orders.sqlite'}"
        _make(url, case)
        yield url, url if case.beside else f"sqlite:///{apart}"
    for path in folder.glob("*.sqlite*"):
        if not path.name.startswith("crm"):
            path.unlink()


def _make(url: str, case: Case) -> None:
    if case.of_large_table:
        LargeShop(url, case.rows).make_orders()
    else:
        make_orders(url, case.rows)


def _pipe(folder: Path, case: Case, pair: Peer, emulator: EmulatorProcess, orders: str, ledger: str) -> Usages:
    processes = Processes(folder)
    elsewhere: dict[str, Any] = {} if case.beside else {"ack_url": ledger}
    tap = Plugin(
        [pair.program("tap-legacy-orders")], lambda url: {"sqlalchemy_url": url, "orders_table": "orders"} | elsewhere
    )
    target = Plugin(
        [pair.program("target-zoho-crm")], lambda _: {**target_settings(emulator, ledger), "channel": case.channel}
    )
    return processes.pipe(processes.tap_command(tap, orders), processes.command("target", target, ledger))


def _print(case: Case, taken: Mapping[str, list[Usages]]) -> None:
    """One line for CPU and one for memory, with the ratio of the medians."""
    print(case)
    cpu = {
        name: _medians(runs, lambda usage: MICROSECONDS * usage.cpu_seconds / case.rows) for name, runs in taken.items()
    }
    memory = {name: _medians(runs, lambda usage: usage.peak_memory_mib) for name, runs in taken.items()}
    for role in ROLES:
        before, after = cpu[EARLIER][role], cpu[NOW][role]
        print(f"  {role}: CPU {before:.2f} -> {after:.2f} us an order ({after / before:.3f}); ", end="")
        before, after = memory[EARLIER][role], memory[NOW][role]
        print(f"memory {before:.1f} -> {after:.1f} MiB ({after / before:.3f})")
    before, after = (sum(cpu[name].values()) for name in (EARLIER, NOW))
    print(f"  both: CPU {before:.2f} -> {after:.2f} us an order ({after / before:.3f})", flush=True)


def _medians(runs: list[Usages], of: Any) -> dict[str, float]:
    return {role: statistics.median(of(run[role]) for run in runs) for role in ROLES}


if __name__ == "__main__":
    sys.exit(main())
