"""What is known of each mutant: one JSON file, by which a second call goes on, and the table of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mutation.survivors import Survivor

KILLED_LEAST, EQUIVALENT_MOST = 0.90, 0.05
"""Of the mutants that are not equivalent, and of all."""


@dataclass(frozen=True)
class Result:
    """What became of a mutant, and of which code: `commit` of the whole, `file_hash` of the file that it changes.

    `by` is the test or history that killed it.
    """

    id: str
    file: str
    line: int
    definition: str
    operator: str
    change: str
    fate: str
    by: str
    tests: int
    seconds: float
    commit: str
    file_hash: str

    def holds(self, commit: str, file_hash: str) -> bool:
        """A killed mutant is dead as long as its file is the same; a survivor lives as long as nothing has changed.

        One whose time was up is due again: the machine may have been busy.
        """
        survives = self.fate == "survived" and self.commit == commit
        return self.file_hash == file_hash and (self.fate == "killed" or survives)


def read(file: Path) -> dict[str, Result]:
    """Results by the mutant's id."""
    if not file.exists():
        return {}
    return {each["id"]: Result(**each) for each in json.loads(file.read_text(encoding="utf-8"))["mutants"]}


def write(file: Path, seed: int, commit: str, results: Sequence[Result]) -> None:
    """In one go: who interrupts this has the file of before."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    every = {"seed": seed, "commit": commit, "mutants": [asdict(each) for each in results]}
    new.write_text(json.dumps(every, indent=1), encoding="utf-8")
    new.replace(file)


def table(results: Sequence[Result], parts: Mapping[str, str], judged: Mapping[str, Survivor]) -> list[str]:
    """A line for each part and for all, then the mutants that nothing noticed."""
    names = [*dict.fromkeys(parts.values()), "all"]
    heads = ("by tests", "by histories", "survived", "out of time", "equivalent", "killed")
    lines = [f"{'':14}{'mutants':>8}" + "".join(f"{head:>14}" for head in heads)]
    for name in names:
        chosen = [each for each in results if name in {"all", parts[each.file]}]
        if chosen:
            lines.append(f"{name:14}{len(chosen):8}" + "".join(f"{each:>14}" for each in _counts(chosen, judged)))
    alive = [each for each in results if each.fate != "killed"]
    return [*lines, "", *(_told(each, judged.get(each.id)) for each in alive), last_line(results, judged)]


def _counts(results: Sequence[Result], judged: Mapping[str, Survivor]) -> list[str]:
    dead = [each for each in results if each.fate == "killed"]
    histories = sum(each.by.startswith(("seed ", "the simulation ")) for each in dead)
    fates = [sum(each.fate == fate for each in results) for fate in ("survived", "out of time")]
    equivalent = _equivalent(results, judged)
    return [*map(str, [len(dead) - histories, histories, *fates, equivalent]), f"{share_killed(results, judged):.1%}"]


def _told(result: Result, judgement: Survivor | None) -> str:
    word = f"{judgement.word}: {judgement.why}" if judgement else f"NOT JUDGED ({result.fate}, {result.tests} tests)"
    place = f"{result.file}:{result.definition or '-'}"
    return f"{result.id}  {place}  line {result.line}, {result.operator}\n    {result.change}\n    {word}"


def _equivalent(results: Sequence[Result], judged: Mapping[str, Survivor]) -> int:
    alive = [each.id for each in results if each.fate != "killed"]
    return sum(each in judged and judged[each].word == "equivalent" for each in alive)


def share_killed(results: Sequence[Result], judged: Mapping[str, Survivor]) -> float:
    """Of those that are not equivalent."""
    dead = sum(each.fate == "killed" for each in results)
    return dead / max(1, len(results) - _equivalent(results, judged))


def last_line(results: Sequence[Result], judged: Mapping[str, Survivor]) -> str:
    """Sums, for a reader and for `make nightly`."""
    dead = sum(each.fate == "killed" for each in results)
    equivalent = _equivalent(results, judged)
    open_ones = unjudged(results, judged)
    return f"{len(results)} mutants by a tool, {dead} killed, {equivalent} equivalent, {open_ones} not judged"


def unjudged(results: Sequence[Result], judged: Mapping[str, Survivor]) -> int:
    """How many survive that nobody has looked at."""
    return sum(each.fate != "killed" and each.id not in judged for each in results)


def enough(results: Sequence[Result], judged: Mapping[str, Survivor]) -> bool:
    """Whether the tests are as good as they must be, and each survivor was looked at."""
    few_equivalent = _equivalent(results, judged) <= EQUIVALENT_MOST * len(results)
    return few_equivalent and share_killed(results, judged) >= KILLED_LEAST and not unjudged(results, judged)
