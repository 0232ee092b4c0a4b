"""A shop that keeps a flag column in its orders' table, and resets it with each change of an order."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import sqlalchemy as sa
from pair_of_plugins import TESTS, Finished, Shop, finish, start

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

WITHOUT_COMPARE = TESTS / "flag_without_compare.py"


@dataclass(frozen=True)
class FlagKind:
    """How a shop writes its flag."""

    ddl: str
    unset: str
    is_set: str


KINDS = {
    "boolean": FlagKind("BOOLEAN DEFAULT FALSE NOT NULL", "FALSE", "synced = TRUE"),
    "number": FlagKind("INTEGER", "0", "synced = 1"),
    "letter": FlagKind("CHAR(1)", "'N'", "synced = 'Y'"),
    "null": FlagKind("CHAR(1)", "NULL", "synced = 'Y'"),
}
BY_FLAG = {"unsynced_by": "sync_flag", "sync_flag_column": "synced", "settle_seconds": 0}


class FlagShop(Shop):
    """Sets and reads the flag as an application does, by SQL of its own."""

    kind: FlagKind

    @classmethod
    def open(
        cls, url: str, emulator: EmulatorProcess, folder: Path, kind: str = "boolean", *, ack_url: str = ""
    ) -> FlagShop:
        shop = cls(url, emulator, folder, ack_url=ack_url)
        shop.kind = KINDS[kind]
        shop.sql(f"ALTER TABLE orders ADD COLUMN synced {shop.kind.ddl}")
        shop.by_flag()
        return shop

    def by_flag(self) -> None:
        self.tap_config |= BY_FLAG
        self.target_config["sync_flag_column"] = "synced"

    def by_ack_table(self) -> None:
        self.tap_config["unsynced_by"] = "ack_table"

    def sql(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def change(self, keys: Sequence[str], **values: Any) -> None:
        super().change(keys, **values)
        with self.engine.begin() as connection:
            for key in keys:
                connection.execute(
                    sa.text(f"UPDATE orders SET synced = {self.kind.unset} WHERE order_id = :k"), {"k": key}
                )

    def flagged(self) -> dict[str, str]:
        """The orders whose flag is set, with the version that they have."""
        return self.versions(self.kind.is_set)

    def assert_no_flag_without_its_write(self) -> None:
        """Each flag that is set speaks of a version whose ack says that it was written."""
        flagged = self.flagged()  # first: an ack may come meanwhile, and no flag comes before its ack
        acks = self.acks()
        wrong = [key for key, version in flagged.items() if not written(acks.get(key), version)]
        assert not wrong, f"flags without their write: {wrong[:3]} and others, {len(wrong)} in all"

    def assert_all_flagged(self, *, but: Iterable[str] = ()) -> None:
        self.assert_all_synced(but=but)
        assert set(self.flagged()) == set(self.orders()) - set(but)
        self.assert_no_flag_without_its_write()

    def run_by(self, program: Path) -> Finished:
        """One run of the pair, with another program for a target."""
        tap, target = self.configs()
        state = ["--state", str(self.state)] if self.state.exists() else []
        source = start(forked.command("tap-legacy-orders", ["--config", tap, *state]))
        sink = start(forked.command(program, ["--config", target]), stdin=source.stdout)
        assert source.stdout is not None
        assert source.stderr is not None
        source.stdout.close()
        ended = finish(sink)
        source.stderr.close()
        source.wait()
        self.keep_state(ended)
        return ended

    def changed_in_flight(self) -> int:
        """How many orders have changed since they were read first."""
        with self.engine.connect() as connection:
            count = sa.text("SELECT count(*) FROM orders WHERE notes LIKE 'changed %'")
            return int(connection.execute(count).scalar_one())

    @contextmanager
    def changing(self) -> Iterator[subprocess.Popen[str]]:
        """Another process changes orders all the while, and each one at a moment when it is in flight."""
        command = [sys.executable, str(TESTS / "flag_changer.py"), self.url, self.ack_url, self.kind.unset]
        changer = start(command, stdin=subprocess.PIPE)
        assert changer.stdout is not None
        try:
            assert changer.stdout.readline() == "ready\n"
            yield changer
        finally:
            changer.kill()
            changer.wait()

    def run_until_quiet(self, most: int = 12) -> int:
        """Run the pair until a run reads nothing and every flag is set; gives how many runs that took.

        A run that reads nothing is not enough: it leaves what was changed within the present tick of the clock.
        """
        for runs in range(1, most + 1):
            ended = self.run()
            assert ended.code == 0, ended.err
            self.assert_no_flag_without_its_write()
            if not ended.summary["read"] and set(self.flagged()) == set(self.orders()):
                return runs
        raise AssertionError(f"{most} runs did not come to an end: {ended.err}")


def written(ack: Any, version: str) -> bool:
    return ack is not None and ack.status == "synced" and ack.version == version


def all_in_flight_are_changed(shop: FlagShop, count: int, *, job_rows: int) -> int:
    """Must-show: a first load by bulk, changes by another process meanwhile; gives how many changed in flight."""
    shop.target_config |= {"bulk_rows": job_rows, "bulk_threshold": min(job_rows, 4991)}
    for start_at in range(0, count, 5000):
        shop.insert(f"SO-{number}" for number in range(start_at, min(count, start_at + 5000)))
    admin = shop.emulator.admin
    admin.set_clock("manual")  # no job ends before all its orders have changed
    with shop.changing() as changer, ThreadPoolExecutor(1) as threads:
        running = threads.submit(shop.run)
        while not running.done():
            if shop.changed_in_flight() == count:
                admin.advance_clock(1)
            time.sleep(0.05)
        admin.set_clock("real")
        loaded = running.result()
        assert loaded.code == 0, loaded.err
        shop.assert_no_flag_without_its_write()
        for _ in range(2):
            assert shop.run().code == 0
            shop.assert_no_flag_without_its_write()
        out, err = changer.communicate(timeout=300)
    assert changer.returncode == 0, err
    shop.run_until_quiet()
    shop.assert_all_flagged()
    return int(out)


def switched_back_and_forth_writes_nothing(shop: FlagShop) -> None:
    before = shop.written_credits()
    for switch in (shop.by_ack_table, shop.by_flag):
        switch()
        ended = shop.run()
        assert ended.code == 0, ended.err
        assert ended.summary["synced"] == 0, ended.err
    assert shop.written_credits() == before
    shop.assert_all_flagged()
