"""A run may sleep at any step: what it had not begun to send never goes, and what it had sent is in doubt, by name."""

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

import pytest
import sqlalchemy as sa
from pair_of_plugins import PROCESS_SECONDS, TESTS, Finished, Shop, finish, start

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE
from sync_ledger.retry_schedules import LEASE_SILENT_SECONDS
from sync_ledger.writes_under_way import WriteUnderWay, in_doubt

CALL = 100
KEYS = [f"SO-{number:03}" for number in range(2 * CALL)]
QUICK = 2.0
"""Seconds in place of the minute for which a lease is watched."""

TIMES = pytest.mark.parametrize("minute", [QUICK, pytest.param(LEASE_SILENT_SECONDS, marks=pytest.mark.nightly)])

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
        self._wait_until(lambda: state_of(self.target.pid) == "T")

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        ends = time.monotonic() + PROCESS_SECONDS
        while not reached():
            assert self.target.poll() is None, self.target.communicate()
            assert time.monotonic() < ends
            time.sleep(0.02)

    def finish(self) -> Finished:
        ended = finish(self.target)
        assert self.tap.stderr is not None
        ended.err = self.tap.stderr.read() + ended.err
        self.tap.stderr.close()
        self.tap.wait()
        self.shop.keep_state(ended)
        return ended


def begin(shop: Shop, minute: float, *, stops: str = "nowhere", space: Sequence[str] = ()) -> Pair:
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


@contextmanager
def opened(shop: Shop) -> Iterator[Ledger]:
    ledger = Ledger.open(shop.ack_url)
    yield ledger
    ledger.close()


def doubtful(shop: Shop) -> list[WriteUnderWay]:
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


@TIMES
@pytest.mark.parametrize("stops", ["connecting", "checked", "sending", "answer"])
def test_a_run_that_slept_sends_nothing_more_and_what_it_had_sent_is_in_doubt(
    shop: Shop, stops: str, minute: float
) -> None:
    """The second run is on another host, as far as it can know."""
    if not can_unshare():
        pytest.skip("no process may be put into a space of its own here")
    _sleeps(shop, stops, minute, OWN_SPACE)


@TIMES
def test_so_it_is_where_both_runs_are_on_one_host(shop: Shop, minute: float) -> None:
    _sleeps(shop, "checked", minute, ())


def _sleeps(shop: Shop, stops: str, minute: float, space: Sequence[str]) -> None:
    pair, hold = sleeper(shop, minute, stops)
    pair.wait_until_stopped()
    old = {key: shop.acks()[key].version for key in KEYS}
    under_way = {key: str(order.updated_at) for key, order in shop.orders().items() if notes_in_crm(shop)[key] != "old"}
    assert len(under_way) == len(KEYS) - CALL
    assert doubtful(shop) == []  # as far as anybody knows, the run lives
    shop.change(KEYS, notes="new")
    second = run_beside(shop, minute, space)
    assert second.code == 0, second.err
    assert set(notes_in_crm(shop).values()) == {"new"}
    doubt = {key for write in doubtful(shop) for key in write.manifest.texts()}
    assert doubt == (set() if stops == "connecting" else set(under_way))
    assert all(old[key] != version for write in doubtful(shop) for key, version in write.manifest.texts().items())
    calls = shop.emulator.admin.stats()["requests"]["upsert"]
    os.kill(pair.target.pid, signal.SIGCONT)
    if hold is not None:
        shop.emulator.admin.release(hold)
    slept = pair.finish()
    assert slept.code == 1, slept.err
    assert "another run has taken over its work" in slept.err
    assert {key for key, notes in notes_in_crm(shop).items() if notes != "new"} <= doubt
    if stops in {"connecting", "checked"}:
        assert set(notes_in_crm(shop).values()) == {"new"}
        assert shop.emulator.admin.stats()["requests"]["upsert"] == calls


@TIMES
def test_a_schedule_on_new_hosts_sends_after_one_kill_and_nobody_helps(shop: Shop, minute: float) -> None:
    if not can_unshare():
        pytest.skip("no process may be put into a space of its own here")
    shop.target_config = {"channel": "upsert"}
    shop.insert(KEYS)
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    killed = begin(shop, minute, space=OWN_SPACE)
    shop.emulator.admin.wait_held(hold)
    for process in (killed.tap, killed.target):
        process.kill()  # `unshare` takes all of its space along
    killed.finish()
    shop.emulator.admin.clear_faults()
    let_stand(shop, minute * 2)  # the schedule's five minutes, or part of them
    following = begin(shop, minute, space=OWN_SPACE).finish()
    assert following.code == 0, following.err
    assert following.err.count("it is watched for up to") == 1  # by the tap; the target has not to do it again
    shop.assert_all_synced()


def test_a_run_that_waited_for_a_live_one_sends(shop: Shop) -> None:
    shop.insert(KEYS)
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    first = begin(shop, LEASE_SILENT_SECONDS)
    shop.emulator.admin.wait_held(hold)
    shop.tap_config = {"wait_for_lock_seconds": 0.2}
    ended = begin(shop, QUICK)
    refused = ended.finish()
    assert ended.tap.returncode == 3, refused.err
    shop.tap_config = {"wait_for_lock_seconds": PROCESS_SECONDS}
    second = begin(shop, QUICK)
    waiting = read_until(second, "Waiting for up to")
    shop.change(KEYS[:50], notes="new")
    shop.emulator.admin.release(hold)
    assert first.finish().code == 0
    after = second.finish()
    assert after.code == 0, waiting + after.err
    shop.assert_all_synced()


def read_until(pair: Pair, words: str) -> str:
    """Read the tap's log until these words are in it."""
    assert pair.tap.stderr is not None
    lines = []
    for line in pair.tap.stderr:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))
