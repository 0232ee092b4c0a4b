"""How long the acks of one job take to be written on each engine: `python -m benchmarks.acks`.

A job of 25,000 orders writes them twice: as `submitted` before it is sent, and as outcomes once it has ended. Each
round is another job of new orders in the same table, each write a transaction with its commit. Beside the seconds by
the clock stand those of CPU that the target itself spends: on servers most of the rest is theirs.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.figures import conditions, spread
from sync_ledger.acks import Acks, write_acks
from sync_ledger.ledger import Ledger, database_url
from sync_ledger.tables import AckStatus

RESULTS = Path(__file__).parent / "results"
ROWS = 25_000
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001 - the ledger's moments are naive UTC


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.acks", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="jobs on each engine")
    parser.add_argument("--postgresql", default="postgresql://postgres@127.0.0.1:5432/postgres", help="a server's URL")
    parser.add_argument("--mariadb", default="mariadb://root@127.0.0.1:3306/mysql", help="a server's URL")
    parser.add_argument(
        "--out", type=Path, help="where the result goes; benchmarks/results/acks-<moment>.json if absent"
    )
    options = parser.parse_args()
    cases = []
    with tempfile.TemporaryDirectory(prefix="acks-") as folder:
        cases.extend(measured("sqlite", f"sqlite:///{folder}/ledger.sqlite", options.runs))
    for engine in ("postgresql", "mariadb"):
        try:
            with _scratch(getattr(options, engine)) as url:
                cases.extend(measured(engine, url, options.runs))
        except sa.exc.OperationalError as error:
            print(f"{engine}: not measured, its server is out of reach: {error.orig}", file=sys.stderr)
    result = {"conditions": conditions(), "rows": ROWS, "runs": options.runs, "cases": cases}
    path = options.out or RESULTS / f"acks-{datetime.now(timezone.utc):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for case in cases:
        took, cpu = case["seconds"], case["cpu_seconds"]
        print(
            f"{case['engine']:10s} {case['acks']:9s} {took['median']:.3f} s ({took['smallest']:.3f} to "
            f"{took['largest']:.3f}), of which {cpu['median']:.3f} s are CPU of ours"
        )
    print(f"\nKept in {path}")
    return 0


def measured(engine: str, url: str, runs: int) -> list[dict[str, Any]]:
    """Write the acks of so many jobs; gives the seconds for the submitted ones and for the outcomes."""
    ledger = Ledger.open(url)
    ledger.ensure_tables()
    samples: dict[str, list[tuple[float, float]]] = {"submitted": [], "outcomes": []}
    for job in range(runs):
        for name, acks in _acks_of_job(job):
            began, cpu = time.perf_counter(), time.process_time()
            with ledger.begin() as connection:
                write_acks(connection, ledger.tables.ack, acks)
            samples[name].append((time.perf_counter() - began, time.process_time() - cpu))
    with ledger.connect() as connection:
        table = ledger.tables.ack
        query = sa.select(sa.func.count()).where(table.c.status == AckStatus.SYNCED.value, table.c.attempts == 1)
        if connection.execute(query).scalar_one() != runs * ROWS:
            raise AssertionError(f"{engine}: not every ack is there")
    ledger.close()
    return [
        {
            "engine": engine,
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


@contextmanager
def _scratch(server: str) -> Iterator[str]:
    """The URL of a database of our own on a server; it is dropped afterwards."""
    url, name = database_url(server), f"bench_acks_{secrets.token_hex(4)}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name}")
        engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
