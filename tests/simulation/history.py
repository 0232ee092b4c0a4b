"""One history: a seed becomes a shop, a set-up, runs that overlap and die, and a verdict."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timezone

from simulation.blameless import Trouble
from simulation.carriage import Carriage
from simulation.chance import Chance, Injection
from simulation.change_columns import DAY
from simulation.checker import Checker
from simulation.clocks import Clocks
from simulation.freezes import PLACES, Freezes
from simulation.history_plan import Plan
from simulation.http_messages import KINDS_OF_CALLS, WRITING
from simulation.kinds import BODIES_LAND_LATE, Kind
from simulation.legacy import Shop
from simulation.people import People
from simulation.runs import Runs
from simulation.scheduler import Hang, Killed, Process, Scheduler, Task
from simulation.set_ups import SetUps
from simulation.simulated_databases import HOOKS
from simulation.stand_ins import STAGE, START
from simulation.theatre import Theatre
from simulation.undone_runs import UndoneRuns

ROUNDS = 14
"""Runs without faults that must suffice to bring everything over."""
ROUNDS_OF_A_DAY = 16
"""More of them, in which an order whose calls fail is tried until it is parked, after a day."""
LOST_CREATIONS, LOST_ANSWERS = 0.6, 0.5
"""Shares of the answers to these calls."""
WEIGHTS = [4.0 if kind in WRITING else 1.0 for kind in KINDS_OF_CALLS]
RUNS_AFTER_A_LOSS = 800
"""Numbers of the runs that begin after the answer to a call that writes was lost."""
LOSSES_OVERTAKEN_MOST = 6
RUNS_IN_BETWEEN = 700
"""Numbers of the runs that begin between two changes of one order."""
DOUBT_ENDS_AFTER = (0.0, 660.0, 3_900.0, 86_460.0)
"""Seconds after the last that could land late: by then what is in doubt is looked at for the last time."""


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


class History:
    """One history on its stage."""

    def __init__(
        self,
        theatre: Theatre,
        seed: int,
        dropped: frozenset[tuple[str, int]] = frozenset(),
        on: Collection[Kind] = (),
    ) -> None:
        """Decisions in `dropped` are left out, to see whether a history fails without them; `on`: further kinds."""
        self.theatre = theatre
        self.chance = Chance(seed, dropped)
        self.trouble = Trouble.of(self.chance, Plan.of(self.chance).keys)
        # Nothing else happens on a day of 504: jobs of hours would outlast the rounds in which it comes to rest.
        self.plan = self.trouble.planned(Plan.of(self.chance, () if self.trouble.gateway_day else on))
        self.scheduler = Scheduler(random.Random(seed))
        self.trace: list[str] = []
        self._ticks = itertools.count(1)
        self.world = Process(self.scheduler, "world", 1, "world")
        self.freezes = Freezes(self.chance, self.scheduler, self.plan.kinds, self.world, self.note)
        self.clocks = Clocks(self.chance, self.scheduler, self.plan.kinds, self.world, self.note)
        self.runs = Runs(self)
        self._under_way: list[Task] = []
        self.freezes.start_run = lambda number, space: self._under_way.extend(self.runs.start(number, space))
        STAGE.begin(self.scheduler, seed, self.runs.lives, self.plan.column.begins or START)
        theatre.empty_databases(new_ledger=self.plan.new_ledger)
        self.carriage = None
        if BODIES_LAND_LATE & self.plan.kinds:
            self.carriage = Carriage(self.scheduler, self.world, self.freezes.wait_for)
        self._begin_crm()
        plan = self.plan
        self.clocks.start_run = self.freezes.start_run
        self.shop = Shop(theatre.orders, self.scheduler, self.chance, plan.pair.lookback, plan.column, plan.habits)
        if plan.habits.shares_versions:
            self.shop.read_now = self._run_in_between
        self.freezes.change_orders = self.shop.change_some
        self.shop.wait_for_database = lambda: self.freezes.wait_for(Kind.FROZEN_DATABASE)
        ledger = theatre.orders if plan.beside else theatre.ledger
        self.clocks.databases = [str(theatre.orders), str(ledger)]
        self.ledger_url = f"sqlite:///{ledger}"
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
        self.undone_runs = None
        if Kind.UNDONE_RUNS in plan.kinds:
            self.undone_runs = UndoneRuns(self, theatre.connections(beside=plan.beside)[1])
            self.checker.laws.append(self.undone_runs.broken)
        theatre.zoho.on_new_job = self.checker.job_created
        HOOKS.before = self._before
        HOOKS.before_commit = self._before_commit
        HOOKS.after_commit = self._after_commit
        HOOKS.tick = self.tick

    def _begin_crm(self) -> None:
        zoho, plan = self.theatre.zoho, self.plan
        zoho.begin(
            self.scheduler,
            self.chance,
            rate=plan.rate,
            job_seconds=plan.job_seconds,
            result_words=plan.result_words,
            world=self.world,
            tick=self.tick,
            carriage=self.carriage,
        )
        for key, code in plan.refused.items():
            zoho.refuse_for_ever(key, code)
        zoho.gateway_day = self.trouble.gateway_day
        self.trouble.begin(zoho.emulator.faults)
        zoho.jobs_end_late = Kind.LATE_JOBS in plan.kinds
        if zoho.jobs_end_late:
            zoho.losses = {"job creation": LOST_CREATIONS}
        zoho.on_loss = self._overtake_loss
        if Kind.LOST_ANSWERS in plan.kinds:
            draw = self.chance.at("losses", 0)
            zoho.losses = dict.fromkeys(draw.choices(KINDS_OF_CALLS, WEIGHTS, k=2), LOST_ANSWERS)

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
        for process in (*self.runs.processes.values(), self.world):
            process.kill()
        self.scheduler.drain()

    def tick(self) -> int:
        """The number of what happens now."""
        return next(self._ticks)

    def note(self, text: str) -> None:
        """Remember an event for who reads the history."""
        self.trace.append(f"{self.scheduler.now:9.2f}  {text}")

    # The story

    def _all(self) -> None:
        plan = self.plan
        shop = self.scheduler.spawn(
            self.world, lambda: self.shop.work(plan.operations, plan.keys, self.world, plan.seconds), "shop"
        )
        people = self.scheduler.spawn(self.world, lambda: self.people.work(plan.seconds), "people")
        undone = self.undone_runs
        others = [self.scheduler.spawn(self.world, lambda: undone.work(plan.seconds), "undo")] if undone else []
        self.freezes.work(plan.seconds)
        self.clocks.work(plan.seconds)
        for number in range(plan.runs):
            draw = self.chance.at("run", number)
            self.scheduler.sleep(draw.uniform(0.2, 4.0) if plan.hasty else draw.uniform(1.0, plan.seconds / plan.runs))
            if self._under_way and draw.random() < (0.1 if plan.hasty or self.freezes.any_asleep else 0.7):
                self._join()
            elif any(not task.over for task in self._under_way):
                self.chance.planned("overlap", number, "overlap")
            self._under_way += self.runs.start(number)
        self._join()
        for task in (shop, people, *others):
            self.scheduler.join(task)
        if undone:
            self._join()
            undone.undo_one_more()
            self._join()
        self._come_to_rest()

    def start_alone(self, process: Process, work: Callable[[], None]) -> None:
        """Start a program that is no run; it is under way until it ends."""
        self._under_way.append(self.scheduler.spawn(process, work, process.name))

    def _overtake_loss(self, draw: random.Random) -> None:
        number, _ = self.chance.next("loss overtaken")
        if draw.random() < 0.5 and number < LOSSES_OVERTAKEN_MOST:
            pauses = [draw.uniform(2.0, 70.0)]
            self.freezes.overtake(RUNS_AFTER_A_LOSS + number, pauses, draw.choice(PLACES), draw)

    def _run_in_between(self) -> None:
        if all(task.over for task in self._under_way):
            number, _ = self.chance.next("in between")
            self._under_way += self.runs.start(RUNS_IN_BETWEEN + number)
            self.scheduler.sleep(0.1)

    def _join(self) -> None:
        while self._under_way:  # which may become more meanwhile
            self.scheduler.join(self._under_way.pop())
        self.runs.wait_for_threads()
        self.checker.quiet()
        jobs_under_way = bool(self.theatre.zoho.live_jobs)
        if self.set_ups.quiet(len(self.runs.processes), jobs_under_way=jobs_under_way):
            self.note("the ledger is restored from a backup")

    # The end

    def _come_to_rest(self) -> None:
        """No more faults: everything must find its place within some runs."""
        self.chance.quiet = True
        if self.theatre.zoho.jobs_end_late:
            self.theatre.zoho.job_seconds = (1.0, 8.0)
        STAGE.clock_offset = 0.0
        STAGE.own_offsets.clear()
        self.shop.clock_offset = self.plan.habits.clock_offset
        self.scheduler.sleep(self.shop.late_most + 5.0)
        self.scheduler.sleep(self.plan.column.repeats_after or 0.0)
        if self.plan.column.tick >= DAY:
            self.scheduler.sleep(2 * DAY)  # the tick that is not over is left for later
        self.set_ups.rest()
        if self.undone_runs is not None:
            self.undone_runs.release_all()
        if self.carriage is not None:
            self._let_all_land(self.carriage)
        left = self._rounds()
        for text in left:
            self.checker.fail(f"never at rest: {text}")
        if self.carriage is not None and not left:
            self._write_nothing_more()

    def _let_all_land(self, carriage: Carriage) -> None:
        """Until nothing can land any more; then let the time pass in which what is in doubt is looked at."""
        while carriage.under_way or self.freezes.any_asleep or self.theatre.zoho.live_jobs:
            self.scheduler.sleep(60.0)
        last = 0.0
        for seconds in DOUBT_ENDS_AFTER:
            self.scheduler.sleep(seconds - last)
            last = seconds
            self._run_alone()

    def _rounds(self) -> list[str]:
        """Run until everything has its place; what has not, in the end."""
        left: list[str] = []
        for _ in range(ROUNDS + (ROUNDS_OF_A_DAY if self.trouble.poisoned else 0)):
            self._run_alone()
            left = self.checker.pending(self.plan.refused, self.set_ups.now.stream, self.set_ups.now.filter)
            if not left:
                break
            self._wait_until_due()
        return left

    def _write_nothing_more(self) -> None:
        """Once all is at rest, a run writes nothing."""
        before = len(self.theatre.zoho.writes)
        self.scheduler.sleep(61.0)
        self._run_alone()
        for row in self.theatre.zoho.writes[before:]:
            self.checker.fail(f"order {row.key} is written again, as {row.value}, though all was at rest")

    def _run_alone(self) -> None:
        self._under_way += self.runs.start(1000 + len(self.runs.processes))
        self._join()

    def _wait_until_due(self) -> None:
        due = self.checker.next_due(self.set_ups.now.filter)
        seconds = 61.0
        if due is not None:
            at = datetime.fromisoformat(due).replace(tzinfo=timezone.utc).timestamp()
            seconds = max(61.0, at - STAGE.database_time() + 1.0)
        self.scheduler.sleep(seconds)

    # Points of the databases

    def _before(self, what: str, _path: str) -> None:
        process = self.scheduler.current.process
        if process.dead:
            raise Killed
        if process.on_point is not None:
            process.on_point(process, what)
        self.freezes.wait_for(Kind.FROZEN_DATABASE)
        self.scheduler.give_way()

    def _before_commit(self, what: str, _path: str) -> None:
        process = self.scheduler.current.process
        if process.dead:
            raise Killed
        if process.on_point is not None:
            process.on_point(process, what)

    def _after_commit(self, what: str, _path: str) -> None:
        process = self.scheduler.current.process
        if process.on_point is not None:
            process.on_point(process, what)
        self.scheduler.give_way()
