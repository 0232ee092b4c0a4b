"""The emulator's tests talk to it by plain HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from emulator_client import Client
from openapi import FOLDER, Checker, Forms

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def crm(zoho_emulator: EmulatorProcess) -> Client:
    return Client(zoho_emulator)


@pytest.fixture
def checker(record_property: Callable[[str, object], None]) -> Forms:
    """Zoho's OpenAPI files, or what can be checked without them; the summary of the run names that then, once."""
    if FOLDER.is_dir():
        return Checker()
    record_property("without_openapi_files", str(FOLDER))
    return Forms()
