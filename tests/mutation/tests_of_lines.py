"""Which tests run a line, and how long they take: collected once for each state of the code, folder by folder of tests.

A child process of a test counts for that test, unless it is killed: `kill -9` leaves no data.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException

COLLECTED = ("databases", "ledger", "orders_sync", "pair", "tap", "target")
"""Folders of tests; those of the emulator, the parsers and the faults on real processes would add hours."""

TESTS_MOST = 20
SECONDS_MOST = 20.0
"""Of the tests for one mutant together, as they took without it."""

CONTEXT = re.compile(r"(?P<test>.+?)(\|(?P<phase>setup|run|teardown)| \((?P<of_child>setup|call|teardown)\))")
"""pytest-cov's own, or PYTEST_CURRENT_TEST as the child process found it."""


def collect(root: Path, place: Path, jobs: int) -> None:
    """Run what was not run yet. Tests that fail are left out: a loaded machine may fail some."""
    for name in COLLECTED:
        folder = place / name
        if (folder / "seconds.json").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        print(f"which tests of tests/{name} run which lines ...", flush=True)
        own = root / "tests" / "mutation" / "coverage.ini"
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            str(jobs),
            "-p",
            "no:cacheprovider",
            "-p",
            "mutation.timing",
        ]
        measured = ["--cov", f"--cov-config={own}", "--cov-context=test", "--cov-report="]
        files = {
            "TEST_SECONDS": folder / "seconds.json",
            "COVERAGE_FILE": folder / "coverage",
            "COVERAGE_PROCESS_START": own,
        }
        with (folder / "log").open("w") as log:
            subprocess.run(
                [*pytest, *measured, f"tests/{name}"],
                cwd=root,
                env={**environment(root), **{each: str(file) for each, file in files.items()}},
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if not (folder / "seconds.json").exists():
            raise RuntimeError(f"tests/{name} could not be run, see {folder / 'log'}")


def environment(root: Path) -> dict[str, str]:
    """For a process on the code in `root`, which is not part of a test that may run here."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}


class TestsOfLines:
    """What was collected."""

    __test__ = False

    def __init__(self, root: Path, place: Path) -> None:
        self._root = root
        self._seconds: dict[str, float] = {}
        self._texts: dict[str, str] = {}
        self._tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for file in sorted(place.glob("*/seconds.json")):
            self._seconds.update(json.loads(file.read_text(encoding="utf-8")))
        for file in sorted(place.glob("*/coverage*")):
            with suppress(CoverageException):  # a child process was killed while it wrote this file
                self._read(file)

    def _read(self, file: Path) -> None:
        data = CoverageData(str(file))
        data.read()
        for measured in data.measured_files():
            # a child process in another folder names the whole path
            name = (self._root / measured).resolve().relative_to(self._root.resolve()).as_posix()
            for line, contexts in data.contexts_by_lineno(measured).items():
                self._tests[name][line].update(_called(contexts))

    def chosen(self, file: str, text: str, line: int) -> list[str]:
        """The quickest tests that run this line, the quickest first; one of each function before a second of any.

        A line that runs when its module is imported belongs to the tests that run a line with a name that it defines.
        """
        lines, names = what_shows(ast.parse(text), line)
        tests = self._run_any(file, lines & {line}) or self._run_any(file, lines)
        for name in [] if tests else names:
            word = re.compile(rf"\b{re.escape(name)}\b")
            tests |= self._run_any(file, _mentioning(text, word))
            if not tests:
                for other in self._tests:
                    tests |= self._run_any(other, _mentioning(self._text(other), word))
        return quickest({test: self._seconds[test] for test in tests if test in self._seconds})

    def _run_any(self, file: str, lines: Iterable[int]) -> set[str]:
        found = self._tests.get(file, {})
        return {test for line in lines for test in found.get(line, ())}

    def _text(self, file: str) -> str:
        if file not in self._texts:
            self._texts[file] = (self._root / file).read_text(encoding="utf-8")
        return self._texts[file]


def _called(contexts: Iterable[str]) -> Iterator[str]:
    """The tests among coverage's contexts whose own call ran the line; what only fixtures run says little."""
    for context in contexts:
        found = CONTEXT.fullmatch(context)
        if found and (found["phase"] or found["of_child"]) in {"run", "call"}:
            yield found["test"]


def _mentioning(text: str, word: re.Pattern[str]) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if word.search(line)]


def quickest(seconds: Mapping[str, float]) -> list[str]:
    """As many as are worth it; at least one, if there is any."""
    turns: dict[str, int] = defaultdict(int)
    ordered = []
    for test in sorted(seconds, key=lambda each: (seconds[each], each)):
        function = test.partition("[")[0]
        ordered.append((turns[function], seconds[test], test))
        turns[function] += 1
    found, total = [], 0.0
    for _, time, test in sorted(ordered)[:TESTS_MOST]:
        total += time
        if found and total > SECONDS_MOST:
            break
        found.append(test)
    return found


def what_shows(tree: ast.Module, line: int) -> tuple[set[int], list[str]]:
    """The lines whose running shows a change on this line; for one of a module or class, the names that it defines."""
    within: list[ast.stmt] = sorted(
        (each for each in ast.walk(tree) if isinstance(each, ast.stmt) and line in _span(each)),
        key=lambda each: len(_span(each)),
    )
    if not within:
        return set(), []
    inner = within[0]
    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):  # a default, or a decorator
        return {number for each in inner.body for number in _span(each)}, []
    if any(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in within):
        return {line, *_head(inner)}, []
    if isinstance(inner, ast.ClassDef):
        return set(), [inner.name]
    return set(), [
        each.id for each in ast.walk(inner) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    ]


def _span(statement: ast.stmt) -> range:
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(each.lineno for each in decorators)])
    return range(first, (statement.end_lineno or first) + 1)


def _head(statement: ast.stmt) -> range:
    """The lines of a statement without those of the statements in it."""
    span, body = _span(statement), getattr(statement, "body", None)
    return range(span.start, max(span.start + 1, body[0].lineno)) if body else span
