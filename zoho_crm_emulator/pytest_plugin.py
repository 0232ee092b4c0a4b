"""pytest fixtures: a running emulator, fresh for each test.

One process serves a whole session and is reset before each test; a test that needs one of its own (other start
options, a restart) asks for `zoho_emulator_factory`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture(scope="session")
def zoho_emulator_process() -> Iterator[EmulatorProcess]:
    """The session's emulator process; tests use `zoho_emulator`."""
    from zoho_crm_emulator.control import EmulatorProcess  # noqa: PLC0415 - not loaded by runs that need none

    with EmulatorProcess() as process:
        yield process


@pytest.fixture
def zoho_emulator(zoho_emulator_process: EmulatorProcess) -> Iterator[EmulatorProcess]:
    """An emulator without records, jobs or faults.

    It has `.base_url`, `.client_id`, `.client_secret`, `.refresh_token`, and `.admin` (see `control.Admin`).
    """
    zoho_emulator_process.admin.reset()
    yield zoho_emulator_process
    zoho_emulator_process.admin.clear_faults()


@pytest.fixture
def zoho_emulator_factory() -> Iterator[Callable[..., EmulatorProcess]]:
    """Starts emulators with options of their own; each is stopped at the end of the test."""
    from zoho_crm_emulator.control import EmulatorProcess  # noqa: PLC0415 - not loaded by runs that need none

    started: list[EmulatorProcess] = []

    def start(**options: Any) -> EmulatorProcess:
        started.append(EmulatorProcess(**options))
        return started[-1].start()

    yield start
    for process in reversed(started):
        process.__exit__(None, None, None)
