"""The machine's clock is set back by an hour: no order is overlooked, and no dead run is taken for a live one.

libfaketime stands between processes and their clock; a server of the test's own gets the same clock as the plugins.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from engine_fixtures import fresh_database
from fault_cases import ENGINES, Case, on
from own_servers import own_server
from pair_of_plugins import Shop

from sync_ledger.ledger import Ledger

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

AN_HOUR = timedelta(hours=1)


class Clock:
    """A clock that all processes started with `environment` go by, and that may be set."""

    def __init__(self, folder: Path) -> None:
        found = importlib.util.find_spec("libfaketime")
        if found is None or found.origin is None:
            pytest.skip("libfaketime is not installed: no process's clock can be set")
        library = Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        self._file = folder / "clock"
        self.off = timedelta(0)
        self.set(self.off)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, off: timedelta) -> None:
        """Set the clock so far off the real one."""
        self.off = off
        self._file.write_text(f"{off.total_seconds():+.0f}")

    def now(self) -> datetime:
        """Naive UTC by this clock."""
        return datetime.now(timezone.utc).replace(tzinfo=None) + self.off


@pytest.fixture
def clock() -> Iterator[Clock]:
    with tempfile.TemporaryDirectory(prefix="orders-sync-clock-") as folder:
        Path(folder).chmod(0o755)  # a server of another user reads the clock too
        yield Clock(Path(folder))
    for left in Path("/dev/shm").glob("*faketime*"):  # noqa: S108 - libfaketime leaves these when a process is killed
        if not Path(f"/proc/{left.name.rpartition('_')[2]}").exists():
            left.unlink(missing_ok=True)


@pytest.fixture
def clocked(
    engine: str,
    clock: Clock,
    zoho_emulator: EmulatorProcess,
    tmp_path: Path,
    cases: Callable[[Shop, str], Case],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Case]:
    """A case in which the database and both plugins go by `clock`."""
    with _database(engine, clock, tmp_path) as url:
        case = cases(Shop(url, zoho_emulator, tmp_path), engine)
        case.forks = False  # a forked process has its origin's clock
        for name, value in clock.environment.items():
            monkeypatch.setenv(name, value)
        yield case


@contextmanager
def _database(engine: str, clock: Clock, folder: Path) -> Iterator[str]:
    if engine == "sqlite":
        with fresh_database(engine, folder) as url:
            yield url
        return
    with own_server(engine, clock.environment) as server, server.database() as url:
        yield url


def test_the_clock_that_processes_go_by_can_be_set(clock: Clock) -> None:
    """What the tests below rest on."""
    clock.set(-AN_HOUR)
    environment = {**os.environ, **clock.environment}
    told = subprocess.run(["date", "-u", "+%FT%T"], env=environment, capture_output=True, text=True, check=True).stdout
    assert abs(datetime.fromisoformat(told.strip()) - clock.now()) < timedelta(minutes=5)


@on(*ENGINES, quick=[])
def test_orders_changed_after_the_clock_was_set_back_are_sent(clocked: Case, clock: Clock) -> None:
    case = clocked
    case.is_about("clock set back by an hour between two runs", "orders changed since are sent; both end 0")
    keys = [f"SO-{number}" for number in range(200)]
    case.shop.insert(keys, updated_at=clock.now() - timedelta(seconds=60))
    case.law()
    case.row.seen = ""
    clock.set(-AN_HOUR)
    case.shop.change(keys[:50], updated_at=clock.now() - timedelta(minutes=20), notes="changed since")
    pair = case.start()
    ended = case.ends(pair, tap=[0], target=[0])
    assert "The bookmark is ahead of the database's clock" in ended.tap_log
    case.shop.assert_all_synced()
    case.seen("50 changed orders sent")
    case.law()


@on(*ENGINES)
def test_orders_refused_under_a_clock_years_ahead_are_tried_again_once_it_is_right(clocked: Case, clock: Clock) -> None:
    case = clocked
    case.is_about(
        "clock years ahead while a job gets no answer, then right", "the next run sends its orders; both end 0"
    )
    case.shop.target_config = {"channel": "bulk_write"}
    case.orders(20)
    clock.set(timedelta(days=1_100))
    case.shop.emulator.admin.add_fault("bulk_create", kind="lost_before", times=2)
    assert case.run().code == 0
    assert {ack.status for ack in case.shop.acks().values()} == {"rejected"}
    clock.set(timedelta(0))
    following = case.run()
    assert following.code == 0, following.err
    assert "20 orders are due now" in following.err
    case.shop.assert_all_synced()
    case.seen("all 20 sent")
    case.law()


@on(*ENGINES, quick=[])
def test_a_clock_set_back_in_mid_run_ends_nothing(clocked: Case, clock: Clock) -> None:
    case = clocked
    case.is_about("clock set back by an hour in the middle of a run", "both end 0")
    admin = case.shop.emulator.admin
    case.shop.target_config = {"channel": "upsert", "bulk_rows": 100, "max_connections": 1}
    case.shop.tap_config = {"page_size": 100}
    case.shop.insert([f"SO-{number}" for number in range(500)], updated_at=clock.now() - timedelta(hours=2))
    hold = admin.add_fault("upsert", kind="hold_after", after=1)
    pair = case.start()
    admin.wait_held(hold)
    pair.fault_is_now()
    clock.set(-AN_HOUR)
    admin.release(hold)
    case.ends(pair, tap=[0], target=[0])
    case.shop.assert_all_synced()
    case.seen("ended as if nothing were")
    case.law()


@on(*ENGINES, quick=[])
def test_a_run_that_died_before_the_clock_was_set_back_is_found_dead(clocked: Case, clock: Clock) -> None:
    """It died on another machine, so that only its heartbeat tells; and that is dated an hour ahead now."""
    case = clocked
    case.is_about(
        "a run dies elsewhere, then the clock is set back by an hour",
        "watched for a minute by the next run, which adopts its jobs",
    )
    case.shop.target_config = {"channel": "bulk_write"}
    admin = case.shop.emulator.admin
    admin.settings(job_seconds=[1, 1])
    hold = admin.add_fault("bulk_poll", kind="hold_before")
    case.shop.insert([f"SO-{number}" for number in range(100)], updated_at=clock.now() - timedelta(hours=2))
    pair = case.start()
    admin.wait_held(hold)
    pair.signal("target", 9)
    case.ends(pair, tap=[0, 1], target=[-9])
    admin.release(hold)
    died_elsewhere(case)
    clock.set(-AN_HOUR)
    following = case.run()
    assert following.code == 0, following.err
    assert "it is watched for up to" in following.err
    case.seen("watched, then adopted")
    case.law()
    assert admin.stats()["jobs"] == {"COMPLETED": 1}


def died_elsewhere(case: Case) -> None:
    """Let the ledger say that the dead run's process was another machine's."""
    ledger = Ledger.open(case.shop.ack_url)
    with nullcontext(ledger.tables.run) as run, ledger.begin() as connection:
        connection.execute(sa.update(run).values(process_space="another machine", host="elsewhere"))
    ledger.close()
