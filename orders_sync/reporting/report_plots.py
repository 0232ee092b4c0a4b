"""Plots of a report as inline SVG: bars and lines with their figures, in colours that the page's style sets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from sync_databases.displayed_text import displayed

WIDTH, LEFT, RIGHT, ROW = 960, 220, 20, 26
TICKS_MOST = 8
LABEL_CHARACTERS = 28


def text(value: object) -> str:
    """A text for HTML, in which nothing acts on a browser or a terminal."""
    return escape(displayed(str(value)))


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from one time to another, in one row; `style` is a class of the page's style."""

    row: str
    since: datetime
    until: datetime
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a time stands."""

    since: datetime
    until: datetime

    def x(self, at: datetime) -> float:
        """In units of the plot."""
        span = max((self.until - self.since).total_seconds(), 1.0)
        share = (min(max(at, self.since), self.until) - self.since).total_seconds() / span
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)

    def ticks(self) -> Iterator[datetime]:
        """Whole days, or hours where there are few."""
        hours = (self.until - self.since).total_seconds() / 3600
        step = next((each for each in (1, 2, 6, 12, 24, 48, 168, 336, 720) if hours / each <= TICKS_MOST), 2160)
        tick = self.since.replace(hour=0, minute=0, second=0, microsecond=0)
        while tick <= self.until:
            if tick >= self.since:
                yield tick
            tick += timedelta(hours=step)


def timeline(name: str, bars: Sequence[Bar], scale: Scale) -> str:
    """Bars over time, a row for each name."""
    rows = list(dict.fromkeys(bar.row for bar in bars))
    height = ROW * len(rows) + 30
    parts = [*_time_axis(scale, height)]
    for index, row in enumerate(rows):
        parts.append(_label(row, index))
        for bar in bars:
            if bar.row == row:
                left, right = scale.x(bar.since), scale.x(bar.until)
                width = max(round(right - left, 2), 1.5)
                parts.append(
                    f'<rect class="{bar.style}" x="{min(left, WIDTH - RIGHT - width):g}" y="{index * ROW + 5}" '
                    f'width="{width:g}" height="{ROW - 9}"><title>{text(bar.title)}</title></rect>'
                )
    return _svg(name, height, parts)


def stacked(name: str, columns: Mapping[str, Mapping[str, int]], styles: Mapping[str, str]) -> str:
    """One bar a row, made of parts."""
    most = max((sum(parts.values()) for parts in columns.values()), default=0) or 1
    shapes, room = list[str](), WIDTH - LEFT - 110
    for index, (row, parts) in enumerate(columns.items()):
        shapes.append(_label(row, index))
        x = float(LEFT)
        for part, value in parts.items():
            width = round(room * value / most, 2)
            if value:
                shapes.append(
                    f'<rect class="{styles[part]}" x="{x:g}" y="{index * ROW + 4}" width="{max(width, 1):g}" '
                    f'height="{ROW - 8}"><title>{text(row)}: {value:,} {text(part)}</title></rect>'
                )
            x = round(x + width, 2)
        shapes.append(f'<text class="value" x="{x + 6:g}" y="{index * ROW + 18}">{sum(parts.values()):,}</text>')
    return _svg(name, ROW * len(columns) + 4, shapes)


def steps(
    name: str, lines: Mapping[str, Sequence[tuple[datetime, float]]], scale: Scale, unit: str, limit: float | None
) -> str:
    """Figures over time, each holding until the next; `limit` is a line of its own."""
    height, top, bottom = 190, 12, 30
    values = [value for points in lines.values() for _, value in points]
    most = max([*values, limit or 0]) or 1

    def y(value: float) -> float:
        return round(top + (1 - value / most) * (height - top - bottom), 2)

    parts = [*_time_axis(scale, height)]
    for share in (0.0, 0.5, 1.0):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(most * share):g}" y2="{y(most * share):g}"/>'
        )
        parts.append(
            f'<text class="end" x="{LEFT - 8}" y="{y(most * share) + 4:g}">{figure(most * share, unit)}</text>'
        )
    if limit is not None:
        parts.append(f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(limit):g}" y2="{y(limit):g}"/>')
    for index, (line, points) in enumerate(lines.items()):
        if not points:
            continue
        path = f"M{scale.x(points[0][0]):g} {y(points[0][1]):g}"
        path += "".join(f"H{scale.x(at):g}V{y(value):g}" for at, value in points[1:])
        parts.append(f'<path class="line line{index % 4}" d="{path}"/>')
        at, value = points[-1]
        title = f"{line}: {figure(value, unit)}" if line else figure(value, unit)
        dot = f'class="dot{index % 4}" cx="{scale.x(at):g}" cy="{y(value):g}" r="3.5"'
        parts.append(f"<circle {dot}><title>{text(title)}</title></circle>")
    return _svg(name, height, parts)


def figure(value: float, unit: str) -> str:
    """A figure with its unit; seconds as a time that people say."""
    if unit != "s":
        return f"{value:,.0f}"
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= size:
            return f"{value / size:.1f} {word}"
    return f"{value:.0f} s"


def _label(row: str, index: int) -> str:
    short = row if len(row) <= LABEL_CHARACTERS else f"{row[: LABEL_CHARACTERS - 1]}\u2026"
    return f'<text class="end" x="{LEFT - 8}" y="{index * ROW + 18}">{text(short)}<title>{text(row)}</title></text>'


def _time_axis(scale: Scale, height: int) -> Iterator[str]:
    hours = (scale.until - scale.since) <= timedelta(days=2)
    for tick in scale.ticks():
        x = scale.x(tick)
        yield f'<line class="grid" x1="{x:g}" x2="{x:g}" y1="0" y2="{height - 22}"/>'
        yield (
            f'<text class="tick" x="{x:g}" y="{height - 6}">{tick:%H:%M}</text>'
            if hours
            else (f'<text class="tick" x="{x:g}" y="{height - 6}">{tick:%d %b}</text>')
        )


def _svg(name: str, height: int, parts: Iterable[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text(name)}">{"".join(parts)}</svg>'
