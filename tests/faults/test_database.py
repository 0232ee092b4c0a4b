"""The database fails in the middle of a run: cut connections, restarts, locks held by other sessions."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import sqlalchemy as sa
from cutting_proxy import CuttingProxy
from fault_cases import ENGINES, Case, choices, on
from own_servers import OwnServer, own_server
from pair_of_plugins import Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SERVERS = ("postgresql", "mariadb")
LOCKS = {
    "sqlite": "BEGIN EXCLUSIVE",
    "postgresql": "LOCK TABLE zoho_sync_ack, zoho_sync_job, zoho_sync_run IN ACCESS EXCLUSIVE MODE",
    "mariadb": "LOCK TABLES zoho_sync_ack WRITE, zoho_sync_job WRITE, zoho_sync_run WRITE",
}


# A connection cut between write and commit

COMMITS = {
    "the acks of a call": ("upsert", 2),
    "a job's intent": ("bulk_write", 1),
    "a job's result": ("bulk_write", 2),
}
"""What is committed when the connection breaks: by which channel, and which commit of acks it is."""


@on(*SERVERS, quick=["postgresql"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", choices(COMMITS, ["the acks of a call"]))
def test_a_ledger_connection_cut_at_commit_costs_no_order(
    case: Case, what: str, when: Literal["before", "after"]
) -> None:
    channel, number = COMMITS[what]
    case.is_about(
        f"ledger connection cut {when} the commit of {what}",
        "the run writes it again and ends 0",
    )
    url = sa.make_url(case.shop.url)
    proxy = CuttingProxy(url.port or {"postgresql": 5432, "mariadb": 3306}[case.engine], when, number)
    plain = {"sslmode": "disable"} if case.engine == "postgresql" else {}
    through_proxy = url.set(host="127.0.0.1", port=proxy.port).update_query_dict(plain)
    case.shop.target_config = {
        "channel": channel,
        "ack_url": through_proxy.render_as_string(hide_password=False),
        "max_connections": 1,
    }
    case.orders(300)
    pair = case.start()
    case.ends(pair, tap=[0], target=[0])
    assert proxy.has_cut.is_set()
    proxy.close()
    case.seen("cut once, written again")
    case.shop.target_config = {"channel": channel}
    case.shop.assert_all_synced()
    assert {job.step for job in case.shop.jobs()} <= {"applied"}
    case.law()


# A server that restarts


@pytest.fixture
def own_case(
    engine: str,
    zoho_emulator: EmulatorProcess,
    tmp_path: Path,
    cases: Callable[[Shop, str], Case],
) -> Iterator[tuple[Case, OwnServer]]:
    """A shop on a server of the test's own."""
    with own_server(engine) as server, server.database() as url:
        yield cases(Shop(url, zoho_emulator, tmp_path), engine), server


@on(*SERVERS, quick=["postgresql"])
@pytest.mark.parametrize("how", choices(["stopped", "crashed"], ["crashed"]))
@pytest.mark.parametrize("channel", choices(["upsert", "bulk_write"], ["upsert"]))
def test_a_database_restart_in_mid_run_costs_no_order(own_case: tuple[Case, OwnServer], how: str, channel: str) -> None:
    case, server = own_case
    case.is_about(
        f"database {how} and started, {channel}",
        "the target waits for it; both end 0, or 1 by one line each if the tap had not read all",
    )
    hold = in_the_middle(case, channel)
    pair = case.start()
    case.shop.emulator.admin.wait_held(hold)
    pair.fault_is_now()
    server.stop(crash=how == "crashed")
    case.shop.emulator.admin.release(hold)
    time.sleep(0.5)
    server.start()
    ended = case.ends(pair, tap=[0, 1], target=[0, 1])
    assert ended.target == ended.tap, ended.log
    own = [line for line in ended.complaints(ended.target_log) if "the tap did not finish" not in line]
    assert own == [], "the target itself waits for the database"
    case.shop.engine.dispose()
    case.seen(f"{case.acks().get('synced', 0)} synced at the end")
    case.law()


