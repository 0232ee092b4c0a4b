"""A pytest plugin: writes how long each test took that passed, as JSON, to the file that TEST_SECONDS names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


class Timing:
    """Adds up the three phases of each test."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._not_passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0) + report.duration
        if report.outcome != "passed":
            self._not_passed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        passed = {test: round(time, 3) for test, time in self._seconds.items() if test not in self._not_passed}
        Path(os.environ["TEST_SECONDS"]).write_text(json.dumps(passed), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """With xdist the workers' reports come to the process that started them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Timing())
