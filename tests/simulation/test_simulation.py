"""The simulation's own promises; histories by the thousand are run by `make simulate`, in `make test` too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.mutants import hunt, mutated, patches

ROOT = Path(__file__).parents[2]
MUTANTS_AT_LEAST = 34


def simulate(*arguments: str, hash_seed: str = "0") -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "simulation", *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_seed_is_replayed_exactly() -> None:
    assert simulate("--seed", "7") == simulate("--seed", "7")


def test_a_second_call_goes_on_where_the_first_one_ended(tmp_path: Path) -> None:
    def sums(printed: str) -> str:
        return re.sub(r" in [\d,]+ s, ", ", ", printed)

    kept = ["--keep", str(tmp_path / "sums.json"), "--jobs", "1"]
    simulate("--seeds", "2", *kept)
    done = json.loads((tmp_path / "sums.json").read_text())["total"]["seeds"]
    assert (done, sums(simulate("--seeds", "4", *kept))) == (2, sums(simulate("--seeds", "4", "--jobs", "1")))


def test_sums_of_other_code_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "sums.json"
    simulate("--seeds", "2", "--jobs", "1", "--keep", str(file))
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(kept | {"of": kept["of"] | {"code": "another"}, "total": kept["total"] | {"seeds": 1}}))
    assert "simulation: 2 histories" in simulate("--seeds", "2", "--jobs", "1", "--keep", str(file))


def test_no_deliberate_bug_is_lost() -> None:
    assert len(patches()) >= MUTANTS_AT_LEAST


@pytest.mark.parametrize("patch", patches(), ids=lambda patch: patch.stem)
def test_a_deliberate_bug_still_fits_the_code(patch: Path, tmp_path: Path) -> None:
    mutated(patch, tmp_path)


@pytest.mark.nightly
def test_the_simulation_sees_an_ack_before_the_answer() -> None:
    patch = next(patch for patch in patches() if patch.stem == "ack_before_answer")
    caught, _ = hunt(patch, jobs=1)
    assert caught is not None
    assert "which the CRM has never had" in caught
