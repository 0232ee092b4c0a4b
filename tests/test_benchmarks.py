"""The benchmarks measure what they say, and the page shows what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_fixtures import fresh_database

from benchmarks import contenders
from benchmarks.figures import Samples, ratio, tables
from benchmarks.measured import Usage, run_measured
from benchmarks.memory_use import spreads
from benchmarks.orders import COLUMNS, make_orders
from benchmarks.results import MOMENT, RESULTS, Table, as_text, keep, newest
from scripts.performance_page import draw, performance_page, stale_plots

SIZES = [
    {"rows": 100, "seconds": 1, "peak_memory_mib": {"tap": 80.0, "target": 100.0}},
    {"rows": 1000, "seconds": 2, "peak_memory_mib": {"tap": 88.0, "target": 99.0}},
]


def orders(url: str) -> list[tuple[str, ...]]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        moments = [f"substr(CAST({n} AS CHAR(26)), 1, 19) AS {n}" if n.endswith("_at") else n for n in COLUMNS]
        rows = connection.execute(sa.text(f"SELECT {', '.join(moments)} FROM orders ORDER BY order_id")).mappings()
        return [tuple(f"{v:.2f}" if n == "total_amount" else str(v) for n, v in row.items()) for row in rows]


def test_every_engine_gets_the_same_orders(tmp_path: Path) -> None:
    made = []
    for engine in ("sqlite", "postgresql"):
        with fresh_database(engine, tmp_path) as url:
            make_orders(url, 50)
            made.append(orders(url))
    assert len(set(made[0])) == 50
    assert made[0] == made[1]


def test_a_process_is_measured_without_its_parent() -> None:
    ballast = bytearray(200 << 20)
    usage = run_measured(["sleep", "0.1"])
    assert len(ballast) > 0
    assert usage.peak_memory_mib < 50
    assert usage.seconds >= 0.1
    assert usage.cpu_seconds < usage.seconds


def test_a_failure_is_told_by_the_exit_code() -> None:
    assert run_measured(["sh", "-c", "exit 3"]).exit_code == 3


def test_ratios_are_those_of_the_medians_to_the_plain_pair_of_the_same_size() -> None:
    samples = Samples()
    for rows, plain, ours in ((100, [4.0, 2.0, 9.0], [1.0, 3.0, 0.5]), (1000, [9.0], [1.0])):
        for name, seconds in ((contenders.PLAIN, plain), (contenders.OURS, ours)):
            for each in seconds:
                samples.add("target", name, rows, {"target": Usage(0, each, 0.002, 90.0)})
    figures = samples.figures()
    assert [ratio(case, figures["cases"]) for case in figures["cases"]] == pytest.approx([1, 4, 1, 9], rel=1e-4)
    (table,) = tables(figures)
    assert table.rows[1] == ["orders-sync", "100", "3", "100 (33 to 200)", "4.0", "20.0", "90"]


def test_the_spread_of_memory_is_that_of_the_largest_above_the_smallest() -> None:
    assert spreads(SIZES) == {"tap": 10.0, "target": 1.0}


def test_the_newest_result_of_a_kind_is_not_one_of_a_kind_whose_name_begins_alike(tmp_path: Path) -> None:
    table = Table("Waits", ["Change", "s"], [["first", "0.5"]])
    path = keep("freshness", {"a": 1}, [table], folder=tmp_path)
    path.rename(old := tmp_path / "freshness-2020-01-01T000000Z.json")
    keep("freshness-notify", {"a": 2}, [table], folder=tmp_path)
    kept = newest("freshness", tmp_path)
    assert kept is not None
    assert kept.figures == {"a": 1}
    assert old.exists()
    assert newest("fresh", tmp_path) is None


def test_the_repository_keeps_the_newest_result_of_each_kind_alone_and_all_in_few_lines() -> None:
    results = sorted(RESULTS.glob("*.json"))
    kinds = [MOMENT.sub("", path.stem) for path in results]
    assert len(kinds) == len(set(kinds))
    drawn = [path for path in (RESULTS.parents[1] / "docs" / "plots").iterdir() if path.suffix == ".svg"]
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in [*results, *drawn]) < 3_000


@pytest.mark.parametrize(
    "value", [{"a": [0.25] * 200, "b": {"c": ["text with blanks " * 30, None]}}, [], {}, [[1], "x"]]
)
def test_a_result_is_kept_in_few_lines_and_reads_the_same(value: object) -> None:
    text = as_text(value)
    assert json.loads(text) == value
    assert text.count("\n") < 20


def test_the_page_shows_what_was_measured_and_says_what_was_not(tmp_path: Path) -> None:
    table = Table("Peaks", ["Orders", "MiB"], [["100", "80.0"], ["1,000", "88.0"]])
    keep("memory", {"sizes": SIZES}, [table], folder=tmp_path)
    page = performance_page(tmp_path)
    assert "| 1,000 | 88.0 |" in page
    memory, rest = page.partition("## Memory by size")[2].split("## ", maxsplit=1)
    assert "plots/memory.svg" in memory
    assert "Not measured yet" not in memory
    assert "**Not measured yet.**" in rest


def test_a_plot_is_stale_once_its_result_is_another(tmp_path: Path) -> None:
    keep("memory", {"sizes": SIZES}, [], folder=tmp_path)
    stale = stale_plots(tmp_path, tmp_path)
    assert list(stale.values()) == ["memory"]
    for path, name in stale.items():
        draw(tmp_path, path, name)
    assert not stale_plots(tmp_path, tmp_path)
    keep("memory", {"sizes": SIZES[:1]}, [], folder=tmp_path)
    assert list(stale_plots(tmp_path, tmp_path).values()) == ["memory"]
