"""The four things that users do not forgive, each on a history that tries hard for it.

Real processes, real databases, and the emulator as Zoho. `docs/guarantees.md` names the other tests of each.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from pair_of_plugins import OPENED, ORDERS, Finished, Shop
from sleeping_pair import QUICK, begin

from sync_ledger.ledger import Ledger
from sync_ledger.quarantine import MOST_JOBS

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"
CLIENT = "target_zoho_crm.api.client.ZohoClient"
KEYS = [f"SO-{number}" for number in range(40)]
OF_ONE_NAME = {"fields": {"Name": {"default": "Web order"}}}
"""All orders are called alike in the field by which Zoho finds records of its own accord: only the key may count."""


@contextmanager
def opened(url: str, emulator: EmulatorProcess, folder: Path) -> Iterator[Shop]:
    shop = Shop(url, emulator, folder)
    try:
        yield shop
    finally:
        shop.engine.dispose()


def hour(number: int) -> datetime:
    """Moments far enough from each other that no lookback reaches from one to the next."""
    return OPENED + timedelta(hours=number)


def good(ended: Finished) -> Finished:
    assert ended.code == 0, ended.err
    return ended


def killed(ended: Finished) -> None:
    assert ended.code == -signal.SIGKILL, ended.err


def test_an_order_is_never_lost(mariadb_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    with opened(mariadb_url, zoho_emulator, tmp_path) as shop:
        shop.tap_config = {"page_size": 7}
        shop.insert(KEYS, updated_at=hour(1))
        # A job that outlives its run, and leaves three of its rows untried.
        shop.emulator.admin.add_fault(kind="unprocessed", rows=3, times=1)
        shop.target_config = {"channel": "bulk_write", **OF_ONE_NAME}
        killed(shop.run(kill_at=f"before:{CLIENT}.job"))
        # Orders change while they are in that job, and newer ones than these come and are synced.
        shop.change(KEYS[:5], updated_at=hour(2), notes="changed in flight")
        shop.insert((f"NEW-{number}" for number in range(9)), updated_at=hour(3))
        shop.target_config = {"channel": "upsert", **OF_ONE_NAME}
        assert good(shop.run()).summary["synced"] == 9
        # What was left out then and what was never tried is written, and nobody notes it; then noted, and no STATE.
        killed(shop.run(kill_at=f"after:{CLIENT}.upsert"))
        killed(shop.run(kill_at=f"before:{STREAM_LEDGER}.confirm"))
        shop.change(["NEW-0"], updated_at=hour(4))
        killed(shop.run(kill_at=f"after:{STREAM_LEDGER}.confirm"))
        # A transaction that began before the newest order is committed when a run is past both.
        with shop.engine.begin() as slow:
            slow.execute(sa.insert(ORDERS), [shop.order("LATE", updated_at=hour(5) - timedelta(seconds=200))])
            late_change = sa.update(ORDERS).where(ORDERS.c.order_id == KEYS[7])
            slow.execute(late_change.values(notes="late", updated_at=hour(5) - timedelta(seconds=100)))
            shop.insert(["NEWEST"], updated_at=hour(5))
            good(shop.run())
            assert '"2026-01-01 13:00:00' in shop.state.read_text()
        assert good(shop.run()).summary["read"] == 2
        shop.assert_all_synced()
        assert good(shop.run()).summary["read"] == 0
        shop.state.unlink()
        assert good(shop.run()).summary["read"] == 0


def test_an_order_is_never_doubled(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    with opened(postgresql_url, zoho_emulator, tmp_path) as shop:
        admin = shop.emulator.admin
        shop.insert(KEYS)
        # Every answer is lost once, after its effect.
        shop.target_config = {"channel": "upsert"}
        for kind in ("lost_after", "cut"):
            admin.add_fault("upsert", kind=kind, times=1)
        assert good(shop.run()).summary["synced"] == len(KEYS)
        # The creation of a job is lost, and then the run dies that would have noted the second creation.
        shop.insert(f"JOB-{number}" for number in range(40))
        shop.target_config = {"channel": "bulk_write"}
        admin.add_fault("bulk_create", kind="lost_after", times=1)
        killed(shop.run(kill_at=f"after:{CLIENT}.create_job:2"))
        good(shop.run())
        assert sum(admin.stats()["jobs"].values()) == 3
        # A run sleeps between Zoho's answer and the ack, and is taken for dead; its orders are another run's then.
        shop.insert(f"TWICE-{number}" for number in range(40))
        shop.target_config = {"channel": "upsert"}
        sleeper, successor = overtaken(shop)
        assert good(successor).summary["synced"] == 40
        assert sleeper.code != 0
        assert "another run has taken over" in sleeper.errors[0]
        # Keys that Zoho takes for ones that it has.
        twins = ["so-1", "job-1"]
        shop.insert(twins)
        assert good(shop.run()).summary["rejected"] == 2
        shop.assert_all_synced(but=twins)
        made = {fate: count for fate, count in admin.stats()["records"].items() if fate.endswith(" insert")}
        assert sum(made.values()) == len(shop.orders()) - len(twins)


def overtaken(shop: Shop) -> tuple[Finished, Finished]:
    """Stop a run whose first call is made and not answered, let another one take over, wake the first."""
    held = shop.emulator.admin.add_fault("upsert", kind="hold_after", times=1)
    ledger = Ledger.open(shop.ack_url)
    run = ledger.tables.run
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shop.run)
        shop.emulator.admin.wait_held(held)
        with ledger.begin() as connection:
            pid = connection.execute(sa.select(run.c.pid).where(run.c.finished_at.is_(None))).scalar_one()
            os.kill(pid, signal.SIGSTOP)
            silent = {"heartbeat_at": ledger.now(connection) - timedelta(minutes=2), "process_space": "another machine"}
            connection.execute(sa.update(run).where(run.c.finished_at.is_(None)).values(silent))
        try:
            second = begin(shop, QUICK).finish()
            shop.emulator.admin.release(held)
        finally:
            os.kill(pid, signal.SIGCONT)
        sleeper = first.result()
    ledger.close()
    return sleeper, second


class Witness:
    """Remembers what each version of an order held, and compares the CRM with what the acks claim of it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.edition = 0
        self.held: dict[tuple[str, str], str] = {}

    def write(self, keys: list[str], *, new: bool = False) -> None:
        """Give these orders new contents, each its own."""
        for key in keys:
            self.edition += 1
            notes = f"edition {self.edition}"
            if new:
                self.shop.insert([key], notes=notes)
            else:
                self.shop.change([key], notes=notes)
        with self.shop.engine.connect() as connection:  # versions as the database writes them
            rows = connection.exec_driver_sql("SELECT order_id, updated_at, notes FROM orders")
            self.held.update({(key, version): notes for key, version, notes in rows})

    def compare(self) -> set[str]:
        """The orders that are called synced; fails where the CRM does not hold that very version."""
        crm, acks = self.shop.crm(), self.shop.acks()
        called_synced = {key for key, ack in acks.items() if ack.status == "synced"}
        for key in called_synced:
            assert crm[key]["id"] == acks[key].zoho_id
            # What was written later may have lost its ack; an older content must not be there.
            assert int(crm[key]["Notes"].split()[1]) >= int(self.held[key, acks[key].version].split()[1]), key
        return called_synced

    def run(self, *, kill_at: str | None = None) -> set[str]:
        ended = self.shop.run(kill_at=kill_at)
        assert ended.code == (-signal.SIGKILL if kill_at else 0), ended.err
        return self.compare()


