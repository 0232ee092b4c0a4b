"""What a large table costs when little or nothing is to do: `python -m benchmarks.large_table --rows 10000000`.

All orders are synced. By `meltano run`: a full reconciliation without a bookmark, runs with nothing to do, and runs
with 500 orders changed. What Meltano takes itself is measured with plugins that do nothing at all, and with a plain
pair of singer-sdk, whose start is the price of Python and the SDK.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.contenders import target_settings
from benchmarks.figures import spread
from benchmarks.large_shop import LargeShop, scratch_database
from benchmarks.measured import Usage, run_measured
from benchmarks.meltano_project import MELTANO, Script, make_project
from benchmarks.peers import ours
from benchmarks.processes import BenchmarkError, work_folder
from benchmarks.results import Table, keep
from orders_sync.checks.query_plans import explain
from scripts.servers import NoServerError
from sync_databases.engines import engine_of
from sync_databases.value_sql import value_sql_for
from sync_ledger.tables import ledger_tables
from tap_legacy_orders.connections import open_engine, reading
from tap_legacy_orders.orders_table import find_orders_table
from tap_legacy_orders.tap import PAGE_SIZE
from tap_legacy_orders.unsynced_queries import UnsyncedQueries
from zoho_crm_emulator.control import EmulatorProcess

PROJECT = Path(__file__).resolve().parent.parent
CHANGED = 500
ENGINES = ("postgresql", "mariadb", "sqlite")


class Pairs:
    """A Meltano project with three pairs: ours, one of plugins that do nothing, and a plain one of singer-sdk."""

    def __init__(self, folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """`settings` are those of our tap and target, by role."""
        self._folder = folder
        self._log = folder / "process.log"
        empty = folder / "empty.sqlite"
        with sqlite3.connect(empty) as connection:
            connection.execute("CREATE TABLE orders (order_id INTEGER PRIMARY KEY)")
        catalog = json.dumps({"streams": []})
        plain = f"PYTHONPATH='{PROJECT}' exec '{sys.executable}' -m benchmarks.plain"
        taps = {
            "tap-idle": Script(f"case \"$*\" in *--discover*) echo '{catalog}';; esac"),
            "tap-plain": Script(f'{plain} tap "$@"', {"sqlalchemy_url": f"sqlite:///{empty}"}),
            "tap-ours": Script(f'exec {ours("tap-legacy-orders")} "$@"', settings["tap"]),
        }
        targets = {
            "target-idle": Script("cat > /dev/null"),
            "target-plain": Script(f'{plain} target "$@"'),
            "target-ours": Script(f'exec {ours("target-zoho-crm")} "$@"', settings["target"]),
        }
        make_project(folder, taps, targets)
        # The first command in a project makes Meltano's own database, which is nothing to measure.
        subprocess.run([MELTANO, f"--cwd={folder}", "state", "list"], check=True, capture_output=True)

    def run(self, pair: str, *options: str) -> tuple[Usage, str]:
        """One `meltano run`; what it used, and its log.

        Raises:
            BenchmarkError: it failed.
        """
        command = [MELTANO, f"--cwd={self._folder}", "run", *options, f"tap-{pair}", f"target-{pair}"]
        with self._log.open("wb") as log:
            usage = run_measured(command, stdout=log.fileno(), stderr=log.fileno())
        said = self._log.read_text(encoding="utf-8", errors="replace")
        if usage.exit_code != 0:
            raise BenchmarkError("\n  ".join([f"{pair} ended with {usage.exit_code}", *said.splitlines()[-8:]]))
        return usage, said


def measure(engine: str, rows: int, runs: int, full_runs: int, folder: Path) -> dict[str, Any]:
    """Measure one table.

    Raises:
        BenchmarkError: a run failed or sent what it should not have.
    """
    with (
        scratch_database(engine, folder) as url,
        EmulatorProcess(folder / "crm.sqlite", edition="unlimited") as emulator,
    ):
        shop = LargeShop(url, rows)
        began = time.monotonic()
        shop.make()
        print(f"{engine}: {rows:,} orders made in {time.monotonic() - began:.0f} s", file=sys.stderr)
        target = target_settings(emulator, url)
        pairs = Pairs(folder, {"tap": {"sqlalchemy_url": url, "orders_table": "orders"}, "target": target})

        def sent(said: str) -> int:
            line = next(line for line in said.splitlines() if ": read " in line)
            return int(line.partition(": read ")[2].split()[0].replace(",", ""))

        def ours(expected: int, *options: str) -> Usage:
            usage, said = pairs.run("ours", *options)
            if sent(said) != expected:
                raise BenchmarkError(f"{sent(said):,} orders were sent, and not {expected:,}")
            return usage

        cases: dict[str, list[Usage]] = {
            "meltano alone": [],
            "plain pair": [],
            "full reconciliation": [],
            "nothing to do": [],
            "500 changed": [],
        }
        for number in range(full_runs):
            cases["full reconciliation"].append(ours(0, f"--state-id-suffix=full-{number}"))
        ours(0)  # leaves the bookmark for what follows
        for _ in range(runs):
            cases["meltano alone"].append(pairs.run("idle")[0])
            cases["plain pair"].append(pairs.run("plain")[0])
            cases["nothing to do"].append(ours(0))
            shop.change(CHANGED)
            cases["500 changed"].append(ours(CHANGED))
        plans = read_plans(url)
    figures = {
        name: {
            "seconds": spread([usage.seconds for usage in usages]),
            "cpu_seconds": spread([usage.cpu_seconds for usage in usages]),
        }
        for name, usages in cases.items()
    }
    return {"engine": engine, "rows": rows, "runs": runs, "cases": figures, "plans": plans}


def read_plans(url: str) -> dict[str, Any]:
    """How the database reads a page after the bookmark, and one from the start."""
    engine = open_engine(url)
    with reading(engine) as connection:
        table = find_orders_table(engine, connection, {"orders_table": "orders"})
        ack = ledger_tables(engine_of(engine.dialect)).ack
        queries = UnsyncedQueries(table, value_sql_for(engine.dialect), "orders", table.columns, ack)
        newest = connection.execute(queries.newest(None)).scalar_one()
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        found = {}
        for name, lower in (("after the bookmark", newest), ("from the start", None)):
            plan = explain(connection, queries.range_page(lower, newest, None, PAGE_SIZE, now))
            accesses = {each.alias: each.index or "every row" for each in plan.accesses}
            found[name] = {"cost": plan.cost, **accesses}
    engine.dispose()
    return found


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.large_table", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, nargs="+", default=["postgresql"])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="for all engines, or for each in turn")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--full-runs", type=int, default=1, help="how often the whole table is reconciled")
    options = parser.parse_args()
    sizes = options.rows * len(options.engine) if len(options.rows) == 1 else options.rows
    if len(sizes) != len(options.engine):
        parser.error("--rows: one number, or as many as engines")
    tables = []
    try:
        for engine, rows in zip(options.engine, sizes, strict=True):
            with work_folder() as folder:
                tables.append(measure(engine, rows, options.runs, options.full_runs, folder))
    except (BenchmarkError, NoServerError) as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    keep("large-table", {"tables": tables}, [costs_table(tables), plans_table(tables)])
    return 0


def costs_table(tables: Sequence[Mapping[str, Any]]) -> Table:
    """A row a case, and what it adds to Meltano alone."""
    rows = []
    for each in tables:
        alone = each["cases"]["meltano alone"]["seconds"]["median"]
        for name, case in each["cases"].items():
            seconds = case["seconds"]
            shown = [*seconds.values(), seconds["median"] - alone, case["cpu_seconds"]["median"]]
            rows.append([each["engine"], f"{each['rows']:,}", name, *(f"{figure:.2f}" for figure in shown)])
    columns = ["Database", "Orders", "Run", "Seconds", "Smallest", "Largest", "Above Meltano alone", "CPU seconds"]
    return Table("By `meltano run`, medians", columns, rows)


def plans_table(tables: Sequence[Mapping[str, Any]]) -> Table:
    """How each database finds the orders of a page."""
    rows = []
    for each in tables:
        for name, plan in each["plans"].items():
            told = dict(plan)
            cost = told.pop("cost")
            by = ", ".join(f"{table}: {index}" for table, index in told.items())
            rows.append([each["engine"], name, by, "" if cost is None else f"{cost:,.2f}"])
    return Table(f"Plans of a page of {PAGE_SIZE:,}", ["Database", "Page", "Reads", "Cost by its own measure"], rows)


if __name__ == "__main__":
    sys.exit(main())
