"""Trouble that blames nobody: calls that fail for one order only, a day of 504, a day on which large calls fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from simulation.chance import Chance

from zoho_crm_emulator.faults import Fault, Faults

if TYPE_CHECKING:
    from simulation.history_plan import Plan

PLACE = "trouble"
WAYS = {
    "call": (("upsert",), False),
    "upload": (("upload",), False),
    "job": ((), True),
    "everything": (("upsert", "upload"), True),
}
"""By which endpoints, and whether by jobs too, one order makes everything fail that it is in."""
ANSWERS = {"504": 504, "500": 500, "no answer": 599}
"""A status that no server gives stands for no answer at all."""
FAILED_INSIDE: dict[str, Any] = {"code": "INTERNAL_ERROR", "details": {}, "message": "", "status": "error"}
NO_ANSWER = 599
GATEWAY_DAY = 0.95
"""So many calls end in 504 on such a day."""
DAY_SECONDS = 72_000.0


@dataclass(frozen=True)
class Trouble:
    """What a history has of it."""

    poisoned: dict[str, str] = field(default_factory=dict)
    """The way in which calls with an order fail, by its key."""
    answer: str = "504"
    gateway_day: bool = False
    over: int = 0
    """Requests with more records than that fail; 0: none."""

    @classmethod
    def of(cls, chance: Chance, keys: int) -> Trouble:
        """Draw it; most histories have none."""
        draw = chance.at(PLACE, 0)
        kind = draw.choices(["poison", "gateway day", "large calls", None], [0.16, 0.05, 0.05, 0.74])[0]
        if kind == "gateway day" and chance.planned(PLACE, 0, "day of 504"):
            return cls(gateway_day=True)
        if kind == "large calls" and chance.planned(PLACE, 0, "large calls fail"):
            return cls(over=draw.randint(1, 3))
        found = {}
        if kind == "poison":
            answer = draw.choice(list(ANSWERS))
            for number in range(draw.choice([1, 1, 2])):
                way = draw.choice(list(WAYS))
                if chance.planned(PLACE, number + 1, f"one order: {way}"):
                    found[f"so-{draw.randrange(keys)}"] = way
            return cls(found, answer)
        return cls()

    def planned(self, plan: Plan) -> Plan:
        """The plan of a history with this trouble: a day of 504 lasts nearly a day, and nothing else happens."""
        if not self.gateway_day:
            return plan
        return replace(plan, seconds=DAY_SECONDS, hasty=False)

    @property
    def fails_calls(self) -> frozenset[str]:
        """The orders that no call can write."""
        return frozenset(key for key, way in self.poisoned.items() if "upsert" in WAYS[way][0])

    def begin(self, faults: Faults) -> None:
        """Make the emulator bring it about, to the end of the history."""
        for fault in self._faults():
            faults.add(fault)

    def _faults(self) -> Iterable[Fault]:
        status = ANSWERS[self.answer]
        body = FAILED_INSIDE if self.answer == "500" else "<html>"
        for key, way in self.poisoned.items():
            endpoints, by_jobs = WAYS[way]
            for endpoint in endpoints:
                yield Fault(kind="answer", endpoint=endpoint, status=status, body=body, keys=(key,))
            if by_jobs:
                yield Fault(kind="poison", endpoint="bulk_write", keys=(key,), code="INTERNAL_ERROR")
        if self.over:
            for endpoint in ("upsert", "upload"):
                yield Fault(kind="answer", endpoint=endpoint, status=504, body="<html>", over=self.over)
