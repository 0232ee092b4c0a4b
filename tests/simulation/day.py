"""24 simulated hours: 20 changes a second, a run of the pair every five minutes, and one call in twenty goes wrong.

    python -m simulation.day                    the whole day
    python -m simulation.day --hours 1          a part of it

Prints, hour by hour, how far the CRM is behind and how much memory this process takes; at the end every order must be
in the CRM exactly once at its newest version, or its ack must say why not.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import sqlite3
import sys
import time
from collections import Counter
from datetime import datetime, timezone
from typing import Any

from simulation.chance import Chance
from simulation.pair import PairConfig, TargetRun, start, tap
from simulation.pipe import Pipe
from simulation.scheduler import Killed, Process, Scheduler
from simulation.set_ups import SetUp
from simulation.simulated_databases import HOOKS, plain
from simulation.stand_ins import STAGE
from simulation.theatre import Theatre

CHANGES_A_SECOND = 20
INSERTS = 0.25
"""Share of the changes that are new orders."""
LATE = 0.02
"""Share of the changes that are committed up to a minute late."""
FAULT_RATE = 0.05
KILL_RATE = 0.05
EVERY_SECONDS = 300.0
BACKLOG_MOST = CHANGES_A_SECOND * EVERY_SECONDS * 12
"""An hour's changes: more left behind means that the pair does not keep up."""
MEMORY_GROWTH_MOST = 96 * 1024 * 1024
"""Bytes between the second hour and the last; lists of a run's rows come and go."""
USERS = 150
"""Of an Enterprise org whose 200,000 credits a day suffice: a job of 6,000 changes every five minutes takes 144,000."""
ROUNDS = 30
UNSYNCED = """
SELECT count(*) FROM orders o LEFT JOIN zoho_sync_ack a ON a.stream = 'orders' AND a.record_key = o.order_id
WHERE a.record_key IS NULL OR a.version != o.updated_at OR a.status != 'synced'
"""


