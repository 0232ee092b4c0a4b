"""Looks for known vulnerabilities in what is installed, and says how thoroughly it could look.

`python -m scripts.audit` asks pip-audit, whose database lies in the network. Packages that it could not look at, all of
them where the database cannot be reached or the package index has no JSON interface, are held against the table below,
which a person keeps: that finds less, says so, and ends 1 once the table is old. So no way leads to a quiet pass.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

REVIEWED = date(2026, 11, 29)
"""When a person last compared the table with the published advisories."""

DAYS_MOST = 180
FOUND = 1
OURSELVES = "orders-sync"

MENDED: Mapping[str, tuple[str, str]] = {
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "cryptography": ("50.0.0", "CVE-2026-69247"),
    "filelock": ("3.20.3", "CVE-2026-22701"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.15", "CVE-2026-45409"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "mako": ("1.3.12", "CVE-2026-44307"),
    "pygments": ("2.20.0", "CVE-2026-4539"),
    "pymysql": ("1.1.1", "CVE-2024-36039"),
    "python-dotenv": ("1.2.2", "CVE-2026-28684"),
    "python-multipart": ("0.0.31", "CVE-2026-53540"),
    "requests": ("2.33.0", "CVE-2026-25645"),
    "sqlalchemy": ("1.3.0", "CVE-2019-7164"),
    "starlette": ("1.3.1", "CVE-2026-54283"),
    "urllib3": ("2.7.0", "CVE-2026-44431, CVE-2026-44432"),
    "uvicorn": ("0.11.7", "CVE-2020-7694"),
}
"""Package to the first version without the latest vulnerability that we know of, and its name. The floors of
pyproject.toml stand no lower."""


@dataclass(frozen=True)
class Answer:
    """What pip-audit said. `looked_at` are names; `why_not` says why it could not look at the others."""

    looked_at: frozenset[str] = frozenset()
    found: Sequence[str] = ()
    why_not: str = "no answer"


def asked() -> Answer:
    """Ask pip-audit about what is installed here."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", "--skip-editable"]
    done = subprocess.run([*command, "--timeout=20"], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    try:
        return read(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return Answer(why_not=(done.stderr.strip().splitlines() or ["no answer"])[-1])


def read(dependencies: Sequence[Mapping[str, Any]]) -> Answer:
    """Read pip-audit's list of packages: it skips what its index or database does not know, and calls that no fault."""
    looked_at, found, skipped = [], [], []
    for each in dependencies:
        name = canonicalize_name(each["name"])
        if "skip_reason" in each:
            if name != OURSELVES:
                skipped.append(each["skip_reason"])
            continue
        looked_at.append(name)
        for one in each["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            found.append(f"{name} {each['version']} has {one['id']}; mended in {mended}")
    return Answer(frozenset(looked_at), found, skipped[0] if skipped else "not in its answer")


def installed() -> dict[str, str]:
    """Version by name of every package that is installed, without ourselves."""
    every = {canonicalize_name(each.metadata["Name"]): each.version for each in importlib.metadata.distributions()}
    return {name: version for name, version in every.items() if name != OURSELVES}


def outdated(versions: Mapping[str, str]) -> list[str]:
    """A line for each package that is older than the table demands."""
    return [
        f"{name} {versions[name]} is older than {first}, which mends {advisory}"
        for name, (first, advisory) in MENDED.items()
        if name in versions and Version(versions[name]) < Version(first)
    ]


def main(today: date | None = None) -> int:
    """Run the command line; 0 only where something was checked and nothing found."""
    answer = asked()
    versions = installed()
    rest = {name: version for name, version in versions.items() if name not in answer.looked_at}
    by_table = sorted(MENDED.keys() & rest.keys())
    lines = [*answer.found, *outdated(rest)]
    print(f"pip-audit looked at {len(versions) - len(rest)} of {len(versions)} installed packages.")  # noqa: T201
    if rest:
        print(f"It could not look at {len(rest)} of them ({answer.why_not[:120]}).")  # noqa: T201
        print(  # noqa: T201
            f"ONLY {len(by_table)} of these were checked, by the table of {REVIEWED} in scripts/audit.py: "
            f"{', '.join(by_table) or 'none'}."
        )
    age = ((today or datetime.now(timezone.utc).date()) - REVIEWED).days
    if by_table and age > DAYS_MOST:
        lines.append(f"the table is {age} days old: compare it with the advisories and date it anew")
    if len(rest) == len(versions) and not by_table:
        lines.append("none of the table's packages is installed: nothing was checked")
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201
    return FOUND if lines else 0


if __name__ == "__main__":
    sys.exit(main())
