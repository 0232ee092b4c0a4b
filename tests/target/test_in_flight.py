"""Two writes for one order are never under way together, since Zoho orders neither calls nor jobs."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import forked
import pytest
from some_tap import Sales

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PATIENCE_SECONDS = 300


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_newer_version_waits_until_the_older_one_has_landed(
    zoho_emulator: EmulatorProcess, tmp_path: Path, channel: str
) -> None:
    sales, admin = Sales(zoho_emulator, tmp_path), zoho_emulator.admin
    hold = admin.add_fault("upsert" if channel == "upsert" else "bulk_poll", kind="hold_before", times=1)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**sales.config, "channel": channel, "bulk_rows": 2}))
    run = subprocess.Popen(forked.command("target-zoho-crm", ["--config", config]), stdin=subprocess.PIPE, text=True)
    assert run.stdin is not None

    def say(*messages: dict[str, object]) -> None:
        assert run.stdin is not None
        run.stdin.write("".join(f"{json.dumps({'stream': 'sales', **message})}\n" for message in messages))
        run.stdin.flush()

    text = {"type": "string"}
    say({"type": "SCHEMA", "schema": {"properties": {"id": text, "notes": text}}, "key_properties": ["id"]})
    say(*({"type": "RECORD", "record": {"id": key, "notes": "old"}} for key in "AB"))
    admin.wait_held(hold)  # A and B are on their way: only now comes a newer A
    say(*({"type": "RECORD", "record": {"id": key, "notes": "new"}} for key in "AC"))
    end = time.monotonic() + PATIENCE_SECONDS
    while "C" not in sales.crm() and time.monotonic() < end:
        time.sleep(0.01)
    others = {key: order["Notes"] for key, order in sales.crm().items()}
    admin.release(hold)
    run.stdin.close()
    assert run.wait(PATIENCE_SECONDS) == 0
    # A job has written already what the target does not know of yet.
    assert others == {"C": "new"} | ({} if channel == "upsert" else {"A": "old", "B": "old"})
    assert {key: order["Notes"] for key, order in sales.crm().items()} == {"A": "new", "B": "old", "C": "new"}
