"""The plots of docs/performance.md, drawn from results that are kept.

Each names in its own file what it was drawn from, so that whoever checks need not draw it again: other releases of
matplotlib draw the same plot with other bytes. Colours are those of Okabe and Ito, told apart by colour-blind readers.
"""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cases import GROUPS
from benchmarks.contenders import LABS, OURS, OURS_BY_FILES, PLAIN, PLAIN_LAX
from benchmarks.figures import ratio
from benchmarks.freshness_figures import QUANTILES
from benchmarks.results import Result, newest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as Outline

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#9A9A9A"
VERMILION, SKY, PURPLE = "#D55E00", "#56B4E9", "#CC79A7"
MEMORY_LIMIT_MIB = 150
"""What neither tap nor target may exceed, at any size."""
STYLE: Any = {
    "font.size": 9,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "orders-sync",
    "svg.fonttype": "none",  # letters by the reader's fonts; drawn ones are most of a file
}
WIDTH = 8.0


def plots(results: Path) -> dict[str, Sequence[Result]]:
    """Each plot that can be drawn, by name, with the results that it is drawn from."""
    found = {name: [newest(kind, results) for kind in kinds] for name, (kinds, _) in _PLOTS.items()}
    return {name: present for name, each in found.items() if (present := [result for result in each if result])}


