"""The legacy database is only read, by short queries: nothing stays open while the output waits."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from engine_fixtures import fresh_database
from small_shop import START, Shop

from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent
from sync_ledger.runs import RunLock
from sync_ledger.tables import RUN_COUNTS, AckStatus, JobStep
from tap_legacy_orders.connections import open_engine

PIPE_BYTES = 60_000
"""Of 65,536 that a pipe takes: it is full when the next write does not fit."""

PATIENCE_SECONDS = 60
TAP = str(Path(sys.executable).parent / "tap-legacy-orders")


@contextmanager
def _blocked_tap(tmp_path: Path, config: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the tap until its output pipe is full, and leave it there."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with subprocess.Popen([TAP, "--config", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap:
        assert tap.stdout is not None
        tap.stdout.read(100)
        _until(lambda: _waiting_bytes(tap.stdout) >= PIPE_BYTES)
        assert tap.poll() is None
        yield tap
        tap.stdout.read()


def _waiting_bytes(pipe: Any) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def _fill(shop: Shop, count: int) -> None:
    rows = [{"i": n, "n": "x" * 50, "u": (START + timedelta(seconds=n)).isoformat(" ")} for n in range(count)]
    shop.sql("INSERT INTO orders VALUES (:i, :n, :u)", *rows)


def test_another_process_can_write_to_sqlite_while_the_output_waits(sqlite_url: str, tmp_path: Path) -> None:
    with Shop.opened(sqlite_url) as shop:
        _fill(shop, 3000)
        with _blocked_tap(tmp_path, shop.config | {"page_size": 1000}):
            writer = sqlite3.connect(sa.make_url(sqlite_url).database or "", timeout=0)
            writer.execute("UPDATE orders SET name = 'changed meanwhile' WHERE id = 1")
            writer.commit()
            writer.close()


def test_no_transaction_stays_open_on_postgresql_while_the_output_waits(postgresql_url: str, tmp_path: Path) -> None:
    with Shop.opened(postgresql_url) as shop:
        _fill(shop, 3000)
        with _blocked_tap(tmp_path, shop.config | {"page_size": 1000}), shop.engine.connect() as connection:
            query = (
                "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )

            def states() -> set[str]:
                connection.rollback()  # within a transaction the answer would stay as it was
                return set(connection.exec_driver_sql(query).scalars())

            _until(lambda: states() == {"idle"})  # the next page may still be on its way


def test_a_filter_cannot_change_the_orders(engine_url: str) -> None:
    with Shop.opened(engine_url) as shop:
        shop.put((1, 1))
        tap_engine = open_engine(shop.url)
        with tap_engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
            connection.exec_driver_sql("DELETE FROM orders")
        tap_engine.dispose()
        assert shop.run().keys == ["1"]


def test_orders_and_ledger_may_lie_in_different_engines(postgresql_url: str, tmp_path: Path) -> None:
    with fresh_database("sqlite", tmp_path) as ledger_url, Shop.opened(postgresql_url, ledger_url) as shop:
        shop.put(*((number, number) for number in range(1, 8)))
        first = shop.run(page_size=3)
        assert len(first.keys) == 7
        shop.ack_all(first)
        shop.put((3, 100), (5, 101))
        shop.ack("5", first.versions["5"], AckStatus.SUBMITTED)
        second = shop.run(first.state, page_size=2)
        assert second.keys == ["3"]
        assert second.bookmark() == shop.moment(101)
        tables = sa.inspect(shop.engine).get_table_names()
        assert tables == ["orders"]


def test_orders_changed_while_the_tap_reads_are_never_lost(engine_url: str) -> None:
    """A writer changes orders and settles acks between and during pages; afterwards nothing is left behind."""
    with Shop.opened(engine_url) as shop:
        shop.put(*((number, number) for number in range(40)))
        first = shop.run(settle_seconds=0)
        shop.ack_all(first, AckStatus.SUBMITTED)
        stop = threading.Event()
        errors: list[Exception] = []

        def disturb() -> None:
            turn = 0
            while not stop.is_set():
                number = turn * 7 % 40
                key = str(number)
                try:
                    shop.put((number, 1000 + turn))
                    shop.ack(key, first.versions[key], AckStatus.SYNCED if turn % 3 else AckStatus.SUBMITTED)
                except Exception as error:  # noqa: BLE001 - reported by the test's own thread
                    errors.append(error)
                    return
                turn += 1

        writer = threading.Thread(target=disturb)
        writer.start()
        known = dict(first.versions)
        state: dict[str, Any] = first.state
        try:
            for _ in range(6):
                output = shop.run(state, page_size=3, lookback_seconds=0, settle_seconds=0)
                state = output.state
                known |= output.versions
        finally:
            stop.set()
            writer.join()
        assert errors == []
        # Now everything in flight comes home at the version that the tap sent, and one more run tidies up.
        for number in range(40):
            shop.ack(str(number), known[str(number)])
        last = shop.run(state, lookback_seconds=0, settle_seconds=0)
        known |= last.versions
        with shop.engine.connect() as connection:
            text = "CAST(updated_at AS CHAR)" if "mysql" in shop.url else "CAST(updated_at AS TEXT)"
            actual = connection.exec_driver_sql(f"SELECT id, {text} FROM orders").all()
            assert known == {str(number): version for number, version in actual}


def test_orders_of_a_job_that_a_dead_run_never_created_are_streamed_at_once(either_shop: Shop) -> None:
    shop = either_shop
    shop.put((1, 1), (2, 2))
    first = shop.run()
    shop.ack("2", first.versions["2"])
    lock = RunLock.acquire(shop.ledger, "orders")
    with shop.ledger.begin() as connection:
        job = JournalledJob(
            "job", "orders", lock.run_id, "Orders", JobStep.INTENT, Manifest.of({"1": first.versions["1"]}), 0
        )
        journal_intent(connection, shop.ledger.tables.job, job, shop.ledger.now(connection))
    shop.ack("1", first.versions["1"], AckStatus.SUBMITTED, job_id="job")
    assert shop.run(first.state, lookback_seconds=0).keys == []
    lock.release("killed", dict.fromkeys(RUN_COUNTS, 0), 0)
    assert shop.run(first.state, lookback_seconds=0).keys == ["1"]
