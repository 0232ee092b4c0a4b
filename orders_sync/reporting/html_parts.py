"""The parts of our HTML pages: one frame and one style; all text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from orders_sync.reporting.report_plots import text

STYLE = Path(__file__).with_name("report.css")


def framed(title: str, body: str, *, head: str = "") -> str:
    """A whole page; `head` is HTML for its head."""
    style = STYLE.read_text(encoding="utf-8")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta name='color-scheme' content='light dark'>"
        f"{head}<title>{text(title)}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def section(title: str, content: str) -> str:
    """A part of a page with its heading, which is ours."""
    return f"<section><h2>{title}</h2>{content}</section>"


def none(what: str) -> str:
    """A line in place of what is not there."""
    return f"<p class='none'>{text(what)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: set[int]) -> str:
    """A table; columns of `numbers` stand at the right."""

    def cells(values: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if index in numbers else ''}>{text(value)}</{tag}>"
            for index, value in enumerate(values)
        )

    lines = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{cells(head, 'th')}</tr></thead><tbody>{lines}</tbody></table></div>"


def time_of(at: datetime) -> str:
    """A time to the second; naive UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
