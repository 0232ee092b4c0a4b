"""What one run does: who is stopped, at which step, for how long, and what goes on meanwhile; all of it from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import chain, repeat

from sleeping_pair import QUICK

from sleeps.steps import STEPS, TAP, TARGET, Step

STOP_SECONDS = (20.0, 130.0)
ENGINES = ("sqlite", "postgresql", "mariadb")
WHO = {"target": 7, "tap and target": 3, "tap": 3, "emulator": 3, "database": 4}
"""Who is stopped, and in how many of 20 runs."""
HELD = 0.4
"""Of the runs that sleep with a call under way: its body waits at the CRM until the sleeper wakes."""


@dataclass(frozen=True)
class Plan:
    """One run. Times are in seconds."""

    seed: int
    engine: str
    elsewhere: bool
    """Whether the ledger lies in a database of its own."""
    by_flag: bool
    channel: str
    lines: str | None
    """Where the orders' lines go: `module`, `subform`; None: they have none."""
    follow: bool
    orders: int
    changed_again: float
    """Which share of the orders changes while one is stopped."""
    who: str
    program: str
    """Whose step it is."""
    step: Step
    number: int
    """At which of such steps."""
    later: float
    """How long after it."""
    held: bool
    seconds: float
    minute: float
    """What a lease's minute lasts."""
    token_ends: float | None
    """After which share of the sleep an hour has passed for Zoho and the ledger; None: it does not."""
    own_space: bool
    """Whether the second run can see no other process, as on another host."""
    until_through: bool = False
    """Whether the sleep ends as soon as a second run has gone through."""


def _of_weights(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choice(list(chain.from_iterable(repeat(name, count) for name, count in weights.items())))


def drawn(seed: int) -> Plan:
    """The plan of a seed."""
    chance = random.Random(seed)
    who = _of_weights(chance, WHO)
    channel = chance.choice(("upsert", "bulk_write"))
    lines = chance.choice(("module", "subform")) if chance.random() < 0.25 else None
    by_flag = lines is None and chance.random() < 0.3
    seconds = round(chance.uniform(*STOP_SECONDS), 1)
    own_space = chance.random() < 0.5
    program = {"tap": TAP, "database": chance.choice((TAP, TARGET))}.get(who, TARGET)
    steps = STEPS[program]
    held = who in {"target", "tap and target"} and chance.random() < HELD
    step = Step.AFTER_SENDING if held else chance.choice(steps)
    # On one host a silent run must be seen to stand for five minutes, else it is watched for one.
    minute = seconds / chance.uniform(*((4, 12) if own_space else (10, 30)))
    return Plan(
        seed=seed,
        engine=ENGINES[seed % len(ENGINES)],
        elsewhere=chance.random() < 0.2,
        by_flag=by_flag,
        channel=channel,
        lines=lines,
        follow=chance.random() < 0.25,
        orders=chance.randint(110, 260 if channel == "upsert" and lines is None else 160),
        changed_again=chance.choice((0.3, 0.7, 1.0)),
        who=who,
        program=program,
        step=step,
        number=chance.randint(1, 4 if held else step.most),
        later=0.0 if held else chance.choice((0.0, 0.0, round(chance.uniform(0, 0.3), 3))),
        held=held,
        seconds=seconds,
        minute=round(max(QUICK, minute), 2),
        token_ends=round(chance.random(), 2) if chance.random() < 0.3 else None,
        own_space=own_space,
    )
