"""Breaks promise after promise, and runs the tests that must fail: `python -m breaks [NAME ...]`.

What is done is kept in `.nightly/breaks.json`, so that a second call goes on where the first one ended, as long as
neither the broken file nor the test's has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from breaks.break_list import BREAKS, Break

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / ".nightly" / "breaks.json"
SECONDS_MOST = 600
FAILED = 1
"""How pytest ends where tests failed; 2 to 5 mean that they were not even run."""


class BreakError(Exception):
    """A break does not fit the code any more, or its tests could not be run; the text says which and why."""


def break_it(broken: Break, folder: Path) -> None:
    """Put a copy of the project, with this promise broken, into `folder`."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    path = folder / broken.file
    text = path.read_text(encoding="utf-8")
    if text.count(broken.old) != 1:
        raise BreakError(f"{broken.name}: {broken.old!r} stands {text.count(broken.old)} times in {broken.file}")
    path.write_text(text.replace(broken.old, broken.new), encoding="utf-8")


def survivors(broken: Break) -> list[str]:
    """The tests of a break that pass in spite of it."""
    with tempfile.TemporaryDirectory(prefix="break-") as name:
        folder = Path(name)
        break_it(broken, folder)
        return [test for test in broken.tests if not _fails(broken, test, folder)]


def _fails(broken: Break, test: str, folder: Path) -> bool:
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", test]
    paths = os.pathsep.join([str(folder), str(folder / "tests")])
    ended = subprocess.run(
        pytest,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MOST,
    )
    if ended.returncode not in {0, FAILED}:
        raise BreakError(f"{broken.name}: {test} could not be run: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return ended.returncode == FAILED


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
        for broken, survived in zip(due, pool.map(survivors, due), strict=True):
            known[broken.name] = {"state": state_of(broken), "survived": survived}
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
            print(f"{broken.name:40} {'NOT NOTICED by ' + ', '.join(survived) if survived else 'noticed'}", flush=True)
    missed = [each.name for each in chosen if known[each.name]["survived"]]
    print(f"{len(chosen)} breaks, {len(chosen) - len(missed)} noticed by all their tests")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
