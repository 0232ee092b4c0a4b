"""What every test may ask for; the emulator's fixtures come from its own pytest plugin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_fixtures import engine_url, mariadb_url, postgresql_url, sqlite_url

__all__ = ["engine_url", "mariadb_url", "postgresql_url", "sqlite_url"]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep token cache and local ledger of a test to that test, and warnings about the Python version out of logs."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
