"""One history: a seed becomes a shop, a set-up, runs that overlap and die, and a verdict."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import random
import shutil
import sqlite3
import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from simulation import simulated_databases, stand_ins
from simulation.blameless import Trouble
from simulation.chance import Chance, Injection
from simulation.checker import Checker
from simulation.history_plan import Plan
from simulation.legacy import INDEX, TABLE, Shop
from simulation.network import Zoho
from simulation.pair import Pipe, Source, TargetRun, start, tap
from simulation.people import People
from simulation.scheduler import Hang, Killed, Process, Scheduler, Task
from simulation.set_ups import TABLES, SetUps
from simulation.simulated_databases import HOOKS, plain
from simulation.stand_ins import STAGE

from sync_databases.engines import SQLITE
from sync_ledger.tables import ledger_tables
from sync_ledger.versions import LEDGER_VERSION

ROUNDS = 14
"""Runs without faults that must suffice to bring everything over."""
ROUNDS_OF_A_DAY = 16
"""More of them, in which an order whose calls fail is tried until it is parked, after a day."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - files that nobody else knows of


@dataclass
class Verdict:
    """What became of one history."""

    seed: int
    violations: list[str]
    injected: list[Injection]
    steps: int = 0
    trace: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> frozenset[str]:
        """The faults that this history met."""
        return frozenset(each.kind for each in self.injected)


