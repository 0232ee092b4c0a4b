"""The emulator's tests talk to it by plain HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from emulator_client import Client

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def crm(zoho_emulator: EmulatorProcess) -> Client:
    return Client(zoho_emulator)
