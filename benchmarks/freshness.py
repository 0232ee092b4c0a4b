"""How fresh the CRM is in follow mode: `python -m benchmarks.freshness`, or with `--seconds 40` for a short form.

A shop in PostgreSQL changes orders all the while, with bursts between; the pair follows, is killed and started again;
a proxy before the emulator notes what each call holds and when it is answered. Every figure comes from these notes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.call_notes import CallNotes
from benchmarks.contenders import target_settings
from benchmarks.freshness_figures import figures_of, percentile, table
from benchmarks.live_shop import LiveShop
from benchmarks.peers import ours
from benchmarks.processes import work_folder
from benchmarks.results import keep
from scripts.servers import NoServerError, postgresql_database, postgresql_server
from zoho_crm_emulator.control import EmulatorProcess

MIB = 1 << 20
END_SECONDS = 300.0
"""For hangs alone: the pair ends by itself long before."""


class FreshnessError(RuntimeError):
    """The pair did not do what it was measured for."""


@dataclass(frozen=True)
class Plan:
    """What is done to the pair."""

    seconds: float
    changes_per_second: float
    burst: int
    bursts: int
    kills: int
    notify: bool
    idle_seconds: float
    poll_interval_seconds: float
    max_age_seconds: float
    call_seconds: float
    catch_up_seconds: float = 60.0
    statistics_seconds: float = 20.0
    """After so long PostgreSQL's statistics hold what came before: a session tells of its start within ten seconds."""
    start_seconds: float = 5.0


@dataclass
class Life:
    """One life of the pair: when it began, and the resident memory of its processes in MiB as it went on."""

    began: float
    tap: subprocess.Popen[bytes]
    target: subprocess.Popen[bytes]
    memory: dict[str, list[float]] = field(default_factory=lambda: {"tap": [], "target": []})

    def sample(self) -> None:
        """Note the memory now."""
        for role, process in (("tap", self.tap), ("target", self.target)):
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
            except (OSError, IndexError):
                continue
            self.memory[role].append(round(pages * os.sysconf("SC_PAGE_SIZE") / MIB, 1))


