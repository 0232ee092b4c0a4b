"""What `make docs` adds to the pages of docs/: README and CHANGELOG as pages, and links that lead to them.

In the repository a page links to `../README.md`; on the site README is the first page. mkdocs calls the functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""File of the repository's root to its page."""
RECIPES_IN = "Your database"
LINK = re.compile(r"\]\((?!\w+:|#)([^)#]*)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the recipes in their place of the navigation, and pages that it does not name at the end of its last part."""
    docs = Path(config.docs_dir)
    missing = sorted({page.relative_to(docs).as_posix() for page in docs.rglob("*.md")} - set(named(config.nav)))
    if config.nav is None:
        raise AssertionError("mkdocs.yml has no navigation")
    for part in config.nav:
        for title, pages in part.items():
            if title == RECIPES_IN:
                recipes = next(page["Recipes"] for page in pages if isinstance(page, dict))
                recipes += [page for page in missing if page.startswith("recipes/")]
    next(iter(config.nav[-1].values())).extend(page for page in missing if not page.startswith("recipes/"))
    return config


def named(nav: object) -> Iterator[str]:
    """Every page that a navigation names."""
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:  # type: ignore[attr-defined] # mkdocs: lists of these
            yield from named(each)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - of the extra `docs`; a test reads this file without it

    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn each link into one that holds on the site."""
    return LINK.sub(lambda match: f"]({site_link(match[1], page.file.src_uri)}", markdown)


def site_link(link: str, page: str) -> str:
    """The link of `page` (below docs/) as it is on the site; what is not of the repository's root stays."""
    if page in PAGES.values():
        return PAGES.get(link, link.removeprefix("docs/"))
    name = link.rpartition("../")[2]
    return link.replace(f"../{name}", PAGES[name]) if "../" in link and name in PAGES else link
