"""`meltano config test target-zoho-crm`: its made-up order is never written, a set-up that does not work is named."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import BIN, PROCESS_SECONDS, Shop

from sync_ledger.ledger import Ledger

ROOT = Path(__file__).parents[2]
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

SETTINGS: dict[str, dict[str, Any]] = {
    "as they come": {},
    "jobs only": {"channel": "bulk_write"},
    "a column for the name": {"fields": {"Customer_Name": "name"}},
    "settings of its own": {"streams": {STREAM: {"module": "Orders"}}},
    "another name by stream map": {"stream_maps": {STREAM: {"__alias__": "orders"}}},
    "a stream made of it": {"stream_maps": {"orders": {"__source__": STREAM}}},
    "keys by hash": {"on_missing_key": "hash"},
    "a run that lasts": {"max_age_seconds": 1},
    "insert": {"operation": "insert"},
    "no ledger named": {"ack_url": None},
}


def what_is_known(shop: Shop) -> list[Any]:
    """All that CRM and ledger hold."""
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.connect() as connection:
            rows = [list(connection.execute(sa.select(table))) for table in ledger.tables.of_records]
    finally:
        ledger.close()
    return [shop.crm(), *rows]


def writes(shop: Shop) -> dict[str, int]:
    requests = shop.emulator.admin.stats()["requests"]
    return {name: requests.get(name, 0) for name in ("upsert", "insert", "update", "delete", "upload", "bulk_create")}


@pytest.fixture
def shop_with_order_1(shop: Shop) -> Shop:
    """A real order 1 is in the CRM, and its ack says so."""
    shop.insert(["1", "2"])
    assert shop.run().summary["synced"] == 2
    return shop


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_test_stream_is_never_written(shop_with_order_1: Shop, settings: dict[str, Any]) -> None:
    shop = shop_with_order_1
    known, written = what_is_known(shop), writes(shop)
    shop.target_config = settings
    tested = shop.take(MESSAGES)
    assert tested.code == 0, tested.err
    output = (tested.out + tested.err).lower()
    assert "error" not in output
    assert "exception" not in output
    assert json.loads(tested.out.splitlines()[-1]) == STATE
    assert what_is_known(shop) == known
    assert writes(shop) == written
    assert "is never written" in tested.err
    shop.assert_all_synced()


def test_nothing_is_made_where_there_is_no_ledger_yet(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    shop.target_config = {"ack_url": f"sqlite:///{ledger}"}
    assert shop.take(MESSAGES).code == 0
    assert not ledger.exists()
    assert sum(writes(shop).values()) == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"refresh_token": "1000.wrong"}, "invalid_code"),
        ({"module": "Ordesr"}, "has no module Ordesr"),
        ({"streams": {"orders": {"module": "Ordesr"}}}, "has no module Ordesr"),
        ({"key_field": "parent_di"}, "parent_di"),
        ({"key_field": "Customer_Name"}, "is not unique"),
        ({"ack_url": "postgresql://nobody:wrong@127.0.0.1:1/none"}, "ledger"),
    ],
    ids=["token", "module", "module of a stream", "key field", "key field not unique", "ledger"],
)
def test_what_does_not_work_is_named_in_one_line(shop: Shop, settings: dict[str, Any], named: str) -> None:
    shop.target_config = settings
    tested = shop.take(MESSAGES)
    assert tested.code in {1, 2}
    assert len(tested.errors) == 1, tested.err
    assert named in tested.errors[0]
    assert tested.err.splitlines()[-1] == tested.errors[0]
    assert "Traceback" not in tested.err
    assert sum(writes(shop).values()) == 0


def test_a_stream_map_cannot_give_orders_the_name_of_the_test_stream(shop: Shop) -> None:
    """They would be passed over, and called synced by nobody: so the run ends and says why."""
    shop.insert(["1"])
    shop.target_config = {"stream_maps": {"orders": {"__alias__": STREAM}}}
    refused = shop.run()
    assert refused.code == 1
    assert "is never written" in refused.errors[-1]
    assert shop.crm() == {}


WRAPPER = """#!/bin/bash
{target} "$@" 2>&1 | tee -a {folder}/said
code=${{PIPESTATUS[0]}}
echo $code >> {folder}/codes
exit $code
"""


@dataclass(frozen=True)
class Tried:
    """One `meltano config test`: how our process ended and what it said, and Meltano's own word."""

    code: int
    said: str
    verdict: str
    meltano_code: int
    by_process_lookup: bool


