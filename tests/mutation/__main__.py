"""Judges a random sample of the code's mutants: `python -m mutation --sample 300 --seed 1`, or some by their ids.

What is done stands in `.nightly/mutation.json`, where a second call goes on. Which tests run which line is collected
once for each commit, in `.nightly/lines/`; mutants are made in copies of the tracked files, never here.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from copied_project import ROOT, project
from mutation import parts, results, survivors
from mutation.mutants import Mutant, change, mutants_of, sample
from mutation.results import Result
from mutation.tests_of_lines import TestsOfLines, collect
from mutation.trial import judged

RESULTS = ROOT / ".nightly" / "mutation.json"
LINES = ROOT / ".nightly" / "lines"


@dataclass(frozen=True)
class Due:
    """A mutant to judge: the whole text of its file with it, and what is written down of the one without."""

    mutant: Mutant
    mutated: str
    change: str
    file_hash: str


def drawn(seed: int, number: int) -> list[Due]:
    """The sample."""
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in parts.files(ROOT)}
    every = [mutant for file, text in texts.items() for mutant in mutants_of(file, text)]
    found: list[Due] = []
    for mutant in sample(every, seed):
        if len(found) == number:
            break
        text = texts[mutant.file]
        mutated = mutant.applied(text)
        if mutated is not None:
            found.append(Due(mutant, mutated, change(text, mutated), hashlib.sha256(text.encode()).hexdigest()[:12]))
    return found


def commit() -> str:
    """The commit, with a + and a hash of what is not committed."""
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    changes = subprocess.run(["git", "diff", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    return head.decode().strip() + (f"+{hashlib.sha256(changes).hexdigest()[:8]}" if changes else "")


def result(due: Due, folders: SimpleQueue[Path], lines: TestsOfLines, code: str) -> Result:
    """Judge one, in the next copy of the project that nobody uses."""
    mutant = due.mutant
    tests = lines.chosen(mutant.file, (ROOT / mutant.file).read_text(encoding="utf-8"), mutant.line)
    folder = folders.get()
    try:
        verdict = judged(folder, mutant.file, due.mutated, tests)
    finally:
        folders.put(folder)
    return Result(
        id=mutant.id,
        file=mutant.file,
        line=mutant.line,
        definition=mutant.definition,
        operator=mutant.operator,
        change=due.change,
        fate=verdict.fate,
        by=verdict.by,
        tests=verdict.tests,
        seconds=verdict.seconds,
        commit=code,
        file_hash=due.file_hash,
    )


def judge_all(due: Sequence[Due], known: dict[str, Result], code: str, seed: int, jobs: int) -> None:
    """Judge them side by side; each is written down at once."""
    place = LINES / code
    collect(ROOT, place, jobs)
    lines = TestsOfLines(ROOT, place)
    with ExitStack() as stack:
        folders: SimpleQueue[Path] = SimpleQueue()
        for _ in range(jobs):
            folders.put(stack.enter_context(project()))
        pool = ThreadPoolExecutor(jobs)
        # Ends before the copies are removed, with those that have begun.
        stack.callback(pool.shutdown, cancel_futures=True)
        begun = [pool.submit(result, each, folders, lines, code) for each in due]
        for number, done in enumerate(as_completed(begun), 1):
            found = done.result()
            known[found.id] = found
            results.write(RESULTS, seed, code, list(known.values()))
            print(f"{number}/{len(due)} {found.id} {found.seconds:5.1f} s  {found.fate} {found.by}", flush=True)


def main() -> int:
    """Judge those that are due, and say what is known of all."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("ids", nargs="*", help="some of the sample only, though their result is known")
    parser.add_argument("--sample", type=int, default=300, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants side by side")
    options = parser.parse_args()
    code = commit()
    chosen = drawn(options.seed, options.sample)
    hashes = {each.mutant.id: each.file_hash for each in chosen}
    known = {name: each for name, each in results.read(RESULTS).items() if each.holds(code, hashes.get(name, ""))}
    again = set(options.ids)
    due = [each for each in chosen if each.mutant.id in again or (not again and each.mutant.id not in known)]
    if due:
        judge_all(due, known, code, options.seed, options.jobs)
    judgements = {each.id: each for each in survivors.read(survivors.LIST.read_text(encoding="utf-8"))}
    found = [known[each.mutant.id] for each in chosen if each.mutant.id in known]
    print("\n".join(results.table(found, parts.files(ROOT), judgements)))
    return 0 if results.enough(found, judgements) else 1


if __name__ == "__main__":
    sys.exit(main())
