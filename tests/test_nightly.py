"""`make nightly` goes on where it was, and says what it counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
STEPS = ["tests", "pages", "faults", "sleeps", "model", "simulate", "simulate-day", "mutants", "mutate", "breaks"]
STEPS += ["judges", "examples"]
PYTHON = """#!/bin/sh
# Stands for what takes hours: notes the module, prints what it would print, and fails while told to.
case "$2" in scripts.nightly_counts) exec {python} "$@" ;; esac
echo "$2" >>{folder}/started
case "$2" in
pytest)
    for option; do case "$option" in --junitxml=*) report=${{option#--junitxml=}} ;; esac; done
    echo '<testsuites><testsuite tests="7" failures="1" errors="0" skipped="2" time="3.4"/></testsuites>' >"$report" ;;
simulation)
    echo "simulation: 31,000 histories in 900 s, 330,000 faults of 25 kinds, 300 of 300 pairs met; 0 break the law" ;;
simulation.mutants)
    printf 'one-bug   1.0 s  seed 3: lost\\nother-bug   9.0 s  NOT CAUGHT by 2000 seeds\\n'
    exec test ! -e {folder}/fails ;;
sleeps) echo "200 sleeps, 80 taken over, 3000 orders in doubt, 1 broken" ;;
mutation) echo "300 mutants by a tool, 280 killed, 9 equivalent, 2 not judged" ;;
judges) echo "10 SDKs, 140 calls, 139 work" ;;
breaks) echo "3 breaks, 2 noticed by all their tests" ;;
esac
"""


@pytest.fixture
def nightly(tmp_path: Path) -> Any:
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text(PYTHON.format(python=Path(sys.executable), folder=tmp_path))
    program.chmod(0o755)
    environment = {**os.environ, "BIN": str(program.parent), "NIGHTLY_FOLDER": str(tmp_path / "nightly")}

    def run() -> tuple[int, list[str], dict[str, Any]]:
        (tmp_path / "started").write_text("")
        done = subprocess.run(
            ["sh", ROOT / "scripts" / "nightly.sh"], env=environment, check=False, capture_output=True
        )
        counts = json.loads((tmp_path / "nightly" / "counts.json").read_text())
        return done.returncode, (tmp_path / "started").read_text().split(), counts["steps"]

    return run


def test_a_second_call_does_only_what_is_not_green_yet(nightly: Any, tmp_path: Path) -> None:
    (tmp_path / "fails").touch()
    code, started, steps = nightly()
    assert code == 1
    assert started[:6] == ["pytest", "pytest", "pytest", "pytest", "sleeps", "pytest"]
    assert started[6:] == ["simulation", "simulation.day", "simulation.mutants", "mutation", "breaks", "judges"]
    assert [name for name in STEPS if not steps[name]["green"]] == ["mutants"]
    (tmp_path / "fails").unlink()
    assert nightly()[:2] == (0, ["simulation.mutants"])
    code, started, steps = nightly()
    assert (code, started) == (0, [])
    assert all(steps[name]["green"] for name in STEPS)


def test_the_counts_of_each_step_stand_in_one_file(nightly: Any) -> None:
    _, _, steps = nightly()
    assert set(steps) == set(STEPS)
    assert steps["faults"] == {"green": True, "tests": 7, "failures": 1, "errors": 0, "skipped": 2, "seconds": 3}
    assert steps["sleeps"] == {
        "green": True,
        "sleeps": 200,
        "taken over": 80,
        "orders in doubt": 3000,
        "broken": 1,
    }
    assert steps["simulate"] == {"green": True, "histories": 31_000, "faults": 330_000, "kinds": 25, "broken": 0}
    assert steps["mutants"] == {"green": True, "mutants": 2, "caught": 1}
    assert steps["mutate"] == {"green": True, "mutants": 300, "killed": 280, "equivalent": 9, "not judged": 2}
    assert steps["judges"] == {"green": True, "SDKs": 10, "calls": 140, "work": 139}
    assert steps["breaks"] == {"green": True, "breaks": 3, "noticed": 2}
