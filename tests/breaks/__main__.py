"""Breaks promise after promise, and runs the tests that must fail: `python -m breaks [NAME ...]`.

Each test runs once as the code is and must pass, then with its promise broken and must fail. What is done is kept in
`.nightly/breaks.json`, so that a second call goes on where the first one ended, as long as neither the broken file nor
the test's has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from copied_project import ROOT, project

from breaks.break_list import BREAKS
from breaks.one_break import Break

RESULTS = ROOT / ".nightly" / "breaks.json"
SECONDS_MOST = 600
FAILED, NONE_CHOSEN = 1, 5
"""How pytest ends where tests failed, and where it has none to run; 2 to 4 mean that they could not be run."""


class BreakError(Exception):
    """A break does not fit the code any more, or its tests could not be run; the text says which and why."""


def break_it(broken: Break, folder: Path) -> None:
    """Break this promise in the copy of the project in `folder`."""
    path = folder / broken.file
    text = path.read_text(encoding="utf-8")
    if text.count(broken.old) != 1:
        raise BreakError(f"{broken.name}: {broken.old!r} stands {text.count(broken.old)} times in {broken.file}")
    path.write_text(text.replace(broken.old, broken.new), encoding="utf-8")


def complaints(broken: Break) -> list[str]:
    """Tests that fail without the break, tests that pass in spite of it, or why it cannot be made."""
    try:
        with project() as folder:
            found = [f"{test} fails unbroken" for test in broken.tests if _fails(broken, test, folder)]
        with project() as folder:
            break_it(broken, folder)
            return [*found, *(f"{test} passes" for test in broken.tests if not _fails(broken, test, folder))]
    except (BreakError, subprocess.TimeoutExpired) as error:
        return [str(error)]


def _fails(broken: Break, test: str, folder: Path) -> bool:
    ended = _run(test, folder)
    if ended.returncode == NONE_CHOSEN:  # one of `make faults` or `make nightly` alone
        ended = _run(test, folder, FAULTS="all", NIGHTLY="all")
    if ended.returncode not in {0, FAILED}:
        raise BreakError(f"{broken.name}: {test} could not be run: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return ended.returncode == FAILED


def _run(test: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", test]
    paths = os.pathsep.join([str(folder), str(folder / "tests")])
    return subprocess.run(
        pytest,
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MOST,
    )


def state_of(broken: Break) -> str:
    """What a result holds for: the break, the file that it breaks, and its tests."""
    files = {broken.file, *(test.partition("::")[0] for test in broken.tests)}
    texts = [repr(broken), *((ROOT / name).read_text(encoding="utf-8") for name in sorted(files))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def main() -> int:
    """Break them all."""
    parser = argparse.ArgumentParser(prog="python -m breaks")
    parser.add_argument("names", nargs="*", help="some only, though their result is known")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    chosen = [each for each in BREAKS if each.name in options.names] if options.names else list(BREAKS)
    due = [each for each in chosen if options.names or known.get(each.name, {}).get("state") != state_of(each)]
    with ThreadPoolExecutor(options.jobs) as pool:
        for broken, found in zip(due, pool.map(complaints, due), strict=True):
            known[broken.name] = {"state": state_of(broken), "complaints": found}
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
            print(f"{broken.name:40} {'; '.join(found) if found else 'noticed'}", flush=True)
    missed = [each.name for each in chosen if known[each.name]["complaints"]]
    print(f"{len(chosen)} breaks, {len(chosen) - len(missed)} noticed by all their tests")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