class Theatre:
    """What all histories of a real process share: folder, empty databases, the emulator."""

    def __init__(self) -> None:
        logging.disable(logging.CRITICAL)
        parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=parent))
        tempfile.tempdir = str(self.folder)
        os.environ["XDG_CACHE_HOME"] = str(self.folder / "cache")
        STAGE.begin(Scheduler(random.Random(0)), 0, lambda _pid: False)
        stand_ins.install()
        simulated_databases.install()
        self.zoho = Zoho(self.folder)
        self.orders, self.ledger = self.folder / "orders.sqlite", self.folder / "ledger.sqlite"
        self._databases = [self._made(path) for path in (self.orders, self.ledger)]
        for statement in TABLES:
            self._databases[0].execute(statement)
        self.source = Source(f"sqlite:///{self.orders}")
        gc.freeze()  # all of this lasts

    @staticmethod
    def _made(path: Path) -> sqlite3.Connection:
        connection = plain(path)
        connection.execute(TABLE)
        connection.execute(INDEX)
        engine = sa.create_engine(f"sqlite:///{path}")
        ledger_tables(SQLITE).metadata.create_all(engine)
        engine.dispose()
        connection.execute(
            "CREATE TABLE sim_acks (moment INTEGER, record_key TEXT, version TEXT, status TEXT, zoho_id TEXT)"
        )
        for what in ("INSERT", "UPDATE"):
            connection.execute(
                f"CREATE TRIGGER sim_{what} AFTER {what} ON zoho_sync_ack BEGIN "
                "INSERT INTO sim_acks VALUES (sim_tick(), new.record_key, new.version, new.status, new.zoho_id); END"
            )
        return connection

    def connections(self, *, beside: bool) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """To the orders' database, and to the ledger's."""
        return self._databases[0], self._databases[0 if beside else 1]

    def empty_databases(self, *, new_ledger: bool) -> None:
        """Empty the orders' and the ledger's database; whoever comes first brings a `new_ledger` up to date."""
        for connection in self._databases:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            connection.execute("BEGIN")
            for (name,) in names:
                connection.execute(f"DELETE FROM {name}")
            if not new_ledger:
                connection.execute("INSERT INTO zoho_sync_version VALUES (?)", (LEDGER_VERSION,))
                connection.execute("INSERT INTO zoho_sync_ledger VALUES (1, ?)", (uuid.uuid4().hex,))
            connection.execute("COMMIT")
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        self.zoho.emulator.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class History:
    """One history on its stage."""

    def __init__(self, theatre: Theatre, seed: int, dropped: frozenset[tuple[str, int]] = frozenset()) -> None:
        """Decisions in `dropped` are left out, to see whether a history fails without them."""
        self.theatre = theatre
        self.chance = Chance(seed, dropped)
        drawn = Plan.of(self.chance)
        self.trouble = Trouble.of(self.chance, drawn.keys)
        self.plan = self.trouble.planned(drawn)
        self.scheduler = Scheduler(random.Random(seed))
        self.processes: dict[int, Process] = {}
        self.state: dict[str, Any] = {}
        self.trace: list[str] = []
        self._ticks = itertools.count(1)
        self._pids = itertools.count(1000)
        STAGE.begin(self.scheduler, seed, self._lives)
        theatre.empty_databases(new_ledger=self.plan.new_ledger)
        self.world = Process(self.scheduler, "world", 1, "world")
        theatre.zoho.begin(
            self.scheduler,
            self.chance,
            rate=self.plan.rate,
            job_seconds=self.plan.job_seconds,
            result_words=self.plan.result_words,
            world=self.world,
            tick=self.tick,
        )
        for key, code in self.plan.refused.items():
            theatre.zoho.refuse_for_ever(key, code)
        theatre.zoho.gateway_day = self.trouble.gateway_day
        self.trouble.begin(theatre.zoho.emulator.faults)
        plan = self.plan
        self.shop = Shop(
            theatre.orders, self.scheduler, self.chance, plan.pair.lookback, whole_seconds=plan.whole_seconds
        )
        ledger = theatre.orders if plan.beside else theatre.ledger
        self.ledger_url = f"sqlite:///{ledger}"
        self.settings = plan.pair.settings(self.ledger_url)
        self.people = People(plan.people, theatre.zoho, self.shop, self.chance, self.scheduler, tick=self.tick)
        self.other_url = f"sqlite:///{theatre.ledger if plan.beside else theatre.orders}"
        self.set_ups = SetUps(
            self.chance,
            self.scheduler,
            *theatre.connections(beside=plan.beside),
            self.ledger_url,
            runs=plan.runs,
            keys=plan.keys,
        )
        self.checker = Checker(
            ledger,
            self.shop,
            theatre.zoho,
            self.people,
            plan.pair.target["max_attempts"],
            self.trouble.fails_calls,
        )
        theatre.zoho.on_new_job = self.checker.job_created
        HOOKS.before = self._before
        HOOKS.before_commit = self._before_commit
        HOOKS.after_commit = self._after_commit
        HOOKS.tick = self.tick

    def run(self) -> Verdict:
        """Let it happen, and judge it."""
        main = self.scheduler.spawn(self.world, self._all, "history")
        try:
            self.scheduler.run(main)
        except Hang as hang:
            self.checker.fail(f"hang: {hang}")
        finally:
            self._end()
        crashes = [f"{task.process.name}/{task.name}: {type(e).__name__}: {e}" for task, e in self.scheduler.crashes]
        violations = list(dict.fromkeys([*crashes, *self.checker.found]))
        self.checker.close()
        self.shop.connection.close()
        return Verdict(self.chance.seed, violations, self.chance.injected, self.scheduler.steps, self.trace)

    def _end(self) -> None:
        for process in (*self.processes.values(), self.world):
            process.kill()
        self.scheduler.drain()

    def tick(self) -> int:
        """The number of what happens now."""
        return next(self._ticks)

    def note(self, text: str) -> None:
        """Remember an event for who reads the history."""
        self.trace.append(f"{self.scheduler.now:9.2f}  {text}")

    def _lives(self, pid: int) -> bool:
        process = self.processes.get(pid)
        return process is not None and not process.dead and bool(process.tasks)

    # The story

    def _all(self) -> None:
        plan = self.plan
        shop = self.scheduler.spawn(
            self.world, lambda: self.shop.work(plan.operations, plan.keys, self.world, plan.seconds), "shop"
        )
        people = self.scheduler.spawn(self.world, lambda: self.people.work(plan.seconds), "people")
        under_way: list[Task] = []
        for number in range(plan.runs):
            draw = self.chance.at("run", number)
            self.scheduler.sleep(draw.uniform(0.2, 4.0) if plan.hasty else draw.uniform(1.0, plan.seconds / plan.runs))
            if under_way and draw.random() < (0.1 if plan.hasty else 0.7):
                self._join(under_way)
            elif any(not task.over for task in under_way):
                self.chance.planned("overlap", number, "overlap")
            under_way += self._start_run(number)
        self._join(under_way)
        self.scheduler.join(shop)
        self.scheduler.join(people)
        self._come_to_rest()

    def _join(self, tasks: list[Task]) -> None:
        for task in tasks:
            self.scheduler.join(task)
        tasks.clear()
        self._wait_for_threads()
        self.checker.quiet()
        if self.set_ups.quiet(len(self.processes), jobs_under_way=bool(self.theatre.zoho.live_jobs)):
            self.note("the ledger is restored from a backup")

    def _wait_for_threads(self) -> None:
        """Quiet is when no thread of a run is left either."""
        while any(process.tasks for process in self.processes.values()):
            self.scheduler.sleep(0.5)

    def _come_to_rest(self) -> None:
        """No more faults: everything must find its place within some runs."""
        self.chance.quiet = True
        STAGE.clock_offset = self.shop.clock_offset = 0.0
        self.scheduler.sleep(self.shop.slack + 5.0)
        self.set_ups.rest()
        left: list[str] = []
        for number in range(ROUNDS + (ROUNDS_OF_A_DAY if self.trouble.poisoned else 0)):
            self._join(list(self._start_run(1000 + number)))
            left = self.checker.pending(self.plan.refused, self.set_ups.now.stream, self.set_ups.now.filter)
            if not left:
                return
            self._wait_until_due()
        for text in left:
            self.checker.fail(f"never at rest: {text}")

    def _wait_until_due(self) -> None:
        due = self.checker.next_due()
        seconds = 61.0
        if due is not None:
            at = datetime.fromisoformat(due).replace(tzinfo=timezone.utc).timestamp()
            seconds = max(61.0, at - STAGE.database_time() + 1.0)
        self.scheduler.sleep(seconds)

    def _start_run(self, number: int) -> tuple[Task, Task]:
        plan, source = self.plan, self.theatre.source
        here = self.chance.at("machine", number).random() < 0.7
        space = "here" if here else f"machine {number}"
        reading, writing = (self._process(f"{name} {number}", space) for name in ("tap", "target"))
        pipe = Pipe(self.scheduler, plan.pair.pipe_room)
        set_up = self.set_ups.of_run(number)
        url = self.other_url if set_up.other_ledger else self.ledger_url
        target = TargetRun(plan.pair.settings(url, set_up.module), pipe, self._state_out)
        state = self.state
        self.note(f"run {number} from {state}, {set_up}")
        self._plan_end(number, reading, writing, target)

        def write() -> None:
            try:
                target.work()
            finally:
                self.note(f"target {number}: {target.how_ended}")
                if set_up.refused and target.opened:
                    self.checker.fail(f"run {number} was let in, though {set_up.refused}")
                if not self.chance.quiet:
                    self.checker.run_ended(self._innocent)

        return start(
            self.scheduler,
            (reading, writing),
            (lambda: tap(source, self.ledger_url, plan.pair, state, pipe, set_up), write),
            pipe,
        )

    def _process(self, name: str, space: str) -> Process:
        process = Process(self.scheduler, name, next(self._pids), space)
        self.processes[process.pid] = process
        return process

    def _innocent(self, pid: int) -> str | None:
        """The name of a process that lives and was never silent for long."""
        process = self.processes.get(pid)
        return process.name if process and self._lives(pid) and process.slept < 40 else None

    def _plan_end(self, number: int, reading: Process, writing: Process, target: TargetRun) -> None:
        """Decide at which point of its life, if any, a process dies, sleeps, or gets a signal."""
        if self.chance.quiet:
            return
        draw = self.chance.at("end", number)
        rate = 0.0 if self.plan.rate == 0 else 0.45
        for process, kinds in ((reading, ["killed_tap"]), (writing, ["killed", "killed", "asleep", "terminated"])):
            at = draw.randint(1, 12 if process is reading else draw.choice([10, 30, 80]))
            kind = draw.choice(kinds)
            happens = draw.random() < (rate if process is writing else rate / 3)
            seconds = draw.choice([20.0, 70.0, 200.0])
            if not happens:
                continue
            place = f"{process.name.partition(' ')[0]} end"
            if not self.chance.planned(place, number, kind):
                continue
            process.on_point = self._fate(process, at, kind, seconds, target)

    def _fate(self, process: Process, at: int, kind: str, seconds: float, target: TargetRun) -> Any:
        def meet(_process: Process, point: str) -> None:
            process.points += 1
            if process.points < at:
                return
            if kind == "asleep" and point not in {"answer", "read"}:
                return  # a known limit: asleep between the last look at the lock and the sending
            process.on_point = None
            self.note(f"{process.name}: {kind} at {point} (point {process.points})")
            if kind == "asleep":
                process.sleep_through(seconds)
                if point != "commit":
                    self.scheduler.give_way()
            elif kind == "terminated":
                target.terminate()
            else:
                process.kill()
                raise Killed

        return meet

    def _state_out(self, target: TargetRun, state: Any) -> None:
        process = self.scheduler.current.process
        if process.on_point is not None:
            process.on_point(process, "state")
        if process.dead:
            raise Killed
        self.checker.state_went_out(target.records_before(state))
        self.state = state["bookmarks"]

    # Points of the databases

    def _before(self, what: str) -> None:
        process = self.scheduler.current.process
        if process.dead:
            raise Killed
        if process.on_point is not None:
            process.on_point(process, what)
        self.scheduler.give_way()

    def _before_commit(self, what: str) -> None:
        process = self.scheduler.current.process
        if process.dead:
            raise Killed
        if process.on_point is not None:
            process.on_point(process, what)

    def _after_commit(self, what: str) -> None:
        process = self.scheduler.current.process
        if process.on_point is not None:
            process.on_point(process, what)
        self.scheduler.give_way()
