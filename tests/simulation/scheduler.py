"""One thread for all: tasks that give way only where they wait or where something has an effect, under one clock.

A task is a thread of a simulated process. Which of those that could run goes on is drawn from the seed, so a history
runs the same way each time. Time stands still while tasks run, and jumps to the next thing that somebody waits for.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

STEPS_MOST = 400_000
"""Switches in one history; one that needs more hangs."""
SECONDS_MOST = 40 * 86_400.0


class Killed(BaseException):
    """The simulated process is dead: nothing that it does has an effect any more."""


class Hang(Exception):  # noqa: N818 - as above
    """Everybody waits for something that never comes, or a history finds no end."""


class Process:
    """A simulated process: its tasks, and whether it lives."""

    def __init__(self, scheduler: Scheduler, name: str, pid: int, space: str) -> None:
        """`space` names the machine, as `process_space` does."""
        self.scheduler = scheduler
        self.name = name
        self.pid = pid
        self.space = space
        self.dead = False
        self.tasks: set[Task] = set()
        self.asleep_until = 0.0
        self.slept = 0.0
        self.points = 0
        self.on_point: Callable[[Process, str], None] | None = None

    def kill(self) -> None:
        """End it at once. Its tasks unwind without an effect; the calling task, if one of them, at its next step."""
        self.dead = True
        for task in sorted(self.tasks):
            self.scheduler.wake(task)

    def dies_at(self, points: int) -> None:
        """Let it die at this one of the points of its life."""

        def meet(process: Process, _point: str) -> None:
            process.points += 1
            if process.points >= points:
                process.on_point = None
                process.kill()
                raise Killed

        self.on_point = meet

    def sleep_through(self, seconds: float) -> None:
        """Let no task of it run for so long, as when its machine is suspended."""
        self.slept = max(self.slept, seconds)
        self.asleep_until = self.scheduler.now + seconds


class Task(greenlet):
    """A thread of a simulated process."""

    def __init__(self, scheduler: Scheduler, process: Process, work: Callable[[], None], name: str) -> None:
        super().__init__(self._body, scheduler.hub)
        self.scheduler = scheduler
        self.process = process
        self.name = name
        self.number = scheduler.next_number()
        self.locals: dict[int, dict[str, Any]] = {}
        self.over = False
        self.blocked = False
        self.woken = False
        self.waits = 0
        self.joiners: list[Task] = []
        self._work = work

    def __lt__(self, other: Task) -> bool:
        return self.number < other.number

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other

    def _body(self) -> None:
        try:
            if not self.process.dead:
                self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - a defect, which the checker reports
            self.scheduler.crashes.append((self, error))
        self.over = True
        self.process.tasks.discard(self)
        for joiner in self.joiners:
            self.scheduler.wake(joiner)


class Scheduler:
    """Runs tasks one at a time."""

    def __init__(self, generator: random.Random) -> None:
        """`generator` draws who goes on."""
        self.hub = getcurrent()
        self.now = 0.0
        self.crashes: list[tuple[Task, BaseException]] = []
        self.steps = 0
        self.steps_most = STEPS_MOST
        self._generator = generator
        self._ready: list[Task] = []
        self._timers: list[tuple[float, int, Task, int]] = []
        self._numbers = 0

    def next_number(self) -> int:
        """A number that grows."""
        self._numbers += 1
        return self._numbers

    @property
    def current(self) -> Task:
        """The task that runs."""
        task = getcurrent()
        if not isinstance(task, Task):
            raise TypeError("outside of every task")
        return task

    def spawn(self, process: Process, work: Callable[[], None], name: str) -> Task:
        """Start a thread of a process."""
        task = Task(self, process, work, name)
        process.tasks.add(task)
        self._ready.append(task)
        return task

    def block(self, seconds: float | None = None) -> bool:
        """Wait until somebody wakes this task, or so long; tells whether it was woken."""
        task = self.current
        if task.process.dead:
            raise Killed
        task.waits += 1
        task.blocked, task.woken = True, False
        if seconds is not None:
            heapq.heappush(self._timers, (self.now + max(0.0, seconds), self.next_number(), task, task.waits))
        self.hub.switch()
        if task.process.dead:
            raise Killed
        return task.woken

    def give_way(self) -> None:
        """Let others go first, if the seed says so."""
        task = self.current
        if task.process.dead:
            raise Killed
        self._ready.append(task)
        self.hub.switch()
        if task.process.dead:
            raise Killed

    def wake(self, task: Task) -> None:
        """End a task's wait."""
        if task.blocked:
            task.blocked, task.woken = False, True
            self._ready.append(task)

    def sleep(self, seconds: float) -> None:
        """Let time pass for the running task."""
        self.block(seconds)

    def join(self, task: Task) -> None:
        """Wait until another task is over."""
        while not task.over:
            task.joiners.append(self.current)
            self.block()

    def run(self, until: Task) -> None:
        """Run tasks until one of them is over.

        Raises:
            Hang: it never will be.
        """
        while not until.over:
            self.steps += 1
            if self.steps > self.steps_most or self.now > SECONDS_MOST:
                raise Hang(f"no end after {self.steps} steps, {self.now:.0f} s: {self._waiting()}")
            if self._ready:
                self._step()
            elif not self._advance():
                raise Hang(f"everybody waits: {self._waiting()}")

    def drain(self) -> None:
        """Let the tasks of dead processes unwind."""
        while self._ready:
            self._step()

    def _step(self) -> None:
        ready = self._ready
        index = int(self._generator.random() * len(ready)) if len(ready) > 1 else 0
        ready[index], ready[-1] = ready[-1], ready[index]
        task = ready.pop()
        process = task.process
        if process.asleep_until > self.now and not process.dead:
            task.blocked = True
            heapq.heappush(self._timers, (process.asleep_until, self.next_number(), task, task.waits))
            return
        task.switch()

    def _advance(self) -> bool:
        """Jump to the next moment that a task waits for."""
        while self._timers:
            moment, _, task, waits = heapq.heappop(self._timers)
            if not task.blocked or task.waits != waits:
                continue
            self.now = max(self.now, moment)
            task.blocked = False
            self._ready.append(task)
            return True
        return False

    def _waiting(self) -> str:
        return (
            ", ".join(sorted({f"{task.process.name}/{task.name}" for *_, task, _ in self._timers if task.blocked}))
            or "nobody has a time limit"
        )
