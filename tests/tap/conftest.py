"""A shop with orders in a fresh database of each engine, and the tap run on it as Meltano would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_fixtures import engine_url, fresh_database, mariadb_url, postgresql_url, sqlite_url
from small_shop import Shop

__all__ = ["engine_url", "mariadb_url", "postgresql_url", "sqlite_url"]


@pytest.fixture
def shop(engine_url: str) -> Iterator[Shop]:
    """A shop whose ledger lies beside its orders."""
    with Shop.opened(engine_url) as opened:
        yield opened


@pytest.fixture(params=["ledger beside the orders", "ledger elsewhere"])
def either_shop(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop in SQLite, its ledger in the same database or in another."""
    with fresh_database("sqlite", tmp_path) as other:
        ack_url = other if request.param == "ledger elsewhere" else None
        with Shop.opened(sqlite_url, ack_url) as opened:
            yield opened
