"""What stops at any step and wakes: a tap, a target or both; the CRM; the databases. Meanwhile all else goes on."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from functools import partial

from simulation.chance import Chance
from simulation.kinds import Kind
from simulation.scheduler import Process, Scheduler

PLACES = ("here", "here, in a container", "another machine")
RUNS_OF_SLEEPERS = 500
"""Numbers of the runs that begin while another sleeps."""
WHO = {"tap": 1.0, "target": 4.0, "both": 2.0}
SERVICE_FREEZES_MOST = 3
LONG_FREEZE = {Kind.FROZEN_CRM: (130.0, 900.0), Kind.FROZEN_DATABASE: (60.0, 130.0)}
"""Of a service. A run gives a database up after that, which is a failure and no freeze."""


SECONDS = {(20.0, 130.0): 5.0, (130.0, 900.0): 3.0, (3_700.0, 9_000.0): 1.5}
"""How long a process sleeps: sometimes longer than an access token lives."""
WRITES = frozenset({"connects to write", "sends"})
"""Points of a process's life: before the check of a call that writes, and after it."""


class Freezes:
    """Those of one history."""

    def __init__(
        self,
        chance: Chance,
        scheduler: Scheduler,
        kinds: Collection[Kind],
        world: Process,
        note: Callable[[str], None],
    ) -> None:
        """Nothing is frozen where `kinds` has none of these."""
        self._chance = chance
        self._scheduler = scheduler
        self._kinds = kinds
        self._world = world
        self._note = note
        self.start_run: Callable[[int, str], None] = lambda _number, _space: None
        """Starts another run, by its number and the space of its processes."""
        self.change_orders: Callable[[int], None] = lambda _count: None
        """Changes some orders in the shop."""
        self._frozen_until = dict.fromkeys((Kind.FROZEN_CRM, Kind.FROZEN_DATABASE), 0.0)
        self._asleep: list[Process] = []

    @property
    def any_asleep(self) -> bool:
        """Whether a process is asleep now."""
        return any(not each.dead and each.asleep_until > self._scheduler.now for each in self._asleep)

    # Processes

    def plan_run(self, number: int, reading: Process, writing: Process) -> None:
        """Decide whether a run falls asleep, and where: at a point of its life, or at a time, e.g. amid a call."""
        draw = self._chance.at("freeze", number)
        if self._chance.quiet or Kind.FROZEN_PROCESSES not in self._kinds or draw.random() > 0.6:
            return
        who = draw.choices(list(WHO), list(WHO.values()))[0]
        first = reading if who == "tap" else writing
        asleep = [reading, writing] if who == "both" else [first]
        if not self._chance.planned("freeze", number, f"frozen {who}"):
            return
        seconds = draw.uniform(*draw.choices(list(SECONDS), list(SECONDS.values()))[0])
        way = draw.choice(["write", "write", "point", "time"])
        if way != "time":
            writes = way == "write" and first is writing
            at = draw.randint(1, 6 if writes else draw.choice([6, 15, 40]))
            first.on_point = self._at_point(number, at, asleep, seconds, draw, only=WRITES if writes else frozenset())
            return

        def wait() -> None:
            self._scheduler.sleep(draw.uniform(0.0, 12.0))
            self._freeze(number, asleep, seconds, draw)

        self._scheduler.spawn(self._world, wait, "freeze")

    def _at_point(
        self, number: int, at: int, asleep: list[Process], seconds: float, draw: random.Random, *, only: Collection[str]
    ) -> Callable[[Process, str], None]:
        def meet(process: Process, point: str) -> None:
            if only and point not in only:
                return
            process.points += 1
            if process.points < at or point == "commit":  # amid a transaction nobody else could look
                return
            process.on_point = None
            self._note(f"{process.name} at {point}, point {process.points}")
            self._freeze(number, asleep, seconds, draw)
            self._scheduler.give_way()

        return meet

    def _freeze(self, number: int, asleep: list[Process], seconds: float, draw: random.Random) -> None:
        living = [process for process in asleep if process.tasks and not process.dead]
        if not living:
            return
        for process in living:
            process.sleep_through(seconds)
            self._note(f"{process.name}: frozen for {seconds:.0f} s")
        self._asleep += living
        if draw.random() < 0.85:
            pauses = sorted(draw.uniform(0.0, min(seconds, 200.0)) for _ in range(draw.randint(1, 2)))
            place = draw.choice(PLACES)
            self.overtake(RUNS_OF_SLEEPERS + 10 * number, pauses, place, draw)

    def overtake(self, number: int, pauses: list[float], place: str, draw: random.Random) -> None:
        """After each of these pauses orders change, and another run begins; `number` is that of the first."""
        work = partial(self._overtake, number, pauses, place, draw)
        self._scheduler.spawn(self._world, work, "second run")

    def _overtake(self, number: int, pauses: list[float], place: str, draw: random.Random) -> None:
        began = self._scheduler.now
        for nth, pause in enumerate(pauses):
            self._scheduler.sleep(began + pause - self._scheduler.now)
            self.change_orders(draw.randint(1, 3))
            self._scheduler.sleep(draw.uniform(2.0, 4.0))  # until they may be read
            self.start_run(number + nth, place)

    # Services

    def work(self, until: float) -> None:
        """Freeze the services now and then, within the first `until` seconds."""
        for kind in self._frozen_until:
            if kind in self._kinds:
                self._scheduler.spawn(self._world, partial(self._freeze_service, kind, until), kind.value)

    def _freeze_service(self, kind: Kind, until: float) -> None:
        draw = self._chance.at(kind.value, 0)
        moments = sorted(draw.uniform(0.0, until) for _ in range(draw.randint(1, SERVICE_FREEZES_MOST)))
        for number, moment in enumerate(moments):
            self._scheduler.sleep(max(0.0, moment - self._scheduler.now))
            seconds = draw.uniform(*draw.choice([(20.0, 130.0), LONG_FREEZE[kind]]))
            if not self._chance.quiet and self._chance.planned(kind.value, number, kind.value):
                self._note(f"{kind.value} for {seconds:.0f} s")
                self._frozen_until[kind] = self._scheduler.now + seconds

    def wait_for(self, kind: Kind) -> None:
        """Let the running task wait until a service wakes."""
        while (left := self._frozen_until[kind] - self._scheduler.now) > 0:
            self._scheduler.sleep(left)
