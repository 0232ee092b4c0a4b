"""`python -m fuzz`: fuzzes the parsers, each in a process of its own; see docs/testing.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from fuzz.engine import PARSERS, Findings, corpus, fuzz, parser

WALL_FACTOR = 20
"""How much longer than its CPU time a process may take before it counts as hung: others may share the machine."""


def main() -> int:
    """Run the command line; the exit code is 1 where anything was found."""
    arguments = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    arguments.add_argument("parsers", nargs="*", metavar="PARSER", help=f"all by default: {', '.join(PARSERS)}")
    arguments.add_argument("--minutes", type=float, default=10, help="of CPU for each parser")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    arguments.add_argument("--seed", type=int, default=time.time_ns() % 2**31)
    arguments.add_argument("--out", type=Path, default=Path(".fuzz"), help="where inputs with findings go")
    arguments.add_argument("--replay", type=Path, help="run one input of one parser, and show what happens")
    arguments.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    given.parsers = given.parsers or list(PARSERS)
    if unknown := set(given.parsers) - set(PARSERS):
        arguments.error(f"there is no parser {', '.join(sorted(unknown))}")
    if given.replay is not None:
        parser(given.parsers[0])(given.replay.read_bytes())
        return 0
    if given.child:
        _child(given.parsers[0], given.minutes * 60, given.seed, given.out)
    print(f"{given.minutes:g} CPU-minutes a parser, seed {given.seed}", flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        found = list(pool.map(lambda name: _parent(name, given), given.parsers))
    return 1 if sum(found) else 0


def _parent(name: str, given: argparse.Namespace) -> int:
    options = ["--minutes", str(given.minutes), "--seed", str(given.seed), "--out", str(given.out), "--child"]
    given.out.mkdir(parents=True, exist_ok=True)
    report = given.out / f"{name}.json"
    report.unlink(missing_ok=True)
    with (given.out / f"{name}.log").open("w") as log:
        command = [sys.executable, "-m", "fuzz", name, *options]
        try:
            ended = subprocess.run(
                command, check=False, timeout=given.minutes * 60 * WALL_FACTOR + 60, stdout=log, stderr=log
            ).returncode
        except subprocess.TimeoutExpired:
            ended = -1
    if not report.exists():
        print(f"{name}: ended with {ended} and no report: a hang or a crash; see {given.out / name}.log", flush=True)
        return 1
    said = json.loads(report.read_text())
    print(
        f"{name}: {said['runs']:,} runs, {len(said['findings'])} findings, {said['cpu_seconds']:.0f} s of CPU, "
        f"{len(corpus(name))} kept inputs ({said['engine']})",
        flush=True,
    )
    for place, file in said["findings"].items():
        print(f"  {place}: {file}", flush=True)
    return len(said["findings"])


def _child(name: str, seconds: float, seed: int, out: Path) -> NoReturn:
    out = out.absolute()

    def report(findings: Findings, engine: str) -> NoReturn:
        files = {}
        for number, (place, (data, text)) in enumerate(findings.by_place.items()):
            file = out / f"{name}-{number}.input"
            file.write_bytes(data)
            file.with_suffix(".txt").write_text(text)
            files[place] = str(file)
        said = {"runs": findings.runs, "findings": files, "cpu_seconds": time.process_time(), "engine": engine}
        (out / f"{name}.json").write_text(json.dumps(said))
        os._exit(0)  # a fuzzer's own threads and handlers end here too

    fuzz(name, seconds, seed, report)


if __name__ == "__main__":
    sys.exit(main())
