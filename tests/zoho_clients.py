"""What tests of the target share: how to reach an emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_zoho_crm.auth import Credentials

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def credentials_of(emulator: EmulatorProcess, **changes: str) -> Credentials:
    given = {
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
        "refresh_token": emulator.refresh_token,
    }
    return Credentials(**{**given, **changes})
