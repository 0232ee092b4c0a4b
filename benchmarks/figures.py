"""Samples of the comparison into medians with their spread, and those into tables. Pure."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import GROUPS
from benchmarks.contenders import BASELINE
from benchmarks.orders import COLUMNS
from benchmarks.processes import Usages
from benchmarks.results import Table

MICROSECONDS = 1e6


@dataclass
class Samples:
    """Every sample by group, contender and number of rows, in the order in which they came."""

    taken: dict[tuple[str, str, int], list[Usages]] = field(default_factory=lambda: defaultdict(list))

    def add(self, group: str, contender: str, rows: int, usages: Usages) -> None:
        """Keep one run's usage by process."""
        self.taken[group, contender, rows].append(usages)

    def figures(self) -> dict[str, Any]:
        """Everything, as it is kept."""
        return {"columns": len(COLUMNS), "cases": [self._case(*case) for case in self.taken]}

    def _case(self, group: str, contender: str, rows: int) -> dict[str, Any]:
        samples = self.taken[group, contender, rows]
        processes = [name for name in samples[0] if name != "whole"]
        whole = [sample.get("whole") or sample[processes[0]] for sample in samples]
        return {
            "group": group,
            "contender": contender,
            "rows": rows,
            "runs": len(samples),
            "seconds": spread([usage.seconds for usage in whole]),
            "records_per_second": spread([rows / usage.seconds for usage in whole]),
            "processes": {
                name: {
                    "cpu_microseconds_a_record": spread(
                        [MICROSECONDS * sample[name].cpu_seconds / rows for sample in samples]
                    ),
                    "peak_memory_mib": spread([sample[name].peak_memory_mib for sample in samples]),
                }
                for name in processes
            },
        }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {
        "median": round(statistics.median(values), 3),
        "smallest": round(min(values), 3),
        "largest": round(max(values), 3),
    }


def ratio(case: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> float:
    """How many times as fast as the baseline of its group and size a case is, by the medians."""
    place = case["group"], case["rows"], BASELINE
    base = next(each for each in cases if (each["group"], each["rows"], each["contender"]) == place)
    return float(case["records_per_second"]["median"] / base["records_per_second"]["median"])


def tables(figures: Mapping[str, Any]) -> list[Table]:
    """One table a group."""
    return [
        Table(title, _columns(cases), [_row(case, figures["cases"]) for case in cases])
        for group, title in GROUPS.items()
        if (cases := [case for case in figures["cases"] if case["group"] == group])
    ]


def _columns(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    roles = list(cases[0]["processes"])
    return [
        "Program",
        "Orders",
        "Runs",
        "Records/s",
        "Times plain",
        *(f"CPU of the {role}, µs a record" for role in roles),
        *(f"Peak of the {role}, MiB" for role in roles),
    ]


def _row(case: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> list[str]:
    rate = case["records_per_second"]
    used = case["processes"].values()
    return [
        case["contender"],
        f"{case['rows']:,}",
        str(case["runs"]),
        f"{rate['median']:,.0f}"
        + (f" ({rate['smallest']:,.0f} to {rate['largest']:,.0f})" if case["runs"] > 1 else ""),
        f"{ratio(case, cases):.1f}",
        *(f"{each['cpu_microseconds_a_record']['median']:.1f}" for each in used),
        *(f"{each['peak_memory_mib']['median']:.0f}" for each in used),
    ]
