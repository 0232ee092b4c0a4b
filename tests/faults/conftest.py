"""Fixtures of the fault tests, and the table that they print."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine_fixtures import fresh_database
from fault_cases import Case
from faults_table import Row, printed
from pair_of_plugins import Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

EVERYTHING = "FAULTS"
"""Environment variable: `all` runs what is too slow for every change; `make faults` sets it."""

_failed = pytest.StashKey[bool]()


def _all_run() -> bool:
    return os.environ.get(EVERYTHING) == "all"


def pytest_configure(config: pytest.Config) -> None:  # noqa: ARG001
    # A shell starts what it puts in the background with SIGINT ignored, and every process of the pair would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _all_run():
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:  # noqa: ARG001
    report: Any = yield
    if report.failed:
        item.stash[_failed] = True
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    rows = [
        Row(**value)
        for report in reports
        if getattr(report, "when", None) == "teardown"
        for name, value in report.user_properties
        if name == "fault"
    ]
    if rows:
        terminalreporter.write(printed(rows, all_run=_all_run()))


@pytest.fixture
def database_url(engine: str, tmp_path: Path) -> Iterator[str]:
    """A fresh database of the engine that the test asks for."""
    with fresh_database(engine, tmp_path) as url:
        yield url


@pytest.fixture
def cases(request: pytest.FixtureRequest, record_property: Any) -> Iterator[Callable[[Shop, str], Case]]:
    """Make a case of a shop; its processes are ended with the test, and its row goes into the table."""
    made: list[Case] = []

    def make(shop: Shop, engine: str) -> Case:
        made.append(Case(shop, engine))
        return made[-1]

    yield make
    for case in made:
        case.close()
        if request.node.stash.get(_failed, False):
            case.row.seen = f"FAILED {case.row.seen}"
        record_property("fault", case.row.as_property())


@pytest.fixture
def case(
    engine: str, database_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, cases: Callable[[Shop, str], Case]
) -> Case:
    """A shop on `engine`, ledger beside the orders."""
    return cases(Shop(database_url, zoho_emulator, tmp_path), engine)
