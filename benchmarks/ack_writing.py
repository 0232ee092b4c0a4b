"""How long the acks of one job take to be written on each engine: `python -m benchmarks.ack_writing`.

A job of 25,000 orders writes them twice: as `submitted` before it is sent, and as outcomes once it has ended. Each
round is another job of new orders in the same table, each write a transaction with its commit. Beside the seconds by
the clock stand those of CPU that the target itself spends: on servers most of the rest is theirs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.figures import spread
from benchmarks.large_shop import scratch_database
from benchmarks.processes import work_folder
from benchmarks.results import Table, keep
from scripts.servers import NoServerError
from sync_ledger.acks import Acks, write_acks
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus

ENGINES = ("SQLite", "PostgreSQL", "MariaDB")
ROWS = 25_000
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001 - the ledger's times are naive UTC


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.ack_writing", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="jobs on each engine")
    options = parser.parse_args()
    cases = []
    versions = {}
    for engine in ENGINES:
        try:
            with work_folder() as folder, scratch_database(engine.lower(), folder) as url:
                versions[engine], measured = measure(url, options.runs)
        except NoServerError as error:
            print(f"{engine} is not measured: {error}", file=sys.stderr)
            continue
        cases += [{"engine": engine, **case} for case in measured]
    keep("acks", {"rows": ROWS, "runs": options.runs, "cases": cases}, [table(cases)], versions=versions)
    return 0


def table(cases: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each engine and write."""
    rows = []
    for case in cases:
        took = case["seconds"]
        seconds = f"{took['median']:.2f} ({took['smallest']:.2f} to {took['largest']:.2f})"
        rows.append([case["engine"], case["acks"], seconds, f"{case['cpu_seconds']['median']:.3f}"])
    return Table(
        f"Writing {ROWS:,} acks",
        ["Engine", "Acks", "Seconds", "CPU s of the target"],
        rows,
        "The median of several jobs, each of new orders in the same table, with the smallest and the largest.",
    )


def measure(url: str, runs: int) -> tuple[str, list[dict[str, Any]]]:
    """Write the acks of so many jobs; gives the engine's version, and seconds for `submitted` acks and for outcomes."""
    ledger = Ledger.open(url)
    ledger.ensure_tables()
    samples: dict[str, list[tuple[float, float]]] = {"submitted": [], "outcomes": []}
    for job in range(runs):
        for name, acks in _acks_of_job(job):
            began, cpu = time.perf_counter(), time.process_time()
            with ledger.begin() as connection:
                write_acks(connection, ledger.tables.ack, acks)
            samples[name].append((time.perf_counter() - began, time.process_time() - cpu))
    ack = ledger.tables.ack
    written = sa.select(sa.func.count()).where(ack.c.status == AckStatus.SYNCED.value, ack.c.attempts == 1)
    with ledger.connect() as connection:
        if connection.execute(written).scalar_one() != runs * ROWS:
            raise AssertionError(f"not every ack is in {ledger.engine.dialect.name}")
        version = ".".join(map(str, connection.dialect.server_version_info or ()))
    ledger.close()
    return version, [
        {
            "acks": name,
            "seconds": spread([seconds for seconds, _ in taken]),
            "cpu_seconds": spread([cpu for _, cpu in taken]),
        }
        for name, taken in samples.items()
    ]


def _acks_of_job(job: int) -> Iterator[tuple[str, Acks]]:
    numbers = range(job * ROWS, (job + 1) * ROWS)
    moments = [NOW - timedelta(seconds=number) for number in numbers]
    columns: dict[str, Sequence[Any]] = {
        "record_key": [f"SO-{1_000_000 + number}" for number in numbers],
        "version": [f"{moment}" for moment in moments],
    }
    common = {
        "stream": "orders",
        "acked_at": NOW,
        "channel": "bulk_write",
        "job_id": f"{job:032x}",
        "run_id": "1" * 32,
    }
    yield "submitted", Acks({**common, "status": AckStatus.SUBMITTED, "attempts": 0}, columns)
    columns |= {"zoho_id": [str(4876876000000000000 + number) for number in numbers], "action": ["insert"] * ROWS}
    yield "outcomes", Acks({**common, "status": AckStatus.SYNCED, "attempts": 1}, columns)


if __name__ == "__main__":
    sys.exit(main())
