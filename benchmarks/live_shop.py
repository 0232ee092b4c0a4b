"""A shop in PostgreSQL whose orders change all the while."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from benchmarks.call_notes import CHANGE
from tap_legacy_orders.notifying import notify_statements

OLD_ORDERS = 1000
"""Orders that are there from the start, and never change."""

NEW_SHARE = 0.3
"""How many of the changes are new orders."""


@dataclass(frozen=True)
class Change:
    """One change: its number, the order, when it was committed (seconds since the epoch), and if it is of a burst."""

    number: int
    key: str
    committed: float
    in_burst: bool


class LiveShop:
    """Orders, and every change that was made of them."""

    def __init__(self, url: str, *, notify: bool) -> None:
        """Make the table; with `notify` also the trigger that tells of changes."""
        self._engine = sa.create_engine(url)
        self._database = sa.make_url(url).database
        self.changes: list[Change] = []
        self._keys: list[str] = []
        self._random = random.Random(20)  # noqa: S311 - no secret
        with self._engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE orders (order_id text PRIMARY KEY, customer_name text, notes text, "
                "updated_at timestamp NOT NULL)"
            )
            connection.exec_driver_sql("CREATE INDEX ix_orders_updated_at ON orders (updated_at, order_id)")
            connection.exec_driver_sql(
                f"INSERT INTO orders SELECT 'OLD-' || n, 'Zoë Müller', '{CHANGE}0', now() AT TIME ZONE 'UTC' "
                f"FROM generate_series(1, {OLD_ORDERS}) n"
            )
            for statement in notify_statements("orders", None) if notify else ():
                connection.exec_driver_sql(statement)

    @contextmanager
    def changing(self, per_second: float, burst: int, bursts: Sequence[float]) -> Iterator[None]:
        """Change orders while the block runs; at the moments of `bursts` (seconds from now) so many in one go."""
        stop = threading.Event()
        failures: list[BaseException] = []

        def change() -> None:
            try:
                self._change_until(stop, per_second, burst, list(bursts))
            except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits
                failures.append(error)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if failures:
            raise failures[0]

    def newest_by_key(self) -> dict[str, int]:
        """The number of the last change of each order."""
        return {change.key: change.number for change in self.changes}

    def orders(self) -> dict[str, str]:
        """The notes of every order by key."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT order_id, notes FROM orders"))
            return {row.order_id: row.notes for row in rows}

    def unsynced(self) -> int:
        """How many orders the ledger does not call synced at the version that they have."""
        query = (
            "SELECT count(*) FROM orders o LEFT JOIN zoho_sync_ack a ON a.stream = 'orders' "
            "AND a.record_key = o.order_id AND a.status = 'synced' AND a.version = CAST(o.updated_at AS text) "
            "WHERE a.record_key IS NULL"
        )
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table("zoho_sync_ack"):
                return len(self.orders())
            return int(connection.execute(sa.text(query)).scalar_one())

    def transactions(self, server: str) -> int:
        """Transactions in the shop's database so far; asked for from another one, so that asking does not count."""
        self._engine.dispose()
        engine = sa.create_engine(server)
        query = sa.text("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = :name")
        try:
            with engine.connect() as connection:
                return int(connection.execute(query, {"name": self._database}).scalar_one())
        finally:
            engine.dispose()

    def _change_until(self, stop: threading.Event, per_second: float, burst: int, bursts: list[float]) -> None:
        began, due = time.monotonic(), time.monotonic()
        while not stop.is_set():
            if bursts and time.monotonic() - began >= bursts[0]:
                del bursts[0]
                self._change(burst, in_burst=True)
            self._change(1, in_burst=False)
            due += self._random.expovariate(per_second)
            stop.wait(max(0.0, due - time.monotonic()))
        for _ in bursts:  # a machine that was too slow for them makes them all the same
            self._change(burst, in_burst=True)

    def _change(self, count: int, *, in_burst: bool) -> None:
        """Change so many orders in one transaction."""
        first = len(self.changes)
        keys = list(dict.fromkeys(self._key() for _ in range(count)))
        rows = [{"key": key, "notes": f"{CHANGE}{first + at}"} for at, key in enumerate(keys)]
        statement = sa.text(
            "INSERT INTO orders VALUES (:key, 'Zoë Müller', :notes, clock_timestamp() AT TIME ZONE 'UTC') "
            "ON CONFLICT (order_id) DO UPDATE SET notes = excluded.notes, updated_at = excluded.updated_at"
        )
        with self._engine.begin() as connection:
            connection.execute(statement, rows)
        committed = time.time()
        self.changes += [Change(first + at, key, committed, in_burst) for at, key in enumerate(keys)]

    def _key(self) -> str:
        if not self._keys or self._random.random() < NEW_SHARE:
            self._keys.append(f"SO-{1_000_000 + len(self._keys)}")
            return self._keys[-1]
        return self._random.choice(self._keys)
