"""The site of docs/ has every page in its navigation, no link that leads nowhere, and few and short pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.site_hooks import PAGES, site_link

ROOT = Path(__file__).parents[1]
MOST_PAGES = 16
MOST_WORDS = {"": 2_000, "guarantees.md": 3_000, "README.md": 400}


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", site],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_page_is_in_the_navigation_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    built = build(ROOT, tmp_path)
    assert built.returncode == 0, built.stdout + built.stderr
    sources = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    made = {page.relative_to(tmp_path).with_suffix(".md").as_posix() for page in tmp_path.rglob("*.html")}
    readmes = {page.replace("README", "index") for page in sources} | set(PAGES.values())
    assert readmes <= made
    assert "retries" in (tmp_path / "search" / "search_index.js").read_text()


def test_a_link_to_a_file_of_the_root_leads_to_its_page() -> None:
    assert site_link("../README.md", "get-started.md") == "index.md"
    assert site_link("../../CHANGELOG.md", "recipes/odoo.md") == "../changelog.md"
    assert site_link("docs/settings.md", "index.md") == "settings.md"
    assert site_link("CHANGELOG.md", "index.md") == "changelog.md"
    assert site_link("crm.md", "retries.md") == "crm.md"


@pytest.mark.nightly
@pytest.mark.parametrize(
    "fault", ["[dead](nowhere.md)", "[dead](settings.md#no-such-heading)", "[dead](../LICENSE-OF-NOBODY)"]
)
def test_a_dead_link_fails_the_build(tmp_path: Path, fault: str) -> None:
    for name in ("docs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("mkdocs.yml", *PAGES):
        shutil.copy(ROOT / name, tmp_path)
    page = tmp_path / "docs" / "crm.md"
    page.write_text(f"{page.read_text()}\n{fault}\n")
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode != 0
    assert "crm.md" in built.stderr


def words_by_hand() -> dict[str, int]:
    """Words of each page that a person wrote, outside code, tables and names of tests."""
    found = {}
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        if not text.startswith("<!-- Generated") and "Written by `make" not in text:
            lines = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE).splitlines()
            prose = [line for line in lines if not line.startswith("|") and not line.lstrip().startswith("`tests/")]
            found[page.name] = len(" ".join(prose).split())
    return found


def test_the_pages_are_few_and_short() -> None:
    words = words_by_hand()
    assert len(words) <= MOST_PAGES
    assert {name: count for name, count in words.items() if count > MOST_WORDS.get(name, MOST_WORDS[""])} == {}