def fingerprint(sources: Sequence[Result]) -> str:
    """What an SVG that was drawn from these results, by the code as it is, carries."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(repr([(source.name, source.figures) for source in sources]).encode())
    return f"drawn from {', '.join(source.name for source in sources)}: {digest.hexdigest()}"


def svg(name: str, sources: Sequence[Result]) -> str:
    """Draw a plot."""
    import matplotlib as mpl  # noqa: PLC0415 - only who draws needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(STYLE):
        figure = Figure(layout="constrained")
        _PLOTS[name][1](figure, sources)
        drawn = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Description": fingerprint(sources)}
        figure.savefig(drawn, format="svg", metadata=metadata)
    return _in_few_lines(drawn.getvalue())


def _in_few_lines(drawing: str) -> str:
    """Each tag in one line, or in lines of the usual length; matplotlib begins one at each point of a path."""
    tags = (re.sub(r"\s+", " ", line).strip() for line in re.sub(r">\s*<", ">\n<", drawing).split(">\n"))
    return "".join(
        f"{textwrap.fill(tag + '>', 200, break_long_words=False, break_on_hyphens=False)}\n" for tag in tags if tag
    )


def _throughput(figure: Figure, sources: Sequence[Result]) -> None:
    cases = sources[0].figures["cases"]
    rows = max(case["rows"] for case in cases)
    groups = {group: [each for each in cases if each["group"] == group and each["rows"] == rows] for group in GROUPS}
    groups = {group: each for group, each in groups.items() if each}
    figure.set_size_inches(WIDTH, 1.1 + 0.34 * sum(len(each) + 1 for each in groups.values()))
    heights = [len(each) for each in groups.values()]
    axes = figure.subplots(len(groups), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, (group, contenders) in zip(axes, groups.items(), strict=True):
        _bars(axis, contenders)
        axis.set_title(GROUPS[group].replace("`", ""), loc="left", fontsize=9, fontweight="bold")
    axes[-1].set_xlabel(f"records a second ({rows:,} orders; bars: medians, lines: smallest to largest)")


def _bars(axis: Axes, contenders: Sequence[Mapping[str, Any]]) -> None:
    for at, case in enumerate(contenders):
        rate = case["records_per_second"]
        axis.barh(at, rate["median"], color=_COLOURS[case["contender"]], height=0.72)
        axis.plot([rate["smallest"], rate["largest"]], [at, at], color="black", linewidth=1)
        told = f"{rate['median']:,.0f} ({ratio(case, contenders):.1f} times plain)"
        end = (max(rate["median"], rate["largest"]), at)
        axis.annotate(told, end, xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
    axis.set_yticks(range(len(contenders)), [case["contender"] for case in contenders])
    axis.invert_yaxis()
    axis.set_xlim(0, 1.4 * max(case["records_per_second"]["largest"] for case in contenders))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.xaxis.set_major_locator(_few_ticks())


def _memory(figure: Figure, sources: Sequence[Result]) -> None:
    sizes = sources[0].figures["sizes"]
    figure.set_size_inches(WIDTH, 3.4)
    axis = figure.subplots()
    orders = [size["rows"] for size in sizes]
    for role, colour, marker in (("tap", BLUE, "o"), ("target", ORANGE, "s")):
        peaks = [size["peak_memory_mib"][role] for size in sizes]
        axis.plot(orders, peaks, color=colour, marker=marker, label=role)
    axis.axhline(MEMORY_LIMIT_MIB, color=GREY, linestyle="--", linewidth=1)
    axis.annotate(
        f"limit: {MEMORY_LIMIT_MIB} MiB",
        (orders[0], MEMORY_LIMIT_MIB),
        xytext=(0, 4),
        textcoords="offset points",
        color="#555555",
    )
    axis.set_xscale("log")
    axis.set_xticks(orders, [f"{each:,}" for each in orders])
    axis.minorticks_off()
    highest = max(max(size["peak_memory_mib"].values()) for size in sizes)
    axis.set_ylim(0, 1.15 * max(highest, MEMORY_LIMIT_MIB))
    axis.set_xlabel("orders (logarithmic)")
    axis.set_ylabel("peak memory, MiB")
    axis.legend(loc="lower right", frameon=False)


def _freshness(figure: Figure, sources: Sequence[Result]) -> None:
    figure.set_size_inches(WIDTH, 3.6)
    axis = figure.subplots()
    furthest = 0.0
    for source in sources:
        label, colour, style = _WAYS[source.kind]
        shares = [100 * number / QUANTILES for number in range(QUANTILES + 1)]
        waits = source.figures["quantiles"]
        summary = source.figures["outside_bursts"]
        furthest = max(furthest, summary["p99"])
        told = f"{label}: half in {summary['p50']:.2f} s, 95 % in {summary['p95']:.2f} s"
        axis.plot(waits, shares, color=colour, linestyle=style, label=told)
    axis.set_xlim(0, 1.1 * furthest)
    axis.set_ylim(0, 101)
    axis.set_xlabel("seconds from the commit until the change is in the CRM (changes outside bursts)")
    axis.set_ylabel("% of the changes")
    axis.grid(color="#E5E5E5")
    axis.legend(loc="lower right", frameon=False)


def _first_load(figure: Figure, sources: Sequence[Result]) -> None:
    from matplotlib.patches import PathPatch  # noqa: PLC0415 - only who draws needs it

    runs = sources[0].figures["runs"]
    run = next((each for each in runs if each["max_jobs"] == _SHOWN_JOBS), runs[-1])
    timeline = run["timeline"]
    figure.set_size_inches(WIDTH, 1.6 + 0.13 * run["jobs"])
    axis = figure.subplots()
    for label, begin, end, colour in _PHASES:
        bars = [(left, max(0.0, right - left)) for left, right in zip(timeline[begin], timeline[end], strict=True)]
        axis.add_patch(PathPatch(_rows_of_bars(bars), color=colour, linewidth=0, label=label))
    axis.set_ylim(run["jobs"] + 0.6, 0.4)
    axis.set_xlim(0, 1.01 * run["seconds"])
    axis.set_xlabel("seconds from the start")
    axis.set_ylabel("bulk job")
    axis.set_title(
        f"{sources[0].figures['rows']:,} orders, {run['max_jobs']} jobs at a time: {run['seconds']:,.0f} s, "
        f"best possible {run['best_seconds']:,.0f} s",
        loc="left",
        fontsize=9,
    )
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)


def _rows_of_bars(bars: Sequence[tuple[float, float]]) -> Outline:
    """One path of a bar (left, width) for each row, from row 1 on."""
    from matplotlib.path import Path as Outline  # noqa: PLC0415 - only who draws needs it

    outlines = []
    for row, (left, width) in enumerate(bars, 1):
        corners = [(left, row - 0.4), (left + width, row - 0.4), (left + width, row + 0.4), (left, row + 0.4)]
        outlines.append(Outline([*corners, corners[0]], closed=True))
    return Outline.make_compound_path(*outlines)


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - only who draws needs it

    return MaxNLocator(5)


_COLOURS = {PLAIN: GREY, PLAIN_LAX: "#C8C8C8", LABS: ORANGE, OURS: BLUE, OURS_BY_FILES: BLUE}
_WAYS = {"freshness": ("by polling", BLUE, "-"), "freshness-notify": ("woken by NOTIFY", ORANGE, "--")}
_SHOWN_JOBS = 4
_PHASES = (
    ("making the file", "read", "upload", "#E0E0E0"),
    ("upload", "upload", "uploaded", SKY),
    ("waits for a free place", "uploaded", "create", ORANGE),
    ("call that creates the job", "create", "created", PURPLE),
    ("Zoho works", "created", "ended", BLUE),
    ("ended, not known yet", "ended", "told", VERMILION),
    ("result is fetched", "told", "downloaded", GREEN),
    ("acks are written", "downloaded", "settled", "#444444"),
)
_PLOTS: Mapping[str, tuple[Sequence[str], Callable[[Figure, Sequence[Result]], None]]] = {
    "comparison": (("comparison",), _throughput),
    "memory": (("memory",), _memory),
    "first-load": (("first-load",), _first_load),
    "freshness": (("freshness", "freshness-notify"), _freshness),
}