def test_an_order_is_never_falsely_called_synced(shop: Shop) -> None:
    admin, witness = shop.emulator.admin, Witness(shop)
    refused, untried = set(KEYS[:3]), set(sorted(KEYS)[-4:])  # a job has its orders by key
    # A job skips rows, does not try others, and orders change before it begins.
    witness.write(KEYS, new=True)
    shop.target_config = {"channel": "bulk_write"}
    bad = {"kind": "record_error", "code": "INVALID_DATA", "field": "Notes", "keys": sorted(refused)}
    for_now = admin.add_fault(**bad)
    admin.add_fault(kind="unprocessed", rows=len(untried), times=1)
    changed = KEYS[10:15]
    with while_a_job_is_made(shop, lambda: witness.write(changed)):
        assert witness.run() == set(KEYS) - refused - untried
    # Each of these is in the CRM already, so a row or record that is refused now has an id there.
    admin.remove_fault(for_now)
    witness.write(sorted(refused))
    assert witness.run() == set(KEYS)
    admin.add_fault(**bad)
    for channel in ("bulk_write", "upsert"):
        shop.target_config = {"channel": channel}
        witness.write(KEYS)
        assert witness.run() == set(KEYS) - refused
    admin.clear_faults()
    # Answers that are none: an error by HTTP 200, a text, half an answer, half a result, a result that is gone.
    for canned in ("ok_but_error", "not_json"):
        admin.add_fault("upsert", kind="answer", canned=canned, times=1)
    witness.write(KEYS)
    assert witness.run() == set(KEYS)
    shop.target_config = {"channel": "bulk_write"}
    admin.add_fault("bulk_result", kind="answer", canned="link_gone", times=1)
    witness.write(KEYS)
    assert witness.run() == set()
    # Runs that die when nothing has reached Zoho.
    shop.target_config = {"channel": "upsert"}
    assert witness.run(kill_at=f"before:{CLIENT}.upsert") == set()
    shop.target_config = {"channel": "bulk_write"}
    witness.write(KEYS)  # another version: no job takes one whose job left no result
    assert witness.run(kill_at=f"before:{CLIENT}.create_job") == set()
    assert witness.run() == set(KEYS)
    shop.assert_all_synced()


@contextmanager
def while_a_job_is_made(shop: Shop, act: Callable[[], None]) -> Iterator[None]:
    """Do something while the first request for a job within the block is held."""
    admin = shop.emulator.admin
    hold = admin.add_fault("bulk_create", kind="hold_before", times=1)

    def meanwhile() -> None:
        admin.wait_held(hold)
        act()
        admin.release(hold)

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(meanwhile)
        yield
        acting.result()


JOB_FAULTS = {
    "UNTRIED": {"kind": "unprocessed", "rows": 1},
    "UNTOLD": {"endpoint": "bulk_result", "kind": "answer", "canned": "link_gone"},
    "UNREADABLE": {"endpoint": "bulk_result", "kind": "answer", "status": 200, "body": "<html></html>"},
}


def test_an_order_is_never_retried_for_ever(shop: Shop) -> None:
    admin, attempts = shop.emulator.admin, 3
    shop.target_config = {"channel": "upsert", "max_attempts": attempts}
    shop.insert([*KEYS, "LOCKED", "REFUSED"])
    locked = admin.add_fault(kind="record_error", code="RECORD_LOCKED", keys=["LOCKED"])
    refused = admin.add_fault(kind="record_error", code="INVALID_DATA", keys=["REFUSED"])
    assert runs_until_nothing_is_due(shop) == attempts
    assert (admin.fired(locked), admin.fired(refused)) == (attempts, 1)
    # Jobs that never try a row, whose result is gone, or cannot be read, however often they are made.
    shop.target_config["channel"] = "bulk_write"
    for key, fault in JOB_FAULTS.items():
        shop.insert([key])
        number, before = admin.add_fault(**fault), len(shop.jobs())
        # Where a job told nothing, a call is made.
        jobs = attempts if key == "UNTRIED" else MOST_JOBS
        assert runs_until_nothing_is_due(shop) == (attempts if key == "UNTRIED" else MOST_JOBS + 1)
        assert len(shop.jobs()) - before == jobs
        admin.remove_fault(number)
    poison = {"LOCKED": "parked", "REFUSED": "rejected", "UNTRIED": "parked"}
    acks = shop.acks()
    assert {key: acks[key].status for key in poison} == poison
    assert all(acks[key].error_code and acks[key].next_attempt_at is None for key in poison)
    assert {acks[key].status for key in [*KEYS, "UNTOLD", "UNREADABLE"]} == {"synced"}
    # Nobody was in their way, and a change is a new start.
    admin.clear_faults()
    shop.change(list(poison))
    assert good(shop.run()).summary["synced"] == len(poison)
    shop.assert_all_synced()


def runs_until_nothing_is_due(shop: Shop) -> int:
    """Run again and again, with time enough between for whatever waits; returns how many runs had anything to do."""
    for number in range(10):
        if good(shop.run()).summary["read"] == 0:
            return number
        assert set(KEYS) <= shop.crm().keys()
        ledger = Ledger.open(shop.ack_url)
        ack = ledger.tables.ack
        with ledger.begin() as connection:
            waiting = sa.update(ack).where(ack.c.next_attempt_at.is_not(None))
            connection.execute(waiting.values(next_attempt_at=ack.c.acked_at))
        ledger.close()
    raise AssertionError("orders are tried for ever")
