"""What every test may ask for; the emulator's fixtures come from its own pytest plugin."""

from __future__ import annotations

import os
import sys
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_fixtures import ENGINES, engine_url, mariadb_url, postgresql_url, sqlite_url
from kept_databases import drop_kept_databases

from scripts import servers

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

__all__ = ["engine_url", "mariadb_url", "postgresql_url", "sqlite_url"]

TOGETHER = frozenset({"faults", "orders_sync", "pair", "target"})
"""Folders of tests that try the parts together; those of one part's SQL run on each engine."""

SETS_MOST = {"faults": 1, "pair": 1, "tap": 24}
"""Sets of values of one test that `make test` tries, by folder, where one may take seconds; `make nightly` tries all.

A test marked `slow` is tried with two.
"""
SETS_OF_SLOW = 2

# A loaded machine is slower, not wrong: no example has a time limit, and none is called slow.
hypothesis.settings.register_profile("usual", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("usual")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--brief",
        action="store_true",
        help="try each test of the parts together on one engine, and with few of its sets of values; names draw which",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = []
    if os.environ.get("NIGHTLY") != "all":
        left_out += [item for item in items if item.get_closest_marker("nightly")]
    if config.getoption("--brief"):
        at_hand = ENGINES if servers.answers(servers.MARIADB_PORT) else ENGINES[:2]
        left_out += [item for item in items if item.path.parent.name in TOGETHER and is_of_other_engine(item, at_hand)]
        gone = set(left_out)
        left_out += beyond_few([item for item in items if item not in gone])
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def is_of_other_engine(item: pytest.Item, at_hand: Sequence[str]) -> bool:
    """Whether a test is tried on another engine than this."""
    engine = item.callspec.params.get("engine_url") if hasattr(item, "callspec") else None
    return bool(
        engine is not None and engine != at_hand[_drawn(f"{item.path.name}::{item.originalname}") % len(at_hand)]
    )


def beyond_few(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The items of each test beyond what `SETS_MOST` says; which ones, their names draw."""
    by_test = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        by_test[item.nodeid.partition("[")[0]].append(item)
    drawn = [sorted(of_test, key=lambda item: _drawn(item.name)) for of_test in by_test.values()]
    return [item for of_test in drawn for item in of_test[_sets_of(of_test[0]) :]]


def _sets_of(item: pytest.Item) -> int:
    """With how many sets of values its test is tried at most."""
    return SETS_OF_SLOW if item.get_closest_marker("slow") else SETS_MOST.get(item.path.parent.name, sys.maxsize)


def _drawn(name: str) -> int:
    return zlib.crc32(name.encode())


def pytest_unconfigure() -> None:
    drop_kept_databases()


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep token cache and local ledger of a test to that test, and warnings about the Python version out of logs."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", "")  # a command started in this checkout is in no Meltano project
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say in one line what was not held against Zoho's OpenAPI files, where those are not at hand."""
    reports = [report for each in terminalreporter.stats.values() for report in each if hasattr(report, "when")]
    without = {
        report.nodeid: dict(getattr(report, "user_properties", ())).get("without_openapi_files") for report in reports
    }
    folders = {folder for folder in without.values() if folder}
    if folders:
        tests = sum(folder is not None for folder in without.values())
        terminalreporter.write_line(
            f"Zoho's OpenAPI files are not in {folders.pop()}: {tests} of the tests checked only the form of answers "
            "(docs/emulator.md)",
            yellow=True,
        )
