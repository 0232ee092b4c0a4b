"""A shop that writes through the pool that runs of the pair go through: none of its writes fails, none lasts longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from pair_of_plugins import Shop
from pgbouncer import PROGRAM, pgbouncer
from transaction_pooler import dsn, state_of_session

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

WRITES = 1_000
ORDERS = 1_000
WRITTEN = "written by the shop"
POOL_SIZES = {"transaction": 3, "session": 12}
"""Sessions of the server: each client has one of its own while it is there, in the mode `session`."""


class Writer:
    """The shop, which changes an order and commits, again and again, by a connection of its own each time."""

    def __init__(self, pooler: str) -> None:
        self.done = 0
        self.failures: list[str] = []
        self._address = dsn(sa.make_url(pooler))
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, seconds: float = 300) -> None:
        """Wait for the last of its writes."""
        self._enough.set()
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the shop's write number {self.done + 1} has not ended"

    def _write(self) -> None:
        # At least WRITES, and for as long as the runs last.
        while self.done < WRITES or not self._enough.is_set():
            key = f"SO-{self.done % ORDERS}"
            statement = (
                f"UPDATE orders SET notes = '{WRITTEN}', updated_at = clock_timestamp() AT TIME ZONE 'UTC' "
                "WHERE order_id = %s"
            )
            try:
                with psycopg.connect(self._address, prepare_threshold=None) as connection:
                    changed = connection.execute(statement, [key]).rowcount
            except psycopg.Error as error:
                self.failures.append(f"write {self.done} of {key}: {error}")
            else:
                if changed != 1:
                    self.failures.append(f"write {self.done} of {key} changed {changed} rows")
            self.done += 1


@contextmanager
def writing(pooler: str) -> Iterator[Writer]:
    writer = Writer(pooler)
    writer.start()
    try:
        yield writer
    finally:
        writer.finish()


def synced_in_the_end(shop: Shop) -> None:
    """Further runs until every order has what the shop wrote: what changed in this second is left to the next run."""
    ends = time.monotonic() + 120
    while True:
        ended = shop.run()
        assert ended.code == 0, ended.err
        if {record["Notes"] for record in shop.crm().values()} == {WRITTEN}:
            return
        assert time.monotonic() < ends, ended.err


@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (Debian: apt install pgbouncer)")
@pytest.mark.full
@pytest.mark.parametrize("mode", POOL_SIZES)
def test_a_shop_writes_through_the_pool_of_three_runs_and_no_write_fails(
    mode: str, postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = Shop(postgresql_url, zoho_emulator, tmp_path)
    shop.insert(f"SO-{number}" for number in range(ORDERS))
    with pgbouncer(postgresql_url, mode, POOL_SIZES[mode]) as pooler:
        shop.tap_config = {"sqlalchemy_url": pooler, "ack_url": pooler, "page_size": 100}
        shop.target_config = {"ack_url": pooler}
        with writing(pooler) as writer:
            runs = [shop.run() for _ in range(3)]
        assert [ended.code for ended in runs] == [0, 0, 0], "\n".join(ended.err for ended in runs)
        assert writer.failures == []
        assert writer.done >= WRITES
        synced_in_the_end(shop)  # what the shop wrote after the third run had looked
        shop.assert_all_synced()
        assert state_of_session(pooler) == state_of_session(postgresql_url)
    assert len(shop.crm()) == ORDERS
    shop.engine.dispose()
