"""docs/architecture.md sends nobody to a file that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WAY = PAGE.partition("## The way of an order")[2].partition("```\n")[2].partition("```")[0]


def files_of_the_way() -> list[Path]:
    """The first word of each line of the picture, in the package that stands above it."""
    package, found = "", []
    for line in WAY.splitlines():
        if re.fullmatch(r"[a-z_]+/", line):
            package = line
        elif named := re.match(r"  ([a-z_/]+) ", line):
            found.append(ROOT / package / f"{named[1]}.py")
    return found


def test_every_file_on_the_way_of_an_order_is_there() -> None:
    files = files_of_the_way()
    assert len(files) > 20
    assert [file for file in files if not file.is_file()] == []


def test_every_path_that_the_page_names_is_there() -> None:
    paths = re.findall(r"`([a-z_]+/[a-z_/.]*|pyproject\.toml|meltano\.yml)`", PAGE)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []
