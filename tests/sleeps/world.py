"""The world of one run: a shop on an engine, a CRM, and how each of the four processes is stopped and woken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from flag_shop import FlagShop
from own_servers import OwnServer, own_server
from pair_of_plugins import Shop
from shop_with_lines import ShopWithLines
from sleeping_pair import is_locked, state_of

from scripts import servers
from sleeps.plan import Plan
from sleeps.steps import TAP, TARGET
from zoho_crm_emulator.control import EmulatorProcess

HOLDS_SQLITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=600)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""
"""Another program with a transaction in an SQLite file: stopped in it, it is what a stopped server is elsewhere."""
JOB_SECONDS = [0.2, 1.5]
KEYS_DIGITS = 4


@dataclass
class World:
    """What a run has to do with."""

    plan: Plan
    shop: Shop
    emulator: EmulatorProcess
    server: OwnServer | None
    folder: Path
    stopped: Sequence[int] = ()
    holder: subprocess.Popen[str] | None = None

    def stop(self) -> bool:
        """Stop whom the plan says; False where they have ended. A tap may end long before its target.

        Where a second run has to go through meanwhile, nobody stops in a transaction that keeps it out.
        """
        while True:
            self.stopped = [pid for pid in self._processes() if _signalled(pid, signal.SIGSTOP)]
            if not (self.stopped and self.plan.until_through and self._keeps_all_out()):
                return bool(self.stopped)
            self.wake()

    def _keeps_all_out(self) -> bool:
        if self.plan.who not in {"tap", "target", "tap and target"}:
            return False
        for pid in self.stopped:
            while state_of(pid) not in {"T", "Z"}:
                time.sleep(0.01)
        return is_locked(self.shop.ack_url)

    def _processes(self) -> list[int]:
        who = self.plan.who
        if who == "emulator":
            return [self.emulator.pid]
        if self.server is not None:
            return self.server.processes()
        if who == "database":
            return [self._holder()]
        programs = {"tap": [TAP], "target": [TARGET]}.get(who, [TAP, TARGET])
        return [int((self.folder / f"{program}.pid").read_text()) for program in programs]

    def _holder(self) -> int:
        file = sa.make_url(self.shop.ack_url).database or ""
        self.holder = subprocess.Popen(
            [sys.executable, "-c", HOLDS_SQLITE, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        (self.folder / "go").touch()  # who waits at its step may be in a transaction
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == "held\n"
        return self.holder.pid

    def wake(self) -> None:
        """Let it go on. Safe to repeat."""
        for pid in self.stopped:
            _signalled(pid, signal.SIGCONT)
        self.stopped = ()
        if self.holder is not None:
            self.holder.communicate()
            self.holder = None


def _signalled(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def world(plan: Plan, folder: Path) -> Iterator[World]:
    """Give the plan's world, with orders that are synced."""
    with ExitStack() as stack:
        emulator = stack.enter_context(EmulatorProcess())
        emulator.admin.settings(job_seconds=JOB_SECONDS)
        server = None
        if plan.who == "database" and plan.engine != "sqlite":
            server = stack.enter_context(own_server(plan.engine))
        url = stack.enter_context(_database(plan, server, folder / "orders.sqlite"))
        shop = _shop(plan, url, emulator, folder)
        made = World(plan, shop, emulator, server, folder)
        stack.callback(made.wake)
        stack.callback(shop.engine.dispose)
        yield made


@contextmanager
def _database(plan: Plan, server: OwnServer | None, file: Path) -> Iterator[str]:
    if server is not None:
        with server.database() as url:
            yield url
    elif plan.engine == "sqlite":
        yield f"sqlite:///{file}"
    else:
        with {"postgresql": servers.postgresql_database, "mariadb": servers.mariadb_database}[plan.engine]() as url:
            yield url


def _shop(plan: Plan, url: str, emulator: EmulatorProcess, folder: Path) -> Shop:
    ack_url = f"sqlite:///{folder}/elsewhere.sqlite" if plan.elsewhere else ""
    shop: Shop
    if plan.by_flag:
        shop = FlagShop.open(url, emulator, folder, ack_url=ack_url)
    elif plan.lines:
        shop = ShopWithLines(url, emulator, folder, ack_url=ack_url, write_to={"write_to": plan.lines})
    else:
        shop = Shop(url, emulator, folder, ack_url=ack_url)
    shop.tap_config["page_size"] = 50
    shop.target_config |= {
        "channel": plan.channel,
        "max_connections": 2,
        "bulk_rows": 100,
        "job_wait_seconds": 120,
    }
    if plan.by_flag and plan.elsewhere:
        shop.target_config["orders_url"] = url
    keys = [f"SO-{number:0{KEYS_DIGITS}}" for number in range(plan.orders)]
    if isinstance(shop, ShopWithLines):
        shop.insert_whole(keys, most_lines=3)
    else:
        shop.insert(keys)
    return shop
