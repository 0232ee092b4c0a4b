"""Does runs by their plans: `python -m sleeps --runs 200 --jobs 8`, or one: `--seed 17`.

What is done stands in `.nightly/sleeps.json`, where a second call goes on as long as the code is the same. The logs of
a run that breaks the law are kept in `.nightly/sleeps/`, by its seed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from code_tried import code_tried
from copied_project import ROOT

from sleeps import results
from sleeps.one_run import Seen, carried_out
from sleeps.plan import Plan, drawn
from sleeps.results import Result

RESULTS = ROOT / ".nightly" / "sleeps.json"
LOGS = ROOT / ".nightly" / "sleeps"


class Runs:
    """Runs side by side, each a process of its own."""

    def __init__(self, jobs: int) -> None:
        self._pool = ThreadPoolExecutor(jobs)
        self._live: set[subprocess.Popen[str]] = set()
        self._is_over = False

    def do(self, plans: list[Plan], known: dict[int, Result], of: str) -> None:
        """Do them; each is written down at once."""
        begun = [self._pool.submit(self._one, plan, of) for plan in plans]
        for number, done in enumerate(as_completed(begun), 1):
            found = done.result()
            if found is None:
                continue
            known[found.plan.seed] = found
            results.write(RESULTS, list(known.values()))
            what = found.complaint.splitlines()[0] if found.complaint else "kept"
            print(f"{number}/{len(plans)} {described(found.plan)}: {what}, {asdict(found.seen)}", flush=True)

    def _one(self, plan: Plan, of: str) -> Result | None:
        if self._is_over:
            return None
        command = [sys.executable, "-m", "sleeps", "--seed", str(plan.seed)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._live.add(process)
        out, err = process.communicate()
        self._live.discard(process)
        if self._is_over:
            return None
        if process.returncode == 0:
            return Result(of, plan, Seen(**json.loads(out.splitlines()[-1])))
        LOGS.mkdir(exist_ok=True)
        (LOGS / f"{plan.seed}.log").write_text(err, encoding="utf-8")
        return Result(
            of, plan, Seen(), next((line for line in reversed(err.splitlines()) if "Error" in line), err[-300:])
        )

    def end(self) -> None:
        """End those that are under way, and begin none."""
        self._is_over = True
        for process in list(self._live):
            process.terminate()


def described(plan: Plan) -> str:
    """A plan in one line."""
    step = "with a call under way" if plan.held else plan.step.value
    return f"seed {plan.seed}: {plan.who} for {plan.seconds:g} s, {step} {plan.number} of the {plan.program}"


def one(seed: int) -> int:
    """Do one; what came of it is the last line of standard output."""
    with tempfile.TemporaryDirectory(prefix="sleeps-") as name:
        folder = Path(name)
        os.environ |= {"PYTHONWARNINGS": "ignore", "XDG_CACHE_HOME": f"{name}/cache", "XDG_DATA_HOME": f"{name}/data"}
        plan = drawn(seed)
        print(json.dumps(asdict(plan)), file=sys.stderr)
        print(json.dumps(asdict(carried_out(plan, folder))))
    return 0


def _ended(*_: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    """Do those that are due, and say what is known of all."""
    parser = argparse.ArgumentParser(prog="python -m sleeps", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="how many, of seeds 1, 2, ...")
    parser.add_argument("--jobs", type=int, default=8, help="how many side by side")
    parser.add_argument("--seed", type=int, help="this one alone; nothing is written down")
    parser.add_argument("--any-code", action="store_true", help="what is known of other code counts, too")
    options = parser.parse_args()
    if options.seed is not None:
        signal.signal(signal.SIGTERM, _ended)
        return one(options.seed)
    of = code_tried("tests/sleeps")
    known = {
        seed: each
        for seed, each in results.read(RESULTS).items()
        if not each.complaint and (each.code == of or options.any_code)
    }
    runs = Runs(options.jobs)
    signal.signal(signal.SIGTERM, lambda *_: runs.end())
    signal.signal(signal.SIGINT, lambda *_: runs.end())
    runs.do([drawn(seed) for seed in range(1, options.runs + 1) if seed not in known], known, of)
    chosen = [known[seed] for seed in range(1, options.runs + 1) if seed in known]
    print("\n".join(results.table(chosen)))
    return 0 if len(chosen) == options.runs and not any(each.complaint for each in chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
