"""Clocks that are set, forwards and back, by seconds to hours: of each machine, each database, and the CRM."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from simulation.chance import Chance
from simulation.freezes import PLACES
from simulation.kinds import Kind
from simulation.scheduler import Process, Scheduler
from simulation.stand_ins import CRM, STAGE

STEPS_MOST = 5
RUNS_AFTER_A_STEP = 600
"""Numbers of the runs that begin as a clock was set."""
STEPS = ((1.0, 60.0), (60.0, 600.0), (3_600.0, 14_400.0))
"""Seconds by which a clock is set."""
CRM_STEPS = ((1.0, 60.0), (60.0, 280.0))
"""By less than the five minutes for which what is in doubt is kept so beyond an access token's end."""


class Clocks:
    """Those of one history."""

    def __init__(
        self,
        chance: Chance,
        scheduler: Scheduler,
        kinds: Collection[Kind],
        world: Process,
        note: Callable[[str], None],
    ) -> None:
        """They are never set where `kinds` does not say so."""
        self._chance = chance
        self._scheduler = scheduler
        self._on = Kind.CLOCK_STEPS in kinds
        self._world = world
        self._note = note
        self.databases: Sequence[str] = ()
        """The paths of the orders' and the ledger's."""
        self.start_run: Callable[[int, str], None] = lambda _number, _space: None
        """Starts another run, by its number and the space of its processes."""

    def work(self, until: float) -> None:
        """Set them now and then, within the first `until` seconds."""
        if self._on:
            self._scheduler.spawn(self._world, lambda: self._set(until), "clocks")

    def _set(self, until: float) -> None:
        draw = self._chance.at("clocks", 0)
        moments = sorted(draw.uniform(0.0, until) for _ in range(draw.randint(1, STEPS_MOST)))
        for number, moment in enumerate(moments):
            self._scheduler.sleep(max(0.0, moment - self._scheduler.now))
            whose = draw.choice([*self.databases, *PLACES, CRM])
            seconds = draw.uniform(*draw.choice(CRM_STEPS if whose == CRM else STEPS)) * draw.choice([1, 1, -1])
            what = {CRM: "the CRM", **dict(zip(self.databases, ("orders", "ledger"), strict=True))}.get(
                whose, "machine"
            )
            if not self._chance.quiet and self._chance.planned("clocks", number, f"clock of {what}"):
                self._note(f"the clock of {whose} is set to {seconds:+.0f} s")
                STAGE.own_offsets[whose] = seconds
                if draw.random() < 0.6:
                    self.start_run(RUNS_AFTER_A_STEP + number, draw.choice(PLACES))
