"""Where results are kept and found: the one way for every benchmark.

A benchmark is a module that measures, makes tables of its figures, and calls `keep`:

    path = keep("acks", figures, [Table("Writing 25,000 acks", ["Engine", "Seconds"], [["SQLite", "0.21"]])])

That writes `benchmarks/results/<kind>-<time>.json` with the machine and the versions. docs/performance.md shows the
newest result of each kind in the order of `benchmarks/suite.py`, its tables as they are kept; a kind that has no result
is said to be not measured yet. A new kind is an entry there. Only plots read the figures; what shape they have is the
business of the benchmark and of its plot in `benchmarks/plots.py`. Keep in them what the tables round away, and no
single sample where a summary shows the same. The repository keeps the newest result of each kind alone.
"""

from __future__ import annotations

import json
import os
import platform
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d{6}Z")
LINE = 200
LIBRARIES = ("orders-sync", "singer-sdk", "sqlalchemy", "msgspec", "psycopg", "pymysql", "meltano")


@dataclass(frozen=True)
class Table:
    """Figures as a page shows them: with units in the column's name, and already rounded."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    """What the reader must know to read it; whole sentences, shown before the table."""


@dataclass(frozen=True)
class Result:
    """One measured result as it is kept."""

    kind: str
    moment: str
    conditions: Mapping[str, Any]
    tables: Sequence[Table]
    figures: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.kind}-{self.moment}.json"


def keep(
    kind: str,
    figures: Mapping[str, Any],
    tables: Sequence[Table],
    *,
    versions: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Path:
    """Keep a result and say where; `versions` are those of programs beside the libraries, such as servers and peers."""
    folder = folder or folder_of_results()
    folder.mkdir(parents=True, exist_ok=True)
    moment = f"{datetime.now(timezone.utc):%Y-%m-%dT%H%M%SZ}"
    result = Result(kind, moment, conditions(versions or {}), tables, figures)
    path = folder / result.name
    path.write_text(as_text(asdict(result)) + "\n", encoding="utf-8")
    print("\n".join(markdown(table) for table in tables))
    print(f"\nKept in {path}")
    return path


def as_text(value: Any, indent: str = "") -> str:
    """JSON in few lines: what fits on one stands on one, and numbers fill several."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent + flat) <= LINE or not isinstance(value, (dict, list)):
        return flat
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{deeper}{json.dumps(name)}: {as_text(each, deeper)}" for name, each in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    if all(isinstance(each, (int, float)) for each in value):
        return textwrap.fill(flat, LINE, subsequent_indent=deeper)
    return "[\n" + ",\n".join(deeper + as_text(each, deeper) for each in value) + f"\n{indent}]"


def newest(kind: str, folder: Path = RESULTS) -> Result | None:
    """The newest result of a kind; None while there is none."""
    of_kind = [path for path in folder.glob(f"{kind}-*.json") if MOMENT.fullmatch(path.stem[len(kind) + 1 :])]
    if not of_kind:
        return None
    kept = json.loads(max(of_kind).read_text(encoding="utf-8"))
    return Result(**{**kept, "tables": [Table(**table) for table in kept["tables"]]})


def folder_of_results() -> Path:
    """Where results go: `benchmarks/results`, or what BENCH_RESULTS names, as for the short form."""
    return Path(os.environ.get("BENCH_RESULTS") or RESULTS)


def conditions(versions: Mapping[str, str]) -> dict[str, Any]:
    """The machine and the versions, as far as they matter."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        "load": round(os.getloadavg()[-1], 1),  # of the last 15 minutes: what else ran on the machine can be told by it
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in LIBRARIES}, **versions},
    }


def markdown(table: Table) -> str:
    """A table with its title and note; columns of numbers stand to the right."""
    right = [all(_is_number(row[at]) for row in table.rows) for at in range(len(table.columns))]
    lines = [table.columns, [("--:" if each else "---") for each in right], *table.rows]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join(part for part in (f"### {table.title}", filled(table.note), drawn) if part) + "\n"


def filled(prose: str) -> str:
    """Prose in lines that a screen holds."""
    return textwrap.fill(prose, 120, break_long_words=False, break_on_hyphens=False)


def _is_number(text: str) -> bool:
    return not text or text.lstrip("-+")[:1].isdigit()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
