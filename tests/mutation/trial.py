"""What becomes of a mutant: its tests are run in a copy of the project, then histories of the simulation."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mutation.tests_of_lines import environment

SECONDS_MOST = 90
"""Of processor time, for the tests and for each round of histories: a machine under load is slower, not wrong."""

WAITING_SECONDS_MOST = 10 * SECONDS_MOST
"""By the clock, for what waits and needs no processor."""

TEST_SECONDS_MOST = 60
"""By the clock, for one test; those that are chosen take at most 20 without the mutant. By then it hangs."""

HISTORIES = ((1, 100), (101, 300))
"""First seed and number: all mutants that the tests let pass, then those that these let pass too."""

KILOBYTES_MOST = 8_000_000
"""Of address space: a loop without end must not take the machine's memory."""

FAILED_TEST = re.compile(r"^(?:FAILED|ERROR) (\S+\.py(?:::.*?)?)(?: - |$)", re.MULTILINE)
NOT_RUN = ("pytest ended 4", "pytest ended 5")
"""A test is not there, or conftest.py cannot be imported; none was chosen."""

Fate = Literal["killed", "survived", "out of time"]


class TrialError(Exception):
    """The tests could not be run, with or without the mutant; the text says why."""


@dataclass(frozen=True)
class Verdict:
    """`by` is the test, or the history and what it broke, that killed the mutant."""

    fate: Fate
    by: str
    tests: int
    seconds: float


def judged(folder: Path, file: str, mutated: str, tests: list[str]) -> Verdict:
    """Put the mutated text into the copy of the project in `folder`, see what notices, and put the old one back."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    began = time.monotonic()
    try:
        _write(path, mutated)
        fate, by = _fate(folder, tests)
    finally:
        _write(path, text)
    if by in NOT_RUN:  # the mutant changed the names of tests, unless they are not there without it either
        code, output = _run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only", *tests)
        if code:
            raise TrialError(output.strip()[-2000:])
    return Verdict(fate, by, len(tests), round(time.monotonic() - began, 1))


class _TimeIsUpError(Exception):
    """A step took all of its time."""


def _fate(folder: Path, tests: list[str]) -> tuple[Fate, str]:
    try:
        if tests and (by := _killed_by_test(folder, tests)):
            return "killed", by
        for first, number in HISTORIES:
            if by := _killed_by_history(folder, first, number):
                return "killed", by
    except _TimeIsUpError:
        return "out of time", ""
    return "survived", ""


def _killed_by_test(folder: Path, tests: list[str]) -> str:
    """The first test that fails, or how pytest ended; empty where all pass."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout", str(TEST_SECONDS_MOST)]
    code, output = _run(folder, "-m", "pytest", *options, *tests)
    if code == 0:
        return ""
    failed = FAILED_TEST.search(output)
    return failed[1] if failed else f"pytest ended {code}"


def _killed_by_history(folder: Path, first: int, number: int) -> str:
    chosen = ["--first", str(first), "--seeds", str(number), "--jobs", "1"]
    code, output = _run(folder, "-m", "simulation", *chosen, "--stop-at-first", "--no-shrinking")
    if code == 0:
        return ""
    return next((line for line in output.splitlines() if line.startswith("seed ")), f"the simulation ended {code}")


def _run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Python in the copy; what it has started does not outlive it.

    Raises:
        _TimeIsUpError: it did not end.
    """
    limits = f'ulimit -v {KILOBYTES_MOST}; ulimit -S -t {SECONDS_MOST}; exec "$@"'
    limited = ["sh", "-c", limits, "sh", sys.executable, *arguments]
    # Into a file: a pipe would stay open as long as anything that a test has left behind.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            limited,
            cwd=folder,
            env={**environment(folder), "PYTHONHASHSEED": "0"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(WAITING_SECONDS_MOST)
        except subprocess.TimeoutExpired:
            code = -signal.SIGXCPU
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code == -signal.SIGXCPU:
            raise _TimeIsUpError
        output.seek(0)
        return code, output.read()


def _write(path: Path, text: str) -> None:
    """Without what Python compiled: it knows a source by its size and second."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
