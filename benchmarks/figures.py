"""Samples into medians with their spread, and those into a result that can be kept."""

from __future__ import annotations

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measured import Usage
from benchmarks.orders import COLUMNS


@dataclass
class Figures:
    """Every sample, by group ("tap", "target", "meltano"), pair and number of rows."""

    samples: dict[tuple[str, str, int], list[Mapping[str, Usage]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, group: str, pair: str, rows: int, usages: Mapping[str, Usage]) -> None:
        """Keep one run's usage by process."""
        self.samples[group, pair, rows].append(usages)

    def result(self) -> dict[str, Any]:
        """Everything, as JSON keeps it."""
        return {
            "conditions": {**conditions(), "columns": len(COLUMNS)},
            "cases": [self._case(*case) for case in sorted(self.samples, key=lambda case: (case[2], case[0]))],
        }

    def _case(self, group: str, pair: str, rows: int) -> dict[str, Any]:
        samples = self.samples[group, pair, rows]
        processes = [name for name in samples[0] if name != "whole"]
        whole = [sample.get("whole") or sample[processes[0]] for sample in samples]
        return {
            "group": group,
            "pair": pair,
            "rows": rows,
            "runs": len(samples),
            "seconds": spread([usage.seconds for usage in whole]),
            "records_per_second": spread([rows / usage.seconds for usage in whole]),
            "processes": {
                name: {
                    "cpu_seconds": spread([sample[name].cpu_seconds for sample in samples]),
                    "peak_memory_mb": spread([sample[name].peak_memory_mb for sample in samples]),
                }
                for name in processes
            },
        }


def conditions() -> dict[str, Any]:
    """The machine, as far as it matters."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {
        "median": round(statistics.median(values), 3),
        "smallest": round(min(values), 3),
        "largest": round(max(values), 3),
    }