def config_test(shop: Shop, folder: Path, **settings: str) -> Tried:
    """As a user's project has it, but for a wrapper that notes how our process ends."""
    folder.mkdir()
    wrapper = folder / "target"
    wrapper.write_text(WRAPPER.format(target=BIN / "target-zoho-crm", folder=folder))
    wrapper.chmod(0o700)
    project = (ROOT / "meltano.yml").read_text().replace(".venv/bin/target-zoho-crm", str(wrapper))
    (folder / "meltano.yml").write_text(project)
    base = shop.emulator.base_url
    environment = {
        "MELTANO_PROJECT_ROOT": str(folder),
        "MELTANO_SYS_DIR_ROOT": str(folder / ".meltano"),
        "NO_COLOR": "1",
        "TARGET_ZOHO_CRM_ACK_URL": shop.ack_url,
        "TARGET_ZOHO_CRM_CLIENT_ID": shop.emulator.client_id,
        "TARGET_ZOHO_CRM_CLIENT_SECRET": shop.emulator.client_secret,
        "TARGET_ZOHO_CRM_REFRESH_TOKEN": shop.emulator.refresh_token,
        **{f"TARGET_ZOHO_CRM_{name}_URL": base for name in ("ACCOUNTS", "API", "UPLOAD")},
        **settings,
    }
    tested = subprocess.run(
        [BIN / "meltano", "--environment=demo", "config", "test", "target-zoho-crm"],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PROCESS_SECONDS,
        check=False,
    )
    said = (folder / "said").read_text()
    by_process_lookup = "ProcessLookupError" in tested.stdout
    verdict = "valid" if "Test data was written to your target system" in tested.stdout else tested.stdout
    return Tried(int((folder / "codes").read_text()), said, verdict, tested.returncode, by_process_lookup)


def assert_well(tried: Tried) -> None:
    # Meltano 4.4 takes a set-up for valid where the target ended well; then it may end with a ProcessLookupError of its
    # own, since it terminates a process that has ended. So its exit code says nothing.
    assert (tried.code, tried.verdict) == (0, "valid")
    assert "error" not in tried.said.lower()
    assert "exception" not in tried.said.lower()


def test_meltano_config_test_takes_the_set_up_for_valid(shop_with_order_1: Shop, tmp_path: Path) -> None:
    shop = shop_with_order_1
    known, written = what_is_known(shop), writes(shop)
    assert_well(config_test(shop, tmp_path / "try"))
    assert what_is_known(shop) == known
    assert writes(shop) == written


@pytest.mark.nightly
def test_meltano_config_test_does_so_twenty_times(
    shop_with_order_1: Shop, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shop = shop_with_order_1
    known, written = what_is_known(shop), writes(shop)
    tries = [config_test(shop, tmp_path / f"try-{number}") for number in range(20)]
    for tried in tries:
        assert_well(tried)
    assert what_is_known(shop) == known
    assert writes(shop) == written
    verdicts = Counter((each.verdict, each.meltano_code, each.by_process_lookup) for each in tries)
    record_property("verdicts of Meltano (its word, its exit code, whether by ProcessLookupError)", repr(verdicts))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"TARGET_ZOHO_CRM_REFRESH_TOKEN": "1000.wrong"}, "invalid_code"),
        ({"TARGET_ZOHO_CRM_MODULE": "Ordesr"}, "Ordesr"),
    ],
    ids=["token", "module"],
)
def test_meltano_config_test_names_what_does_not_work_in_one_line(
    shop: Shop, tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    tried = config_test(shop, tmp_path / "try", **settings)
    assert tried.code == 2
    assert tried.verdict != "valid"
    lines = [json.loads(line) for line in tried.said.splitlines()]
    (error,) = [line["message"] for line in lines if line["level"] == "error"]
    assert named in error
    assert lines[-1]["message"] == error
    assert "Traceback" not in tried.said
    assert sum(writes(shop).values()) == 0
