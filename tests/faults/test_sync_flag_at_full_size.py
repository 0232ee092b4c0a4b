"""The sync flag at full size: every order of a first load is changed while it is in flight, on each engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pair_of_plugins
import pytest
from fault_cases import ENGINES, on
from flag_shop import FlagShop, all_in_flight_are_changed, switched_back_and_forth_writes_nothing

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ORDERS = 60_000


@on(*ENGINES, quick=[])
@pytest.mark.timeout(1800)
def test_sixty_thousand_orders_each_changed_while_in_flight(
    engine: str,
    database_url: str,
    zoho_emulator_factory: Callable[..., EmulatorProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pair_of_plugins, "PROCESS_SECONDS", 1500)
    emulator = zoho_emulator_factory(data=tmp_path / "crm.sqlite", job_seconds=5)
    shop = FlagShop.open(database_url, emulator, tmp_path)
    assert all_in_flight_are_changed(shop, ORDERS, job_rows=25_000) == ORDERS, engine
    switched_back_and_forth_writes_nothing(shop)
    shop.engine.dispose()
