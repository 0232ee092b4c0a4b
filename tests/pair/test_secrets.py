"""Where a secret may stand: the config, the environment and the private token cache, and nowhere else."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import sqlalchemy as sa
from pair_of_plugins import BIN, Shop

from orders_sync.cli import main
from sync_ledger.ledger import Ledger
from target_zoho_crm.config_schema import CONFIG

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

CALLBACK = "a-callback-secret-that-nobody-guesses"


def everything_in(ledger_url: str) -> str:
    ledger = Ledger.open(ledger_url)
    try:
        with ledger.connect() as connection:
            tables = ledger.tables.metadata.sorted_tables
            rows = [row for table in tables for row in connection.execute(sa.select(table)).tuples()]
    finally:
        ledger.close()
    assert rows
    return repr(rows)


def secrets_of(emulator: EmulatorProcess, cache: Path) -> list[str]:
    tokens = [json.loads(path.read_text())["value"] for path in cache.rglob("token-*.json")]
    assert tokens, "the run has cached its token"
    return [emulator.client_secret, emulator.refresh_token, CALLBACK, *tokens]


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_run_leaves_no_secret_in_its_output_its_log_or_its_ledger(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    monkeypatch.setenv("TARGET_ZOHO_CRM_LOGLEVEL", "DEBUG")
    monkeypatch.setenv("TAP_LEGACY_ORDERS_LOGLEVEL", "DEBUG")
    zoho_emulator.admin.settings(job_seconds=0)
    url = f"http://127.0.0.1:1/{CALLBACK}"
    shop = Shop(sqlite_url, zoho_emulator, tmp_path, target_config={"channel": channel, "callback_url": url})
    shop.insert([f"SO-{number}" for number in range(5)], notes="a private note")
    zoho_emulator.admin.add_fault("upsert", kind="answer", canned="internal_error", times=1)
    zoho_emulator.admin.add_fault("record_error", kind="record_error", keys=("SO-1",))
    ended = shop.run()
    assert ended.code == 0, ended.err
    zoho_emulator.admin.revoke_tokens()
    shop.target_config["refresh_token"] = "1000.a-wrong-refresh-token"
    shop.insert(["SO-9"])
    refused = shop.run()
    assert refused.code == 2
    shown = ended.out + ended.err + refused.out + refused.err + everything_in(shop.ack_url)
    for secret in [*secrets_of(zoho_emulator, tmp_path), "1000.a-wrong-refresh-token"]:
        assert secret not in shown
    assert "a private note" not in shown
    assert "SO-1" in shown, "keys may be shown"


def test_a_running_plugin_shows_no_secret_to_who_lists_processes(
    zoho_emulator: EmulatorProcess, sqlite_url: str, tmp_path: Path
) -> None:
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    _, config = shop.configs()
    command = [BIN / "target-zoho-crm", "--config", config]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        process.stderr.readline()  # before its first line, a process may have no arguments to show yet
        if Path("/proc").is_dir():
            shown = Path(f"/proc/{process.pid}/cmdline").read_text()
        else:
            shown = subprocess.check_output(["ps", "-o", "args=", "-p", str(process.pid)], text=True)
    finally:
        process.communicate(b"", timeout=300)
    assert "target-zoho-crm" in shown
    assert zoho_emulator.client_secret not in shown
    assert zoho_emulator.refresh_token not in shown


def test_no_option_of_a_command_takes_a_client_secret_a_token_or_a_grant_code() -> None:
    """They are asked for without showing them, or come from the environment."""
    options = {
        name
        for command in main.commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    assert "--client-id" in options
    words = ("secret", "token", "password", "code")
    assert not [name for name in options if any(word in name for word in words) and name != "--code"]
    (code,) = [each for each in main.commands["retry"].params if "--code" in each.opts]
    assert "refused with this code" in (code.help or ""), "of `retry` it is a Zoho code, no grant code"


def test_every_setting_that_holds_a_secret_is_marked_so() -> None:
    properties: dict[str, Any] = CONFIG["properties"]
    words = ("secret", "token", "password", "client_id", "ack_url", "callback_url", "orders_url")
    assert {name for name in properties if any(word in name for word in words)} == {
        name for name, definition in properties.items() if definition.get("secret")
    }


def test_what_a_run_writes_to_the_disk_is_for_its_owner_only(
    zoho_emulator: EmulatorProcess, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders of the token cache, of the spool and of the local ledger, under the widest umask."""
    spool = tmp_path / "temporary"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    _, config = shop.configs()
    given = json.loads(config.read_text())
    del given["ack_url"]
    config.write_text(json.dumps(given))
    schema = {"properties": {"id": {"type": "string"}}}
    message = {"type": "SCHEMA", "stream": "sales", "schema": schema, "key_properties": ["id"]}
    (tmp_path / "data" / "target-zoho-crm").mkdir(parents=True, mode=0o777)
    program = "import os, sys; os.umask(0); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", program, str(BIN / "target-zoho-crm"), "--config", str(config)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(f"{json.dumps(message)}\n".encode())
    process.stdin.flush()
    while b"the ledger is kept in" not in (line := process.stderr.readline()):
        assert line, "the target ended early"
    folders = [*spool.glob("target-zoho-crm-*"), tmp_path / "data" / "target-zoho-crm", *_token_folders(tmp_path)]
    modes = {folder.name: stat.S_IMODE(folder.stat().st_mode) for folder in folders}
    process.communicate(b"", timeout=300)
    assert len(modes) >= 2
    assert set(modes.values()) == {0o700}, modes


def _token_folders(folder: Path) -> list[Path]:
    return [path.parent for path in (folder / "cache").rglob("token-*")][:1]
