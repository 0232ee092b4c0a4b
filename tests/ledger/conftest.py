"""What tests of the ledger ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_ledger.ledger import Ledger


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    """An empty ledger on each engine in turn."""
    opened = Ledger.open(engine_url)
    opened.ensure_tables()
    yield opened
    opened.close()
