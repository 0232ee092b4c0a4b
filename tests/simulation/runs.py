"""The runs of a history: where each lives, from which STATE it goes on, how it ends or sleeps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from simulation.carriage import LATE_SECONDS
from simulation.chance import Chance
from simulation.kinds import Kind
from simulation.pair import TargetRun, Wakeup, start, tap
from simulation.pipe import Pipe
from simulation.scheduler import Killed, Process, Task

if TYPE_CHECKING:
    from simulation.history import History

FOLLOWS_SECONDS = (20.0, 120.0)
"""So long a run lasts that follows."""


class Runs:
    """Starts them, and knows their processes."""

    def __init__(self, history: History) -> None:
        """Those of one history."""
        self._history = history
        self._scheduler = history.scheduler
        self._chance: Chance = history.chance
        self.processes: dict[int, Process] = {}
        self.state: dict[str, Any] = {}
        self._pids = itertools.count(1000)

    def lives(self, pid: int) -> bool:
        """Whether there is such a process."""
        process = self.processes.get(pid)
        return process is not None and not process.dead and bool(process.tasks)

    def wait_for_threads(self) -> None:
        """Quiet is when no thread of a run is left either."""
        while any(process.tasks for process in self.processes.values()):
            self._scheduler.sleep(0.5)

    def start(self, number: int, space: str | None = None) -> tuple[Task, Task]:
        """Start a run: in a space of this name, else in the usual one or on a machine of its own."""
        history, plan = self._history, self._history.plan
        if space is None:
            here = self._chance.at("machine", number).random() < 0.7
            space = "here" if here else f"machine {number}"
        reading, writing = (self.process(f"{name} {number}", space) for name in ("tap", "target"))
        pipe = Pipe(self._scheduler, plan.pair.pipe_room)
        set_up = history.set_ups.of_run(number)
        url = history.other_url if set_up.other_ledger else history.ledger_url
        lasts = Kind.FOLLOWING in plan.kinds and not self._chance.quiet
        wakeup = Wakeup(self._scheduler) if lasts else None
        target = TargetRun(plan.pair.settings(url, set_up.module, lasts=lasts), pipe, self._state_out, plan.column.name)
        state = self.state
        history.note(f"run {number} from {state}, {set_up}")
        self._plan_end(number, reading, writing, target)
        history.freezes.plan_run(number, reading, writing)

        def write() -> None:
            try:
                target.work()
            finally:
                history.note(f"target {number}: {target.how_ended}")
                if target.opened and history.set_ups.still_refuses(set_up):
                    history.checker.fail(f"run {number} was let in, though {set_up.refused}")
                if not self._chance.quiet:
                    history.checker.run_ended(self._innocent)

        def read() -> None:
            tap(history.theatre.source, history.ledger_url, plan.pair, state, pipe, set_up, wakeup)

        tasks = start(self._scheduler, (reading, writing), (read, write), pipe)
        if wakeup is not None:
            seconds = self._chance.at("follows", number).uniform(*FOLLOWS_SECONDS)
            self._scheduler.spawn(history.world, lambda: self._stop(seconds, wakeup, target), "stop")
        return tasks

    def _stop(self, seconds: float, wakeup: Wakeup, target: TargetRun) -> None:
        """End a run that lasts, by signals to both."""
        self._scheduler.sleep(seconds)
        wakeup.stop()
        target.terminate()

    def process(self, name: str, space: str) -> Process:
        """A process that begins, by a name and on a machine."""
        process = Process(self._scheduler, name, next(self._pids), space)
        self.processes[process.pid] = process
        return process

    def _innocent(self, pid: int) -> str | None:
        """The name of a process that lives and was never silent for long."""
        process = self.processes.get(pid)
        return process.name if process and self.lives(pid) and process.slept < 40 else None

    def _plan_end(self, number: int, reading: Process, writing: Process, target: TargetRun) -> None:
        """Decide at which point of its life, if any, a process dies, sleeps, or gets a signal."""
        if self._chance.quiet:
            return
        draw = self._chance.at("end", number)
        rate = 0.0 if self._history.plan.rate == 0 else 0.45
        for process, kinds in ((reading, ["killed_tap"]), (writing, ["killed", "killed", "asleep", "terminated"])):
            at = draw.randint(1, 12 if process is reading else draw.choice([10, 30, 80]))
            kind = draw.choice(kinds)
            happens = draw.random() < (rate if process is writing else rate / 3)
            seconds = draw.choice([20.0, 70.0, 200.0])
            if not happens:
                continue
            place = f"{process.name.partition(' ')[0]} end"
            if not self._chance.planned(place, number, kind):
                continue
            process.on_point = self._fate(process, at, kind, seconds, target)

    def _fate(self, process: Process, at: int, kind: str, seconds: float, target: TargetRun) -> Any:
        def meet(_process: Process, point: str) -> None:
            process.points += 1
            if process.points < at:
                return
            if kind == "asleep" and point not in {"answer", "read"}:
                return  # asleep anywhere is a kind of its own: `freezes.py`
            process.on_point = None
            self._history.note(f"{process.name}: {kind} at {point} (point {process.points})")
            if kind == "asleep":
                process.sleep_through(seconds)
                if point != "commit":
                    self._scheduler.give_way()
            elif kind == "terminated":
                target.terminate()
            else:
                process.kill()
                raise Killed

        return meet

    def _state_out(self, target: TargetRun, state: Any) -> None:
        process = self._scheduler.current.process
        if process.on_point is not None:
            process.on_point(process, "state")
        if process.dead:
            raise Killed
        if process.slept < LATE_SECONDS:  # else what had an outcome may be on its way again, by who took over
            self._history.checker.state_went_out(target.records_before(state))
        self.state = state["bookmarks"]
