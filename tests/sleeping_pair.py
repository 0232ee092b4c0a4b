"""The pair at work by shortened times of the lease, stopped where a test wants it, and a second run beside it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import forked
import sqlalchemy as sa
from pair_of_plugins import PROCESS_SECONDS, TESTS, Finished, Shop, finish, start

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE
from sync_ledger.writes_under_way import WriteUnderWay, in_doubt

CALL = 100
KEYS = [f"SO-{number:03}" for number in range(2 * CALL)]
QUICK = 2.0
"""Seconds in place of the minute for which a lease is watched."""

OWN_SPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""Starts a process that no other one can see, as on another host."""


def can_unshare() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*OWN_SPACE, "true"], check=False).returncode == 0


@dataclass
class Pair:
    """Tap and target at work, by shortened times of the lease."""

    shop: Shop
    tap: subprocess.Popen[str]
    target: subprocess.Popen[str]

    def stop(self, shop: Shop) -> None:
        """Stop the target, but not in a transaction: an SQLite file stays locked until it goes on."""
        while True:
            os.kill(self.target.pid, signal.SIGSTOP)
            self.wait_until_stopped()
            if not is_locked(shop.ack_url):
                return
            os.kill(self.target.pid, signal.SIGCONT)

    def wait_until_stopped(self) -> None:
        self._wait_until(lambda: state_of(self.target.pid) == "T")

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        ends = time.monotonic() + PROCESS_SECONDS
        while not reached():
            assert self.target.poll() is None, self.target.communicate()
            assert time.monotonic() < ends
            time.sleep(0.02)

    def ask_to_end(self) -> None:
        """SIGTERM to both, as a service manager gives it to a pair that follows."""
        for process in (self.tap, self.target):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)

    def finish(self) -> Finished:
        ended = finish(self.target)
        assert self.tap.stderr is not None
        ended.err = self.tap.stderr.read() + ended.err
        self.tap.stderr.close()
        self.tap.wait()
        self.shop.keep_state(ended)
        return ended


def begin(
    shop: Shop, minute: float, *, stops: str = "nowhere", tap_stops: str = "nowhere", space: Sequence[str] = ()
) -> Pair:
    return _begin(shop, minute, [*space, sys.executable, TESTS / "stopped_at.py"], tap_stops, stops)


def begin_forked(shop: Shop, minute: float, *, stops: str = "nowhere", tap_stops: str = "nowhere") -> Pair:
    """Begin a run whose processes are children of those that are waited for: its imports take no time."""
    return _begin(shop, minute, forked.command(TESTS / "stopped_at.py", []), tap_stops, stops)


def _begin(shop: Shop, minute: float, program: Sequence[str | Path], tap_stops: str, stops: str) -> Pair:
    tap_config, target_config = shop.configs()
    state = ["--state", str(shop.state)] if shop.state.exists() else []
    tap = start([*program, tap_stops, str(minute), "tap-legacy-orders", "--config", tap_config, *state])
    target = start([*program, stops, str(minute), "target-zoho-crm", "--config", target_config], stdin=tap.stdout)
    assert tap.stdout is not None
    tap.stdout.close()
    return Pair(shop, tap, target)


def is_locked(url: str) -> bool:
    """Whether a transaction has an SQLite file to itself; other databases go on with what it does not touch."""
    if not url.startswith("sqlite"):
        return False
    engine = sa.create_engine(url, connect_args={"timeout": 0.1})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    except sa.exc.OperationalError:
        return True
    finally:
        engine.dispose()
    return False


def state_of(pid: int) -> str:
    """A process's state as Linux has it: T where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


@contextmanager
def opened(shop: Shop) -> Iterator[Ledger]:
    ledger = Ledger.open(shop.ack_url)
    yield ledger
    ledger.close()


def writes_in_doubt(shop: Shop) -> list[WriteUnderWay]:
    with opened(shop) as ledger, ledger.connect() as connection:
        return in_doubt(connection, ledger.tables, "orders", WHOLE)


def let_stand(shop: Shop, minute: float) -> None:
    """Wait until the last run's lease was silent for so long, and was seen to stand here for long enough."""
    with opened(shop) as ledger:
        run, ends = ledger.tables.run, time.monotonic() + PROCESS_SECONDS
        while time.monotonic() < ends:
            with ledger.connect() as connection:
                beat = connection.execute(sa.select(sa.func.max(run.c.heartbeat_at))).scalar_one()
                if (ledger.now(connection) - beat).total_seconds() > minute:
                    return
            time.sleep(minute / 10)


def run_beside(shop: Shop, minute: float, space: Sequence[str]) -> Finished:
    """One further run; on the sleeper's own host as often as it takes to see it stand for five minutes."""
    ends = time.monotonic() + PROCESS_SECONDS
    while True:
        let_stand(shop, minute)
        ended = begin(shop, minute, space=space).finish()
        if ended.code != 3 or space or time.monotonic() > ends:
            return ended


def sleeper(shop: Shop, minute: float, stops: str) -> tuple[Pair, str | None]:
    """A run with two calls of changed orders: the first is settled, the second is where it stops; and what holds it."""
    shop.target_config = {"channel": "upsert", "max_connections": 1}
    shop.insert(KEYS)
    assert shop.run().code == 0
    shop.change(KEYS, notes="old")
    if stops != "answer":
        return begin(shop, minute, stops=f"{stops}:2"), None
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", after=1, times=1)
    pair = begin(shop, minute)
    shop.emulator.admin.wait_held(hold)
    pair.stop(shop)
    return pair, hold


def notes_in_crm(shop: Shop) -> dict[str, str]:
    return {key: record["Notes"] for key, record in shop.crm().items()}
