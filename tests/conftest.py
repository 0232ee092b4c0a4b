"""What every test may ask for; the emulator's fixtures come from its own pytest plugin."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_fixtures import engine_url, mariadb_url, postgresql_url, sqlite_url

__all__ = ["engine_url", "mariadb_url", "postgresql_url", "sqlite_url"]

# A loaded machine is slower, not wrong: no example has a time limit, and none is called slow.
hypothesis.settings.register_profile("usual", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("usual")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep token cache and local ledger of a test to that test, and warnings about the Python version out of logs."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
