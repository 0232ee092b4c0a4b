"""Fails when tests of a database engine were skipped although that engine answers on this machine.

`python -m scripts.skipped_engines report.xml` reads pytest's JUnit report: a skipped test is easily overlooked.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from scripts.servers import MARIADB_PORT, POSTGRESQL_PORT, answers

ENGINES = {"PostgreSQL": (POSTGRESQL_PORT, ("postgres",)), "MariaDB": (MARIADB_PORT, ("mariadb", "mysql"))}
"""Engine to its port on loopback, and the words by which a skipped test or its reason names it."""


def skipped(report: Path) -> Iterator[str]:
    """Name and reason of every skipped test, in one line each."""
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        for skip in case.iter("skipped"):
            yield f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}"


def main() -> int:
    """Report wrongly skipped tests; 1 if there are any."""
    lines = list(skipped(Path(sys.argv[1])))
    wrong = 0
    for engine, (port, words) in ENGINES.items():
        missed = [line for line in lines if any(word in line.lower() for word in words)]
        if missed and answers(port):
            wrong = 1
            print(f"{engine} answers on port {port}, and yet its tests were skipped:", *missed, sep="\n  ")  # noqa: T201
    return wrong


if __name__ == "__main__":
    sys.exit(main())