class Pair:
    """The pair as processes, with STATE kept between their lives."""

    def __init__(self, folder: Path, configs: Mapping[str, Mapping[str, Any]]) -> None:
        """`configs` by role; logs and STATE lie in `folder`."""
        self._folder = folder
        self._state = folder / "state.json"
        self.log = folder / "pair.log"
        for role, config in configs.items():
            (folder / f"{role}.json").write_text(json.dumps(config), encoding="utf-8")
        self.lives: list[Life] = []

    @contextmanager
    def tap_alone(self) -> Iterator[None]:
        """Run the tap within the block; what it writes is nobody's."""
        with self.log.open("ab") as log:
            state = ["--state", str(self._state)]
            tap = self._process("tap-legacy-orders", "tap.json", state, stdout=subprocess.DEVNULL, stderr=log)
        try:
            yield
        finally:
            tap.terminate()
            tap.wait(END_SECONDS)

    def start(self) -> None:
        """Start both, from the last STATE."""
        state = ["--state", str(self._state)] if self._state.exists() else []
        with self.log.open("ab") as log:
            tap = self._process("tap-legacy-orders", "tap.json", state, stdout=subprocess.PIPE, stderr=log)
            target = self._process(
                "target-zoho-crm", "target.json", [], stdin=tap.stdout, stdout=subprocess.PIPE, stderr=log
            )
        if tap.stdout is not None:
            tap.stdout.close()
        self.lives.append(Life(time.time(), tap, target))
        threading.Thread(target=self._keep_state, args=(target,), daemon=True).start()

    def kill(self) -> None:
        """SIGKILL to both."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """SIGTERM to both; returns how many seconds they took.

        Raises:
            FreshnessError: one of them did not end well.
        """
        began = time.monotonic()
        self._end(signal.SIGTERM)
        life = self.lives[-1]
        if life.tap.returncode or life.target.returncode:
            said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            codes = f"tap {life.tap.returncode}, target {life.target.returncode}"
            raise FreshnessError("\n  ".join([f"the pair did not end well: {codes}", *said]))
        return time.monotonic() - began

    def must_live(self) -> None:
        """Raise where one of them has ended by itself."""
        life = self.lives[-1]
        if life.tap.poll() is not None or life.target.poll() is not None:
            said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            raise FreshnessError("\n  ".join(["the pair ended by itself", *said]))

    def _process(self, program: str, config: str, more: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        command = [ours(program), "--config", str(self._folder / config), *more]
        return subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "ignore"}, **options)

    def _keep_state(self, target: subprocess.Popen[bytes]) -> None:
        spare = self._state.with_suffix(".new")
        for line in target.stdout or ():
            spare.write_bytes(line)
            spare.replace(self._state)

    def _end(self, number: signal.Signals) -> None:
        life = self.lives[-1]
        for process in (life.tap, life.target):
            if process.poll() is None:
                process.send_signal(number)
        for process in (life.tap, life.target):
            process.wait(END_SECONDS)


def measure(plan: Plan, folder: Path, server: str) -> dict[str, Any]:
    """Carry the plan out and give its figures.

    Raises:
        FreshnessError: an order is lost, doubled or not in its newest version at the end.
    """
    with (
        postgresql_database(server) as url,
        EmulatorProcess(folder / "crm.sqlite", edition="unlimited", call_seconds=str(plan.call_seconds)) as emulator,
        CallNotes.before(emulator.base_url) as notes,
    ):
        shop = LiveShop(url, notify=plan.notify)
        pair = Pair(folder, _configs(plan, url, emulator, notes.base_url))
        idle = _idle_queries(plan, pair, shop, server)
        with shop.changing(plan.changes_per_second, plan.burst, _moments(plan.seconds, plan.bursts)):
            _live_through(plan, pair)
        _catch_up(plan, pair, shop, notes)
        stopped_after = pair.stop()
        _must_agree(shop, emulator)
        figures = figures_of(shop.changes, notes.calls, [life.began for life in pair.lives[1:]])
        return {
            "plan": asdict(plan),
            **figures,
            "idle_queries_per_second": idle,
            "stopped_after_seconds": round(stopped_after, 2),
            "memory_growth_mib": _growth(pair.lives),
            "orders": len(shop.orders()),
        }


def _configs(plan: Plan, url: str, emulator: EmulatorProcess, base: str) -> dict[str, dict[str, Any]]:
    return {
        "tap": {
            "sqlalchemy_url": url,
            "orders_table": "orders",
            "follow": True,
            "poll_interval_seconds": plan.poll_interval_seconds,
            "settle_seconds": 0,
        },
        "target": {
            **target_settings(emulator, url),
            "api_url": base,
            "max_age_seconds": plan.max_age_seconds,
        },
    }


def _moments(seconds: float, count: int) -> list[float]:
    """Moments within the run, in seconds after its start, as far from each other as can be."""
    return [seconds * (number + 1) / (count + 1) for number in range(count)]


def _idle_queries(plan: Plan, pair: Pair, shop: LiveShop, server: str) -> dict[str, float]:
    """Transactions a second in the shop's database while nothing changes: the tap's, and those of the pair.

    The pair's have the target's heartbeats in the ledger among them. It lives afterwards.
    """

    def a_second() -> float:
        time.sleep(plan.statistics_seconds)
        before, began = shop.transactions(server), time.monotonic()
        time.sleep(plan.idle_seconds)
        return round((shop.transactions(server) - before) / (time.monotonic() - began), 3)

    pair.start()
    while shop.unsynced():
        pair.must_live()
        time.sleep(0.5)
    of_the_pair = a_second()
    pair.must_live()
    pair.stop()
    with pair.tap_alone():
        of_the_tap = a_second()
    pair.start()
    time.sleep(plan.start_seconds)
    return {"tap": of_the_tap, "pair": of_the_pair}


def _live_through(plan: Plan, pair: Pair) -> None:
    ends, kills = time.monotonic() + plan.seconds, _moments(plan.seconds, plan.kills * 2)[::2]
    began = time.monotonic()
    while kills or time.monotonic() < ends:
        if kills and time.monotonic() - began >= kills[0]:
            del kills[0]
            pair.kill()
            pair.start()
        pair.must_live()
        pair.lives[-1].sample()
        time.sleep(1)


def _catch_up(plan: Plan, pair: Pair, shop: LiveShop, notes: CallNotes) -> None:
    """Wait until the last change has been answered for."""
    ends, newest = time.monotonic() + plan.catch_up_seconds, shop.newest_by_key()
    while any(notes.written.get(key, -1) < number for key, number in newest.items()):
        if time.monotonic() > ends:
            missing = [key for key, number in newest.items() if notes.written.get(key, -1) < number]
            raise FreshnessError(f"{len(missing)} orders did not reach the CRM, such as {missing[0]}")
        pair.must_live()
        time.sleep(0.2)


def _must_agree(shop: LiveShop, emulator: EmulatorProcess) -> None:
    crm: dict[str, str] = {}
    for record in emulator.admin.records("Orders"):
        if record["parent_id"] in crm:
            raise FreshnessError(f"order {record['parent_id']} is in the CRM twice")
        crm[record["parent_id"]] = record["Notes"]
    orders = shop.orders()
    if crm != orders:
        wrong = [key for key in orders.keys() | crm.keys() if orders.get(key) != crm.get(key)]
        raise FreshnessError(f"{len(wrong)} orders differ between shop and CRM, such as {wrong[0]}")
    unsynced = shop.unsynced()
    if unsynced:
        raise FreshnessError(f"{unsynced} acks are not synced at the order's newest version")


def _growth(lives: Sequence[Life]) -> dict[str, float]:
    """By how much the memory of the longest life grew from its second quarter to its last, by process."""
    longest = max(lives, key=lambda life: len(life.memory["target"]))
    grown = {}
    for role, samples in longest.memory.items():
        quarter = max(1, len(samples) // 4)
        grown[role] = round(percentile(samples[-quarter:], 0.5) - percentile(samples[quarter : 2 * quarter], 0.5), 1)
    return grown


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.freshness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long orders change")
    parser.add_argument("--rate", type=float, default=20, help="changes a second")
    parser.add_argument("--burst", type=int, default=2000, help="changes of one burst")
    parser.add_argument("--bursts", type=int, default=5, help="how many bursts")
    parser.add_argument("--kills", type=int, default=5, help="how often the pair is killed and started again")
    parser.add_argument("--idle", type=float, default=30, help="seconds without a change, before")
    parser.add_argument("--poll-interval", type=float, default=0.5)
    parser.add_argument("--max-age", type=float, default=0.3)
    parser.add_argument("--notify", action="store_true", help="with a trigger that tells of each change")
    options = parser.parse_args()
    plan = Plan(
        seconds=options.seconds,
        changes_per_second=options.rate,
        burst=options.burst,
        bursts=options.bursts,
        kills=options.kills,
        notify=options.notify,
        idle_seconds=options.idle,
        poll_interval_seconds=options.poll_interval,
        max_age_seconds=options.max_age,
        call_seconds=0.3,
    )
    try:
        with work_folder() as folder:
            figures = measure(plan, folder, postgresql_server())
    except (FreshnessError, NoServerError) as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    keep("freshness-notify" if plan.notify else "freshness", figures, [table(figures)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
