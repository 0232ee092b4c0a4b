"""Shops for the pair's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from careful_shop import CarefulShop
from pair_of_plugins import Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    """A shop on SQLite, ledger beside the orders."""
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


@pytest.fixture
def careful(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[CarefulShop]:
    """A shop whose first orders are read back and compared."""
    shop = CarefulShop(sqlite_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


@pytest.fixture
def any_shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    """A shop on each engine in turn."""
    shop = Shop(engine_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()
