"""Deliberate bugs: each patch of `mutants/` is applied to a copy of the code, and the simulation must catch it.

python -m simulation.mutants                all of them, with the seed that caught each
python -m simulation.mutants NAME ...       some
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATCHES = Path(__file__).parent / "mutants"
COPIED = (
    "sync_ledger",
    "sync_databases",
    "sync_processes",
    "tap_legacy_orders",
    "target_zoho_crm",
    "zoho_crm_emulator",
    "tests/simulation",
    "tests/code_tried.py",
    "tests/copied_project.py",
)
SEEDS_MOST = 2000
"""A bug that so many histories do not show is one that the simulation does not see."""


class PatchError(Exception):
    """A patch does not fit the code any more; the text says which and why."""


def patches() -> list[Path]:
    """All of them."""
    return sorted(PATCHES.glob("*.patch"))


def mutated(patch: Path, folder: Path) -> None:
    """Put a copy of the code with the bug into `folder`.

    Raises:
        PatchError: the patch does not apply.
    """
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    applied = subprocess.run(
        ["git", "apply", "--verbose", str(patch)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
    )
    if applied.returncode or "Skipped" in applied.stderr:
        raise PatchError(f"{patch.name} does not apply; make it anew for the code as it is: {applied.stderr.strip()}")


def hunt(patch: Path, jobs: int) -> tuple[str | None, float]:
    """What caught the bug (the first line that says so), or None; and in how many seconds."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        mutated(patch, folder)
        began = time.perf_counter()
        command = [sys.executable, "-m", "simulation", "--seeds", str(SEEDS_MOST), "--jobs", str(jobs)]
        ended = subprocess.run(
            [*command, "--stop-at-first", "--no-shrinking"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{folder}:{folder / 'tests'}", "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
        caught = next((line for line in ended.stdout.splitlines() if line.startswith("seed ")), None)
        if ended.returncode not in {0, 1} or (ended.returncode == 1) != (caught is not None):
            raise PatchError(f"{patch.name}: the simulation itself broke: {ended.stderr.strip()[-2000:]}")
        return caught, seconds


def main() -> int:
    """Hunt them all."""
    parser = argparse.ArgumentParser(prog="python -m simulation.mutants")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    missed = 0
    for patch in patches():
        if options.names and patch.stem not in options.names:
            continue
        caught, seconds = hunt(patch, options.jobs)
        missed += caught is None
        print(f"{patch.stem:26} {seconds:6.1f} s  {caught or f'NOT CAUGHT by {SEEDS_MOST} seeds'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
