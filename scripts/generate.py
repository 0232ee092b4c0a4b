"""Writes the files that follow from the plugins' schemas and from measured figures, or checks that they do.

`python -m scripts.generate` writes; with `--check` it ends 1 and names the files that differ.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.errors_page import errors_page
from scripts.evidence_page import evidence_page
from scripts.exit_codes_page import exit_codes_page
from scripts.key_types_page import key_types_page
from scripts.meltano_yml import meltano_project
from scripts.performance_page import draw, performance_page, stale_plots
from scripts.plugin_definitions import plugin_files
from scripts.plugins import ask
from scripts.retries_page import retries_page
from scripts.settings_page import settings_page

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DOCS = ROOT / "docs"


def contents() -> Mapping[Path, str]:
    """Every generated file and what it must hold."""
    tap, target = ask("tap-legacy-orders"), ask("target-zoho-crm")
    return {
        ROOT / "meltano.yml": meltano_project(tap, target),
        **plugin_files(tap, target),
        DOCS / "settings.md": settings_page(tap, target),
        DOCS / "errors.md": errors_page(),
        DOCS / "exit-codes.md": exit_codes_page(),
        DOCS / "key-types.md": key_types_page(),
        DOCS / "retries.md": retries_page(),
        DOCS / "evidence.md": evidence_page(DOCS / "evidence.json"),
        DOCS / "performance.md": performance_page(RESULTS),
    }


def main() -> int:
    """Write or check."""
    check = sys.argv[1:] == ["--check"]
    files, drawn = contents(), stale_plots(RESULTS, DOCS)
    texts = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    differing = [*texts, *drawn]
    for path in differing:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is not what its source says; run `make generate`", file=sys.stderr)  # noqa: T201
            continue
        if path in drawn:
            draw(RESULTS, path, drawn[path])
        else:
            path.write_text(files[path], encoding="utf-8")
        print(f"{name} written")  # noqa: T201
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