class Day:
    """One long history."""

    def __init__(self, theatre: Theatre, seed: int, hours: float) -> None:
        """Run `hours` of it."""
        self.hours = hours
        self.theatre = theatre
        self.chance = Chance(seed)
        self.draw = random.Random(seed)
        self.scheduler = Scheduler(random.Random(seed))
        self.scheduler.steps_most = 1 << 62
        self.processes: dict[int, Process] = {}
        STAGE.begin(self.scheduler, seed, self._lives)
        theatre.empty_databases(new_ledger=True)
        self.world = Process(self.scheduler, "world", 1, "world")
        theatre.zoho.begin(
            self.scheduler,
            self.chance,
            rate=FAULT_RATE,
            job_seconds=(5.0, 60.0),
            result_words={},
            world=self.world,
            tick=lambda: 0,
            keep_log=False,
        )
        theatre.zoho.emulator.credits.set_edition("enterprise", USERS)
        self.shop: sqlite3.Connection = plain(theatre.orders)
        for name in ("INSERT", "UPDATE"):
            self.shop.execute(f"DROP TRIGGER sim_{name}")
        self.url = f"sqlite:///{theatre.orders}"
        self.pair = PairConfig(25_000, 300.0, 4, {"validate": False, "max_attempts": 12})
        self.settings = self.pair.settings(self.url)
        self.state: dict[str, Any] = {}
        self.orders = self.changes = 0
        self.ends: Counter[str] = Counter()
        self.backlog_most = 0
        self.memory: list[int] = []
        self._pids = itertools.count(1000)
        HOOKS.before = HOOKS.before_commit = HOOKS.after_commit = self._point
        HOOKS.tick = lambda: 0

    def run(self) -> list[str]:
        """Live through it; what is wrong at the end."""
        main = self.scheduler.spawn(self.world, self._all, "day")
        self.wrong: list[str] = []
        self.scheduler.run(main)
        self.wrong += [
            f"{task.process.name}: {type(error).__name__}: {error}" for task, error in self.scheduler.crashes
        ]
        self.wrong += self.theatre.zoho.violations
        for process in (*self.processes.values(), self.world):
            process.kill()
        self.scheduler.drain()
        return self.wrong

    def _lives(self, pid: int) -> bool:
        process = self.processes.get(pid)
        return process is not None and not process.dead and bool(process.tasks)

    def _point(self, what: str, _path: str) -> None:
        process = self.scheduler.current.process
        if process.dead:
            raise Killed
        if process.on_point is not None:
            process.on_point(process, what)
        if what not in {"commit", "read"}:
            self.scheduler.give_way()

    def _all(self) -> None:
        shop = self.scheduler.spawn(self.world, self._trade, "shop")
        watch = self.scheduler.spawn(self.world, self._watch, "watch")
        for number in itertools.count():
            if shop.over:
                break
            began = self.scheduler.now
            self._pair(number)
            self.scheduler.sleep(max(1.0, EVERY_SECONDS - (self.scheduler.now - began)))
        self.scheduler.join(watch)
        self.chance.quiet = True
        for number in range(ROUNDS):
            self.scheduler.sleep(400.0)
            self._pair(100_000 + number)
            if not self.shop.execute(UNSYNCED).fetchone()[0]:
                break
        self._judge()

    def _trade(self) -> None:
        late: list[tuple[float, tuple[str, str, str]]] = []
        for _ in range(int(self.hours * 3600)):
            self.scheduler.sleep(1.0)
            rows = [row for due, row in late if due <= self.scheduler.now]
            late = [(due, row) for due, row in late if due > self.scheduler.now]
            busy = {row[0] for _, row in late} | {row[0] for row in rows}
            for index in range(CHANGES_A_SECOND):
                self.changes += 1
                if not self.orders or self.draw.random() < INSERTS:
                    self.orders += 1
                    key = f"so-{self.orders}"
                else:
                    key = f"so-{self.draw.randint(1, self.orders)}"
                if key in busy:
                    continue
                busy.add(key)
                moment = datetime.fromtimestamp(STAGE.true_time() + index / 1000, timezone.utc)
                row = (key, f"{key}#{self.changes}", f"{moment:%Y-%m-%d %H:%M:%S.%f}")
                if self.draw.random() < LATE:
                    late.append((self.scheduler.now + self.draw.uniform(1.0, 60.0), row))
                else:
                    rows.append(row)
            self._commit(rows)
        self._commit([row for _, row in late])

    def _commit(self, rows: list[tuple[str, str, str]]) -> None:
        with self.shop:
            self.shop.execute("BEGIN")
            self.shop.executemany(
                "INSERT INTO orders (order_id, notes, updated_at) VALUES (?, ?, ?) ON CONFLICT (order_id) "
                "DO UPDATE SET notes = excluded.notes, updated_at = excluded.updated_at",
                rows,
            )

    def _watch(self) -> None:
        print(f"{'hour':>5} {'orders':>9} {'changes':>10} {'unsynced':>9} {'memory':>8}", flush=True)
        hours = max(1, round(self.hours * 4)) if self.hours < 2 else round(self.hours)
        for number in range(1, hours + 1):
            moment = number * self.hours * 3600 / hours
            self.scheduler.sleep(moment - self.scheduler.now)
            backlog = self.shop.execute(UNSYNCED).fetchone()[0]
            self.backlog_most = max(self.backlog_most, backlog)
            self.memory.append(_memory())
            hour, megabytes = moment / 3600, self.memory[-1] >> 20
            print(f"{hour:5.2f} {self.orders:9,} {self.changes:10,} {backlog:9,} {megabytes:5,} MB", flush=True)

    def _pair(self, number: int) -> None:
        source = self.theatre.source
        reading, writing = (self._process(f"{name} {number}") for name in ("tap", "target"))
        pipe = Pipe(self.scheduler, self.pair.pipe_room)
        target = TargetRun(self.settings, pipe, self._state_out, self.pair.column.name)
        known = self.state
        if not self.chance.quiet and self.draw.random() < KILL_RATE:
            writing.dies_at(self.draw.randint(5, 60))
        tasks = start(
            self.scheduler,
            (reading, writing),
            (lambda: tap(source, self.url, self.pair, known, pipe, SetUp()), target.work),
            pipe,
        )
        for task in tasks:
            self.scheduler.join(task)
        self.ends[target.how_ended.partition(":")[0]] += 1
        self.processes = {pid: process for pid, process in self.processes.items() if process.tasks}

    def _process(self, name: str) -> Process:
        process = Process(self.scheduler, name, next(self._pids), "here")
        self.processes[process.pid] = process
        return process

    def _state_out(self, _target: TargetRun, state: Any) -> None:
        self.state = state["bookmarks"]

    def _judge(self) -> None:
        """Each order's newest version is in the CRM exactly once, and its ack says so."""
        crm: dict[str, tuple[str, str]] = {}
        for key, value, record in self.theatre.zoho.records():
            if key in crm:
                self.wrong.append(f"order {key} is in the CRM twice")
            crm[key] = value, record
        query = (
            "SELECT o.order_id, o.notes, o.updated_at, a.version, a.status, a.zoho_id FROM orders o "
            "LEFT JOIN zoho_sync_ack a ON a.stream = 'orders' AND a.record_key = o.order_id"
        )
        parked = 0
        for key, notes, text, version, status, record in self.shop.execute(query):
            if version == text and status == "parked":
                parked += 1
            elif (version, status) != (text, "synced") or crm.get(key) != (notes, record):
                self.wrong.append(f"order {key}: {status} at {version}, newest {text}, the CRM has {crm.get(key)}")
        if self.backlog_most > BACKLOG_MOST:
            self.wrong.append(f"{self.backlog_most:,} orders were unsynced at a time, at most {BACKLOG_MOST:,.0f}")
        if len(self.memory) > 3 and self.memory[-1] - self.memory[1] > MEMORY_GROWTH_MOST:
            self.wrong.append(f"memory grew by {(self.memory[-1] - self.memory[1]) >> 20} MB")
        print(
            f"{self.orders:,} orders, {self.changes:,} changes; at most {self.backlog_most:,} unsynced; {parked} parked"
        )


def _memory() -> int:
    """Bytes that this process takes now."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no file
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    """Live through a day."""
    parser = argparse.ArgumentParser(prog="python -m simulation.day")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.perf_counter()
    theatre = Theatre()
    try:
        day = Day(theatre, options.seed, options.hours)
        wrong = day.run()
    finally:
        theatre.close()
    faults = Counter(each.kind for each in day.chance.injected)
    print("runs: " + ", ".join(f"{count} {how}" for how, count in day.ends.most_common()))
    print("faults: " + ", ".join(f"{count} {kind}" for kind, count in sorted(faults.items())))
    print(f"{time.perf_counter() - began:,.0f} s; " + (f"{len(wrong)} violations" if wrong else "lawful"))
    print(*wrong[:20], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, "-m", "simulation.day", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
