"""Kinds of trouble that can be switched on and off: what each history may have beside the faults that all have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum

from simulation.chance import Chance

TROUBLED = 0.25
"""Of the histories: so many have any of these kinds. One that has takes five times as long as one that has none."""
SHARE = 0.3
"""Of those, for each kind that is on; so most of them have several."""


class Kind(Enum):
    """One kind; its value is its name on the command line."""

    FROZEN_PROCESSES = "frozen-processes"
    """A tap, a target or both stop at any step, for 20 to 130 seconds or for hours, and wake; a second run begins."""
    FROZEN_CRM = "frozen-crm"
    """For a while the CRM answers no call; those that it has got land when it wakes."""
    FROZEN_DATABASE = "frozen-database"
    """For a while no statement ends."""
    EQUAL_VERSIONS = "equal-versions"
    """Changes of one order within a tick of a second or a day, or with one number, the later one committed late."""
    SEQUENCES = "sequences"
    """The change column counts, and numbers are committed out of order."""
    SLOW_APPLICATION = "slow-application"
    """The clock that dates the changes is seconds behind, so that nothing looks as new as it is."""
    REPEATED_HOUR = "repeated-hour"
    """Local times on the night on which the clocks go back."""
    LATE_COMMITS = "late-commits"
    """Changes are committed late by up to all of `lookback_seconds`."""
    LOST_ANSWERS = "lost-answers"
    """Half of the answers to one or two kinds of calls are lost, before or after the effect, or long before it."""
    LATE_JOBS = "late-jobs"
    """Jobs take hours, and the answers to their creation are lost: such a job ends after its replacement."""
    FOLLOWING = "following"
    """Runs follow: they last until they get a signal."""
    CLOCK_STEPS = "clock-steps"
    """The clocks of machines, databases and CRM are set by seconds to hours, each by itself."""
    UNDONE_RUNS = "undone-runs"
    """Somebody takes a run back, perhaps with later ones, while others begin; and lets its orders go again."""


SWITCHES: Mapping[Kind, bool] = {
    Kind.FROZEN_PROCESSES: True,
    Kind.FROZEN_CRM: True,
    Kind.FROZEN_DATABASE: True,
    Kind.EQUAL_VERSIONS: True,
    Kind.SEQUENCES: True,
    Kind.SLOW_APPLICATION: True,
    Kind.REPEATED_HOUR: True,
    Kind.LATE_COMMITS: True,
    Kind.FOLLOWING: True,
    Kind.LOST_ANSWERS: True,
    Kind.LATE_JOBS: True,
    Kind.CLOCK_STEPS: True,
    Kind.UNDONE_RUNS: True,
}
"""Which are on unless the command line says otherwise: those that the product has learned to live with."""

BODIES_LAND_LATE = frozenset(
    {
        Kind.FROZEN_PROCESSES,
        Kind.FROZEN_CRM,
        Kind.FROZEN_DATABASE,
        Kind.LOST_ANSWERS,
        Kind.LATE_JOBS,
        Kind.CLOCK_STEPS,
        Kind.FOLLOWING,
    }
)
"""With these a body travels by itself: it lands whether or not its sender still waits, and perhaps hours later.

A run that follows is among them because it does not end with a lost answer: it goes on beside a job that may exist.
"""

SHARED_VERSIONS = frozenset({Kind.EQUAL_VERSIONS, Kind.SLOW_APPLICATION, Kind.REPEATED_HOUR})
"""With these two changes of an order may bear one value of the change column, whoever has read the first."""

READ_AMID_CHANGES = SHARED_VERSIONS | {Kind.SEQUENCES, Kind.LATE_COMMITS}
"""With these runs follow each other closely, and the shop is busy."""


def default_kinds() -> frozenset[Kind]:
    """Those that are on."""
    return frozenset(kind for kind, on in SWITCHES.items() if on)


def kinds_named(text: str) -> frozenset[Kind]:
    """Read a list of names with commas between them; `all` and `none` are names too.

    Raises:
        ValueError: there is no such kind.
    """
    if text in {"all", "none"}:
        return frozenset(Kind) if text == "all" else frozenset()
    return frozenset(map(Kind, text.split(",")))


def kinds_of(chance: Chance, on: Collection[Kind]) -> frozenset[Kind]:
    """Those of one history; which of them does not depend on what else is on."""
    if chance.at("troubled", 0).random() >= TROUBLED:
        return frozenset()
    return frozenset(kind for kind in Kind if kind in on and chance.at(f"kind {kind.value}", 0).random() < SHARE)
