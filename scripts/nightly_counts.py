"""What each step of `make nightly` counted, as JSON: `python -m scripts.nightly_counts .nightly/<code>`."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

HISTORIES = re.compile(r"simulation: ([\d,]+) histories in [\d,]+ s, ([\d,]+) faults of (\d+) kinds")
BROKEN = re.compile(r"; ([\d,]+) break the law")
MUTANT = re.compile(r"^[\w-]+ +[\d.]+ s  (NOT CAUGHT)?", re.MULTILINE)
MEASURE = re.compile(r"\d+\.\d+")
COUNT_LINES: dict[re.Pattern[str], tuple[str, ...]] = {
    re.compile(r"^(\d+) mutants by a tool, (\d+) killed, (\d+) equivalent, (\d+) not judged$", re.MULTILINE): (
        ("mutants", "killed", "equivalent", "not judged")
    ),
    re.compile(r"^(\d+) sleeps, (\d+) taken over, (\d+) orders in doubt, (\d+) broken$", re.MULTILINE): (
        ("sleeps", "taken over", "orders in doubt", "broken")
    ),
    re.compile(r"^(\d+) breaks, (\d+) noticed by all their tests$", re.MULTILINE): ("breaks", "noticed"),
    re.compile(r"^(\d+) SDKs, (\d+) calls, (\d+) work$", re.MULTILINE): ("SDKs", "calls", "work"),
}
"""The line with which a step ends, and what its numbers count."""


def counts(folder: Path) -> dict[str, dict[str, object]]:
    """The counts of each step that has a log, by the step's name."""
    return {
        log.stem: {"green": log.with_suffix(".ok").exists(), **_counted(log)} for log in sorted(folder.glob("*.log"))
    }


def _counted(log: Path) -> Mapping[str, int]:
    report = log.with_suffix(".xml")
    if report.exists():
        return _tests(report)
    text = log.read_text(encoding="utf-8", errors="replace")
    histories, broken = HISTORIES.search(text), BROKEN.search(text)
    if histories and broken:
        names = ("histories", "faults", "kinds", "broken")
        return {
            name: int(each.replace(",", "")) for name, each in zip(names, (*histories.groups(), broken[1]), strict=True)
        }
    for line, counted in COUNT_LINES.items():
        found = line.search(text)
        if found:
            return {name: int(each) for name, each in zip(counted, found.groups(), strict=True)}
    mutants = MUTANT.findall(text)
    return {"mutants": len(mutants), "caught": mutants.count("")} if mutants else {}


def _tests(report: Path) -> Mapping[str, int]:
    """Of pytest's JUnit report."""
    tree = ET.parse(report)  # noqa: S314 - pytest wrote it a short while ago
    suites = list(tree.iter("testsuite"))
    found = {
        name: sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    }
    seconds = sum(float(suite.get("time", 0)) for suite in suites)
    return {**found, "seconds": round(seconds), **_recorded(tree)}


def _recorded(tree: ET.ElementTree[ET.Element]) -> Mapping[str, int]:
    """What tests recorded as tried: numbers are added up, names counted once each."""
    sums: dict[str, int] = {}
    names: dict[str, set[str]] = {}
    for found in tree.iter("property"):
        name, value = found.get("name", ""), found.get("value", "")
        if value.isdecimal():
            sums[name] = sums.get(name, 0) + int(value)
        elif not MEASURE.fullmatch(value):  # those of several tests do not add up
            names.setdefault(name, set()).add(value)
    return {**{f"{name}s": len(each) for name, each in names.items()}, **sums}


def main() -> int:
    """Print them."""
    folder = Path(sys.argv[1])
    print(json.dumps({"code": folder.name, "steps": counts(folder)}, indent=1))  # noqa: T201 - what it is for
    return 0


if __name__ == "__main__":
    sys.exit(main())
