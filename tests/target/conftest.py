from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from zoho_clients import MakeClient, credentials_of

from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.data_centers import endpoints
from target_zoho_crm.api.limits import CreditMeter

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def make_client(zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[MakeClient]:
    """Makes clients of the emulator with pauses of milliseconds; `credits_`, `stop`, settings and urls can be given."""
    made: list[ZohoClient] = []

    def make(*, credits_: CreditMeter | None = None, stop: Any = None, **settings: Any) -> ZohoClient:
        base = zoho_emulator.base_url
        urls = {"accounts_url": base, "api_url": base, "upload_url": base, **settings.pop("urls", {})}
        given = {
            "endpoints": endpoints("us", overrides=urls, download_hosts=settings.pop("download_hosts", ())),
            "credentials": settings.pop("credentials", credentials_of(zoho_emulator)),
            "cache_dir": tmp_path / "cache",
            "first_pause_seconds": 0.01,
            "longest_pause_seconds": 0.05,
            **settings,
        }
        made.append(ZohoClient(ConnectionSettings(**given), credits=credits_ or CreditMeter(), stop=stop))
        return made[-1]

    yield make
    for client in made:
        client.close()
