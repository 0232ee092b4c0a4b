"""What came of each run: one JSON file, by which a second call goes on, and the tables of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sleeps.one_run import Seen
from sleeps.plan import WHO, Plan

LENGTHS = (20, 45, 70, 100, 131)


@dataclass(frozen=True)
class Result:
    """One run, and of which code. `complaint` is empty where the law held."""

    code: str
    plan: Plan
    seen: Seen
    complaint: str = ""


def read(file: Path) -> dict[int, Result]:
    """Results by seed."""
    if not file.exists():
        return {}
    every = json.loads(file.read_text(encoding="utf-8"))["runs"]
    return {each["plan"]["seed"]: _result(each) for each in every}


def _result(each: dict[str, Any]) -> Result:
    return Result(each["code"], Plan(**each["plan"]), Seen(**each["seen"]), each["complaint"])


def write(file: Path, results: Sequence[Result]) -> None:
    """In one go: who interrupts this has the file of before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    lines = [json.dumps(asdict(each)) for each in sorted(results, key=lambda each: each.plan.seed)]
    new.write_text('{"runs": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")
    new.replace(file)


def table(results: Sequence[Result]) -> list[str]:
    """Sums by who was stopped, counts of each kind, and what broke the law."""
    heads = ("runs", "taken over", "under way", "in doubt", "landed late", "verified", "sent again", "broken")
    lines = [f"{'stopped':16}" + "".join(f"{head:>13}" for head in heads)]
    for who in (*WHO, "all"):
        chosen = [each for each in results if who in {"all", each.plan.who}]
        lines.append(f"{who:16}" + "".join(f"{count:13,}" for count in _sums(chosen)))
    for name, of in KINDS.items():
        counts = Counter(of(each) for each in results)
        lines.append(f"{name}: " + ", ".join(f"{what} {count}" for what, count in sorted(counts.items())))
    broken = [f"seed {each.plan.seed}: {each.complaint.splitlines()[0]}" for each in results if each.complaint]
    return [*lines, *broken, last_line(results)]


def _sums(results: Sequence[Result]) -> list[int]:
    seen = [each.seen for each in results]
    return [
        len(results),
        sum(each.taken_over for each in seen),
        sum(each.under_way for each in seen),
        sum(each.in_doubt for each in seen),
        sum(each.landed_late for each in seen),
        sum(each.verified for each in seen),
        sum(each.sent_again for each in seen),
        sum(bool(each.complaint) for each in results),
    ]


def _length(result: Result) -> str:
    upper = next(each for each in LENGTHS[1:] if result.plan.seconds < each)
    return f"{LENGTHS[LENGTHS.index(upper) - 1]:03}-{upper - 1:03} s"


def _set_up(result: Result) -> str:
    plan = result.plan
    kind = "flag" if plan.by_flag else f"lines in a {plan.lines}" if plan.lines else "acks"
    return f"{'calls' if plan.channel == 'upsert' else 'jobs'}, {kind}{', followed' if plan.follow else ''}"


KINDS: dict[str, Callable[[Result], str]] = {
    "length": _length,
    "step": lambda each: "with a call under way" if each.plan.held else each.plan.step,
    "engine": lambda each: f"{each.plan.engine}{', ledger elsewhere' if each.plan.elsewhere else ''}",
    "set-up": _set_up,
    "second run": lambda each: "in a pid namespace of its own" if each.plan.own_space else "on the same host",
    "exits of second runs": lambda each: " ".join(map(str, each.seen.second[-1:])) or "none",
    "exits of the first": lambda each: " ".join(map(str, each.seen.first)) or "none",
    "access token": lambda each: "lives" if each.plan.token_ends is None else "ends meanwhile",
}


def last_line(results: Sequence[Result]) -> str:
    """Sums, for a reader and for `make nightly`."""
    seen = [each.seen for each in results]
    return (
        f"{len(results)} sleeps, {sum(each.taken_over for each in seen)} taken over, "
        f"{sum(each.in_doubt for each in seen)} orders in doubt, {sum(bool(each.complaint) for each in results)} broken"
    )
