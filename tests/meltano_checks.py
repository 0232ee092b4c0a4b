"""`meltano test` and `meltano config test`, as a project calls them, and what they may not change."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pair_of_plugins import BIN, PROCESS_SECONDS, Shop

from sync_ledger.ledger import Ledger

ROOT = Path(__file__).parents[1]
STREAM = "meltano_test_stream"
STATE = {"bookmarks": {STREAM: {"last_record": 1}}}
SENT_BY_MELTANO: tuple[dict[str, Any], ...] = (
    {
        "type": "SCHEMA",
        "stream": STREAM,
        "schema": {
            "type": "object",
            "properties": {
                "id": {"type": "integer"},
                "name": {"type": "string"},
                "created_at": {"type": "string", "format": "date-time"},
            },
        },
        "key_properties": ["id"],
    },
    {
        "type": "RECORD",
        "stream": STREAM,
        "record": {"id": 1, "name": "Meltano Test Record", "created_at": "2025-09-29T00:00:00Z"},
    },
    {"type": "STATE", "value": STATE},
    {"type": "ACTIVATE_VERSION", "stream": STREAM, "version": 1},
)
"""As Meltano 4.4 sends them; the last one only to loaders that can `activate-version`."""

MESSAGES = "".join(json.dumps(message) + "\n" for message in SENT_BY_MELTANO)
WRITES = ("upsert", "insert", "update", "delete", "upload", "bulk_create")


def what_is_known(shop: Shop) -> list[Any]:
    """All that CRM and ledger hold; a ledger that is not there holds nothing."""
    ledger = Ledger.open(shop.ack_url)
    try:
        there = not ledger.missing_tables()
        with ledger.connect() as connection:
            tables = ledger.tables.of_records if there else ()
            rows = {table.name: list(connection.execute(sa.select(table))) for table in tables}
    finally:
        ledger.close()
    return [shop.crm(), {name: found for name, found in rows.items() if found}]


def writes(shop: Shop) -> dict[str, int]:
    """How many calls of each kind wrote anything."""
    requests = shop.emulator.admin.stats()["requests"]
    return {name: requests.get(name, 0) for name in WRITES}


WRAPPER = """#!/bin/bash
{program} "$@" <&0 > >(tee -a {folder}/said) 2> >(tee -a {folder}/said >&2) &
ours=$!
trap 'kill -TERM $ours' TERM
wait $ours
code=$?
if kill -0 $ours 2>/dev/null; then wait $ours; code=$?; fi
echo $code >> {folder}/codes
exit $code
"""
"""Notes what our process says and how it ends, and hands on the signal by which Meltano ends it."""
VALID = ("Test data was written to your target system", "Plugin configuration is valid", "Testing completed successful")


@dataclass(frozen=True)
class Tried:
    """One command of Meltano: how our process ended and what it said, and Meltano's own word."""

    code: int
    said: str
    out: str
    meltano_code: int

    @property
    def verdict(self) -> str:
        """`valid`, or all that Meltano wrote."""
        return "valid" if any(each in self.out for each in VALID) else self.out

    @property
    def by_process_lookup(self) -> bool:
        """Whether Meltano ended by an error of its own."""
        return "ProcessLookupError" in self.out

    @property
    def errors(self) -> list[str]:
        """Our lines at ERROR, in either form of the log."""
        return [line for line in self.said.splitlines() if "| ERROR " in line or '"level":"error"' in line]


def variables(shop: Shop) -> dict[str, str]:
    """A shop's settings, by the environment."""
    configs = zip(("TAP_LEGACY_ORDERS", "TARGET_ZOHO_CRM"), shop.configs(), strict=True)
    return {
        f"{plugin}_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for plugin, path in configs
        for name, value in json.loads(path.read_text()).items()
    }


def meltano(shop: Shop, folder: Path, plugin: str, *words: str) -> Tried:
    """As a user's project has it, but for a wrapper that notes how our process ends."""
    folder.mkdir()
    wrapper = folder / plugin
    wrapper.write_text(WRAPPER.format(program=BIN / plugin, folder=folder))
    wrapper.chmod(0o700)
    project = (ROOT / "meltano.yml").read_text().replace(f".venv/bin/{plugin}", str(wrapper))
    (folder / "meltano.yml").write_text(project)
    environment = {
        "MELTANO_PROJECT_ROOT": str(folder),
        "MELTANO_SYS_DIR_ROOT": str(folder / ".meltano"),
        "NO_COLOR": "1",
        **variables(shop),
    }
    tested = subprocess.run(
        [BIN / "meltano", "--no-environment", *words, plugin],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PROCESS_SECONDS,
        check=False,
    )
    assert (folder / "codes").exists(), tested.stdout
    # The last one: before an extractor is tried, its catalog is asked for.
    code = int((folder / "codes").read_text().split()[-1])
    return Tried(code, (folder / "said").read_text(), tested.stdout, tested.returncode)
