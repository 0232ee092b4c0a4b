"""The pair by shortened times of the lease, and stopped where a test wants it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from pair_of_plugins import PROCESS_SECONDS, TESTS, Finished, Shop, finish, start

QUICK = 2.0
"""Seconds in place of the minute for which a lease is watched."""


@dataclass
class Pair:
    """Tap and target at work, by shortened times of the lease."""

    shop: Shop
    tap: subprocess.Popen[str]
    target: subprocess.Popen[str]

    def stop(self, shop: Shop) -> None:
        """Stop the target, but not in a transaction: an SQLite file stays locked until it goes on."""
        engine = sa.create_engine(shop.ack_url, connect_args={"timeout": 0.1})
        while True:
            os.kill(self.target.pid, signal.SIGSTOP)
            self.wait_until_stopped()
            try:
                with engine.connect() as connection:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
            except sa.exc.OperationalError:
                os.kill(self.target.pid, signal.SIGCONT)
            else:
                engine.dispose()
                return

    def wait_until_stopped(self) -> None:
        """Wait until the target stands."""
        self._wait_until(lambda: state_of(self.target.pid) == "T")

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        ends = time.monotonic() + PROCESS_SECONDS
        while not reached():
            assert self.target.poll() is None, self.target.communicate()
            assert time.monotonic() < ends
            time.sleep(0.02)

    def finish(self) -> Finished:
        """The target's result, with the tap's log before its own."""
        ended = finish(self.target)
        assert self.tap.stderr is not None
        ended.err = self.tap.stderr.read() + ended.err
        self.tap.stderr.close()
        self.tap.wait()
        self.shop.keep_state(ended)
        return ended


def begin(shop: Shop, minute: float, *, stops: str = "nowhere", space: Sequence[str] = ()) -> Pair:
    """Begin a run whose leases go by a shorter `minute`; the target stops itself at a point of `stopped_at.py`.

    `space` is a command that puts each of both into a space of its own.
    """
    tap_config, target_config = shop.configs()
    state = ["--state", str(shop.state)] if shop.state.exists() else []
    program = [*space, sys.executable, TESTS / "stopped_at.py"]
    tap = start([*program, "nowhere", str(minute), "tap-legacy-orders", "--config", tap_config, *state])
    target = start(
        [*program, stops, str(minute), "target-zoho-crm", "--config", target_config],
        stdin=tap.stdout,
    )
    assert tap.stdout is not None
    tap.stdout.close()
    return Pair(shop, tap, target)


def state_of(pid: int) -> str:
    """A process's state as Linux has it: T where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
