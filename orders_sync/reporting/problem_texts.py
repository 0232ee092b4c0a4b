"""What a problem means, how its orders stand, and what to do: for the terminal, for programs and for the page."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from sync_ledger.problems import Problem
from target_zoho_crm.api.codes import Family, Standing, advice, advice_by_hand, find, place_of


def problem_document(problem: Problem) -> dict[str, Any]:
    """A problem for other programs: `remedies` by what the ledger says of the orders, `remedy` all as one text."""
    remedies = _remedies(problem)
    facts = {"meaning": _meaning(problem), "remedy": " ".join(remedies.values())}
    return dataclasses.asdict(problem) | facts | {"remedies": {each.value: text for each, text in remedies.items()}}


def advice_lines(problem: Problem) -> list[str]:
    """What to do, on one line with the meaning where it is the same for all orders, else on a line for each status."""
    meaning, remedies = _meaning(problem), _remedies(problem)
    if len(remedies) == 1:
        return [" ".join(filter(None, (meaning, *remedies.values())))]
    counts = _standings(problem)
    return [*filter(None, [meaning]), *(f"{counts[each]:,} {each.value}: {text}" for each, text in remedies.items())]


def _meaning(problem: Problem) -> str:
    info = find(problem.code, place_of(problem.code, _family(problem)))
    return info.meaning if info else ""


def _remedies(problem: Problem) -> dict[Standing, str]:
    advised = advice_by_hand if problem.by_hand else advice
    return {each: advised(problem.code, each, _family(problem)) for each in _standings(problem)}


def _standings(problem: Problem) -> Counter[Standing]:
    """How many of the orders are tried again by themselves, and how many not, and why."""
    counts = Counter[Standing]()
    for orders, parked, due in (
        (problem.rejected - problem.due, False, False),
        (problem.due, False, True),
        (problem.parked, True, False),
    ):
        counts[Standing.of(_family(problem), parked=parked, due=due)] += orders
    return +counts


def _family(problem: Problem) -> Family | None:
    return Family(problem.family) if problem.family else None


def states(problem: Problem) -> str:
    """How its orders stand, in words."""
    due = problem.due and not problem.by_hand
    by_themselves = f", {problem.due:,} of them tried again by themselves" if due else ""
    parked = f", {problem.parked:,} parked" if problem.parked else ""
    return f"{problem.rejected:,} rejected{by_themselves}{parked}"
