"""What a seed says of a history as a whole: the set-up of the pair, how busy the shop is, how often runs start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from simulation.chance import Chance
from simulation.change_columns import FINE, SECONDS, ChangeColumn, change_column_of
from simulation.kinds import BODIES_LAND_LATE, READ_AMID_CHANGES, SHARED_VERSIONS, Kind, kinds_of
from simulation.legacy import Habits
from simulation.pair import PairConfig
from simulation.people import PeoplePlan

LATE_SECONDS = 300.0
"""So long last histories in which something sleeps or lands late."""
BUSIER = 20
"""So many more changes they have, so that what sleeps is overtaken."""
LATE_LOOKBACK = 30.0
"""`lookback_seconds` where changes are committed late: longer than quick looks go back."""
LATE_JOB_SECONDS = [(1.0, 150.0), (1.0, 400.0), (1.0, 9_000.0)]
MORE_RUNS = 4
"""Of a history in which orders are read while they change."""


@dataclass(frozen=True)
class Plan:
    """Drawn once a history."""

    rate: float
    operations: int
    keys: int
    seconds: float
    runs: int
    hasty: bool
    """Runs follow each other within seconds, whether or not those before are over."""
    beside: bool
    new_ledger: bool
    column: ChangeColumn
    habits: Habits
    job_seconds: tuple[float, float]
    pair: PairConfig
    result_words: dict[str, Any]
    refused: dict[str, str]
    people: PeoplePlan
    kinds: frozenset[Kind] = frozenset()
    """What may go wrong beside the faults that all histories have."""

    @classmethod
    def of(cls, chance: Chance, on: Collection[Kind] = ()) -> Plan:
        """Draw it; `on` are the kinds that a history may have."""
        kinds = kinds_of(chance, on)
        if Kind.LATE_COMMITS in kinds and Kind.FOLLOWING in on:
            kinds |= {Kind.FOLLOWING}
        plan = cls._usual(chance)
        if kinds & BODIES_LAND_LATE:
            plan = replace(plan, seconds=LATE_SECONDS, runs=plan.runs + 1, operations=plan.operations + BUSIER)
        if Kind.LATE_JOBS in kinds:
            target = {**plan.pair.target, "channel": "bulk_write", "job_wait_seconds": 60}
            pair = replace(plan.pair, target=target)
            plan = replace(plan, pair=pair, job_seconds=chance.at("late jobs", 0).choice(LATE_JOB_SECONDS))
        if Kind.UNDONE_RUNS in kinds:
            kept = chance.at("kept before", 0).choice(["none", "changed", "all", "all"])
            plan = replace(plan, pair=replace(plan.pair, target={**plan.pair.target, "keep_before": kept}))
        if kinds & READ_AMID_CHANGES:
            plan = replace(plan, runs=plan.runs + MORE_RUNS, operations=plan.operations + BUSIER)
        if Kind.LATE_COMMITS in kinds:
            plan = replace(plan, pair=replace(plan.pair, lookback=LATE_LOOKBACK))
        if Kind.FOLLOWING in kinds:
            plan = replace(plan, seconds=LATE_SECONDS, operations=plan.operations + BUSIER)
        column = change_column_of(chance, kinds, plan.column)
        return replace(
            plan,
            kinds=kinds,
            column=column,
            habits=_habits(chance, kinds),
            pair=replace(plan.pair, column=column),
            seconds=column.seconds or plan.seconds,
        )

    @classmethod
    def _usual(cls, chance: Chance) -> Plan:
        draw = chance.at("plan", 0)
        channel = draw.choices(["auto", "bulk_write", "upsert"], [3.0, 1.5, 1.0])[0]
        lookback = draw.choice([3.0, 9.0, 30.0])
        keys = draw.randint(2, 12)
        target = {
            "channel": channel,
            "bulk_rows": draw.randint(2, 7),
            "bulk_threshold": draw.randint(1, 5) if channel == "auto" else None,
            "max_jobs": draw.randint(1, 3),
            "max_connections": draw.randint(1, 4),
            "job_wait_seconds": draw.choice([5, 60, 600]),
            "max_attempts": draw.randint(2, 4),
            "validate": False,
            "callback_url": None,
        }
        long_jobs = chance.at("long jobs", 0).random() < 0.15
        if long_jobs:  # so that a run says nothing but by its heartbeat for over a minute
            target["job_wait_seconds"] = 600
        refused = {}
        if draw.random() < 0.25:
            refused[f"so-{draw.randrange(keys)}"] = draw.choice(["RECORD_LOCKED", "INVALID_DATA"])
        people = PeoplePlan.of(chance, keys)
        return cls(
            rate=draw.choice([0.0, 0.02, 0.05, 0.1, 0.2]),
            operations=draw.randint(4, 24),
            keys=keys,
            seconds=draw.choice([20.0, 60.0, 150.0]),
            runs=draw.randint(2, 5),
            hasty=chance.at("haste", 0).random() < 0.25,
            beside=draw.random() < 0.7,
            new_ledger=chance.at("new ledger", 0).random() < 0.2,
            column=SECONDS if draw.random() < 0.6 else FINE,
            habits=Habits(),
            job_seconds=(70.0, 150.0) if long_jobs else draw.choice([(0.1, 1.0), (1.0, 8.0), (5.0, 40.0)]),
            pair=PairConfig(draw.randint(1, 8), lookback, draw.randint(1, 6), target),
            result_words={
                "download_url": draw.choice(["relative", "absolute", "double_slash"]),
                "result_status": draw.choice(["lower", "upper", "title"]),
                "all_failed_status": draw.choice([200, 202, 400]),
                "request_errors": draw.choice(["flat", "in_data"]),
            },
            refused={} if people.names else refused,  # which would be refused by any key like it
            people=people,
        )


def _habits(chance: Chance, kinds: frozenset[Kind]) -> Habits:
    slow = chance.at("slow application", 0).uniform(2.0, 12.0) if Kind.SLOW_APPLICATION in kinds else 0.0
    return Habits(
        shares_versions=bool(kinds & SHARED_VERSIONS), late_commits=Kind.LATE_COMMITS in kinds, clock_offset=-slow
    )
