"""A tap that does not ask the ledger sends again what STATE has not passed, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from some_tap import Sales

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def test_the_others_of_a_call_that_failed_are_synced_by_the_runs_that_follow(
    zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    sales = Sales(zoho_emulator, tmp_path)
    sales.config["channel"] = "upsert"
    orders = [{"id": f"O-{number}"} for number in range(10)]
    zoho_emulator.admin.add_fault("upsert", kind="answer", canned="gateway_timeout", keys=["O-0"])
    log = sales.send(*orders, code=1)
    assert "records are left unsynced after failed calls" in log  # so STATE has not passed them
    waiting = [key for key, ack in sales.acks().items() if ack.error_code == "CALL_FAILED"]
    assert 0 < len(waiting) < len(orders)
    assert {ack.status for key, ack in sales.acks().items() if key not in waiting} == {"synced"}
    sales.send(*orders)  # as from the last STATE
    assert {key for key, ack in sales.acks().items() if ack.status != "synced"} == {"O-0"}
    assert sales.acks()["O-0"].error_code == "BREAKS_CALLS"