@on(*SERVERS, quick=[])
def test_a_database_that_stays_away_ends_the_run_by_one_line(own_case: tuple[Case, OwnServer]) -> None:
    case, server = own_case
    case.is_about("database stopped, and started after the run", "tap and target end 1 by one line")
    hold = in_the_middle(case, "upsert")
    pair = case.start()
    case.shop.emulator.admin.wait_held(hold)
    pair.fault_is_now()
    server.stop()
    case.shop.emulator.admin.release(hold)
    ended = case.ends(pair, tap=[0, 1], target=[1])
    server.start()
    case.shop.engine.dispose()
    case.seen(ended.complaints(ended.target_log)[0].rpartition("| ")[2][:90])
    case.law()


def in_the_middle(case: Case, channel: str) -> int:
    """Orders, settings and a hold by which some are settled, some at Zoho and some not read yet."""
    admin = case.shop.emulator.admin
    case.shop.tap_config = {"page_size": 100}
    case.shop.target_config = {"channel": channel, "bulk_rows": 300, "max_connections": 1}
    case.orders(1_200, length=2_000)
    if channel == "upsert":
        return admin.add_fault("upsert", kind="hold_after", after=2)
    admin.settings(job_seconds=[1, 1])
    return admin.add_fault("bulk_poll", kind="hold_before", after=1)


# A ledger that another session has locked


@contextmanager
def locked(case: Case) -> Iterator[None]:
    """Hold the ledger's tables as a backup or a careless person does."""
    if case.engine == "sqlite":
        other: Any = sqlite3.connect(sa.make_url(case.shop.url).database or "", isolation_level=None, timeout=30)
        other.execute(LOCKS["sqlite"])
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    engine = sa.create_engine(case.shop.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(LOCKS[case.engine])
        yield
    engine.dispose()


@on(*ENGINES)
def test_a_ledger_locked_for_some_seconds_is_waited_for(case: Case) -> None:
    case.is_about("ledger locked by another session for 3 s", "tap and target wait, and end 0")
    hold = in_the_middle(case, "upsert")
    pair = case.start()
    case.shop.emulator.admin.wait_held(hold)
    with locked(case):
        pair.fault_is_now()
        case.shop.emulator.admin.release(hold)
        time.sleep(3)
    case.ends(pair, tap=[0], target=[0])
    case.seen("waited for")
    case.law()


@on(*ENGINES)
@pytest.mark.parametrize("number", choices([signal.SIGTERM, signal.SIGINT], [signal.SIGTERM]))
@pytest.mark.parametrize("at", choices(["start", "middle"], ["start"]))
def test_a_run_that_waits_for_a_locked_ledger_ends_in_time_when_asked_to(
    case: Case, number: signal.Signals, at: str
) -> None:
    case.is_about(
        f"{number.name} to both while the ledger is locked, at the {at}", f"both end by {128 + number} within 10 s"
    )
    hold = in_the_middle(case, "upsert")
    if at == "middle":
        pair = case.start()
        case.shop.emulator.admin.wait_held(hold)
    else:
        case.shop.emulator.admin.release(hold)
        case.law()
        case.row.seen = ""
        case.shop.change([f"SO-{number}" for number in range(500)], notes="changed")
    with locked(case):
        if at == "start":
            pair = case.start()
            pair.wait_for_log("tap-legacy-orders v", "tap.log")
            pair.wait_for_log("target-zoho-crm v")
        case.shop.emulator.admin.release(hold)
        time.sleep(1)
        pair.signal("both", number)
        ended = case.ends(pair, tap=[128 + number, 0], target=[128 + number])
    case.seen(f"tap {ended.tap}, target {ended.target}")
    case.law()


@on(*ENGINES, quick=[])
def test_a_ledger_that_stays_locked_ends_the_run_by_one_line(case: Case) -> None:
    case.is_about("ledger locked by another session for good", "tap and target end 1 by one line, within 3 minutes")
    hold = in_the_middle(case, "upsert")
    pair = case.start()
    case.shop.emulator.admin.wait_held(hold)
    with locked(case):
        pair.fault_is_now()
        case.shop.emulator.admin.release(hold)
        ended = case.ends(pair, tap=[0, 1], target=[1])
    case.seen(ended.complaints(ended.target_log)[0].rpartition("| ")[2][:90])
    case.law()
