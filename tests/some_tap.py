"""Orders from some tap that is not ours: messages to the target as a process, and what became of them."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import sqlalchemy as sa

from sync_ledger.ledger import Ledger

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

KILLED_AT = Path(__file__).parent / "killed_at.py"


class Sales:
    """A stream of orders from some tap, sent in one run after another."""

    def __init__(self, emulator: EmulatorProcess, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        urls = dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url)
        secrets = {name: getattr(emulator, name) for name in ("client_id", "client_secret", "refresh_token")}
        self.config: dict[str, Any] = {
            **urls,
            **secrets,
            "ack_url": f"sqlite:///{folder}/ledger.sqlite",
            "first_contact": "off",
        }
        self.properties: dict[str, Any] = {"id": {"type": "string"}}

    def send(self, *records: dict[str, Any], code: int = 0, kill_at: str | None = None, **config: Any) -> str:
        """Run the target over these records, or until it kills itself at a point; returns its log."""
        (self.folder / "config.json").write_text(json.dumps(self.config | config))
        properties = {name: {} for record in records for name in record} | self.properties
        head = {"type": "SCHEMA", "stream": "sales", "schema": {"properties": properties}, "key_properties": ["id"]}
        lines = [head, *({"type": "RECORD", "stream": "sales", "record": record} for record in records)]
        program, point = ("target-zoho-crm", []) if kill_at is None else (KILLED_AT, [kill_at])
        code = code if kill_at is None else -signal.SIGKILL
        ended = subprocess.run(
            forked.command(program, [*point, "--config", self.folder / "config.json"]),
            input="".join(f"{json.dumps(line)}\n" for line in lines),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        return ended.stderr

    def crm(self) -> dict[str, dict[str, Any]]:
        """The orders in the CRM by key."""
        return {each["parent_id"]: each for each in self.emulator.admin.records("Orders")}

    def acks(self) -> dict[str, Any]:
        """The ledger's rows by key."""
        ledger = Ledger.open(self.config["ack_url"])
        try:
            with ledger.connect() as connection:
                return {row.record_key: row for row in connection.execute(sa.select(ledger.tables.ack))}
        finally:
            ledger.close()
