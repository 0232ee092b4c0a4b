"""Looks for known vulnerabilities in what is installed, and says how thoroughly it could look.

`python -m scripts.audit` asks pip-audit, whose database lies in the network. Where that cannot be reached, the versions
are held against the table below, which a person keeps: that finds less, says so, and ends 1 once the table is old. So
no way leads to a quiet pass.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, datetime, timezone

from packaging.version import Version

REVIEWED = date(2026, 11, 22)
"""When a person last compared the table with the published advisories."""

DAYS_MOST = 180
FOUND, UNREACHABLE = 1, 2

MENDED: Mapping[str, tuple[str, str]] = {
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "cryptography": ("44.0.1", "CVE-2024-12797"),
    "filelock": ("3.20.1", "CVE-2025-68146"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "pymysql": ("1.1.1", "CVE-2024-36039"),
    "python-multipart": ("0.0.18", "CVE-2024-53981"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "sqlalchemy": ("1.3.0", "CVE-2019-7164"),
    "starlette": ("0.49.1", "CVE-2025-62727"),
    "urllib3": ("2.5.0", "CVE-2025-50181, CVE-2025-50182"),
    "uvicorn": ("0.11.7", "CVE-2020-7694"),
}
"""Package to the first version without the latest vulnerability that we know of, and its name."""


def asked() -> tuple[int, str]:
    """What pip-audit says: its exit code, or UNREACHABLE, and its text."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner=off", "--skip-editable", "--timeout=20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    text = done.stdout + done.stderr
    if done.returncode == 0:
        return 0, text
    found = "known vulnerabilit" in text and "Found" in text
    return (FOUND if found else UNREACHABLE), text


def installed() -> dict[str, str]:
    """Version by name of every package that is installed."""
    return {
        each.metadata["Name"].lower().replace("_", "-"): each.version for each in importlib.metadata.distributions()
    }


def outdated(versions: Mapping[str, str]) -> list[str]:
    """A line for each package that is older than the table demands."""
    return [
        f"{name} {versions[name]} is older than {first}, which mends {advisory}"
        for name, (first, advisory) in MENDED.items()
        if name in versions and Version(versions[name]) < Version(first)
    ]


def main(today: date | None = None) -> int:
    """Run the command line; 0 only where something was checked and nothing found."""
    code, text = asked()
    if code != UNREACHABLE:
        print(text.strip())  # noqa: T201
        return code
    versions = installed()
    checked = sorted(MENDED.keys() & versions.keys())
    last = (text.strip().splitlines() or ["no answer"])[-1][:120]
    print(f"pip-audit could not ask its database ({last}).")  # noqa: T201
    print(  # noqa: T201
        f"ONLY {len(checked)} of {len(versions)} installed packages were checked, by the table of {REVIEWED} in "
        f"scripts/audit.py: {', '.join(checked)}."
    )
    lines = outdated(versions)
    age = ((today or datetime.now(timezone.utc).date()) - REVIEWED).days
    if age > DAYS_MOST:
        lines.append(f"the table is {age} days old: compare it with the advisories and date it anew")
    if not checked:
        lines.append("none of the table's packages is installed: nothing was checked")
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201
    return FOUND if lines else 0


if __name__ == "__main__":
    sys.exit(main())
