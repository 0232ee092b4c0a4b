"""What tests of several commands ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pair_of_plugins import Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(engine_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def small(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(sqlite_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()
