"""A catalog that is older than the table: Meltano keeps the first one where the tap is installed by `pip_url`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from pair_of_plugins import BIN, PROCESS_SECONDS, Finished, Shop, finish, start

from orders_sync.cli import main

KEYS = ["SO-1", "SO-2", "SO-3"]
PROJECT = """
default_environment: dev
environments: [{{name: dev}}]
send_anonymous_usage_stats: false
project_id: a-shop
plugins:
  extractors:
  - name: tap-legacy-orders
    namespace: tap_legacy_orders
    pip_url: orders-sync
    executable: {bin}/tap-legacy-orders
    capabilities: [catalog, state, discover]
    config: {tap}
  loaders:
  - name: target-zoho-crm
    namespace: target_zoho_crm
    pip_url: orders-sync
    executable: {bin}/target-zoho-crm
    config: {target}
"""


def meltano_run(shop: Shop, folder: Path) -> str:
    tap, target = (json.loads(path.read_text()) for path in shop.configs())
    folder.mkdir(exist_ok=True)
    text = PROJECT.format(bin=BIN, tap=json.dumps(tap), target=json.dumps(target))
    (folder / "meltano.yml").write_text(text)
    own = {"MELTANO_PROJECT_ROOT": str(folder), "NO_COLOR": "1"}
    ran = subprocess.run(
        [BIN / "meltano", "run", "--no-install", "tap-legacy-orders", "target-zoho-crm"],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        check=False,
    )
    log = ran.stdout + ran.stderr
    assert ran.returncode == 0, log
    return log


def add_gift(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN gift VARCHAR(20)")
        connection.execute(sa.text("UPDATE orders SET gift = 'ribbon'"))
    shop.emulator.admin.add_field("Orders", "Gift", "text")


@pytest.mark.nightly
def test_a_project_that_keeps_its_catalog_reads_a_new_column_and_resends_what_lacks_it(
    shop: Shop, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    shop.insert(KEYS)
    meltano_run(shop, folder)
    catalog = next(folder.rglob("tap.properties.json"))
    assert list(folder.rglob("tap.properties.cache_key"))
    add_gift(shop)
    log = meltano_run(shop, folder)
    assert "gift" not in json.loads(catalog.read_text())["streams"][0]["schema"]["properties"]
    assert "catalog: gift is new in orders since it was made, and read as well" in log
    assert "3 orders were written before Gift was mapped" in log
    resent = CliRunner().invoke(main, ["resend", "--older-than-mapping", "--yes", "--ack-url", shop.ack_url])
    assert "3 orders are due; the next run writes them again; `orders-sync plan` has its price" in resent.output
    meltano_run(shop, folder)
    assert {record["Gift"] for record in shop.crm().values()} == {"ribbon"}


def discover(shop: Shop) -> dict[str, Any]:
    tap, _ = shop.configs()
    ended = finish(start([BIN / "tap-legacy-orders", "--config", tap, "--discover"]))
    catalog: dict[str, Any] = json.loads(ended.out)
    return catalog


def read_by(shop: Shop, catalog: dict[str, Any]) -> tuple[Finished, set[str]]:
    tap, _ = shop.configs()
    path = shop.folder / "catalog.json"
    path.write_text(json.dumps(catalog))
    ended = finish(start([BIN / "tap-legacy-orders", "--config", tap, "--catalog", path]))
    records = [json.loads(line)["record"] for line in ended.out.splitlines() if '"RECORD"' in line]
    return ended, set(records[0])


@pytest.mark.parametrize("way", ["deselected", "taken out"])
def test_a_catalog_that_leaves_columns_out_gets_no_new_one_and_says_so(shop: Shop, way: str) -> None:
    shop.insert(KEYS)
    catalog = discover(shop)
    (stream,) = catalog["streams"]
    if way == "deselected":
        (of_notes,) = [each for each in stream["metadata"] if each["breadcrumb"] == ["properties", "notes"]]
        of_notes["metadata"]["selected"] = False
    else:
        del stream["schema"]["properties"]["notes"]
    add_gift(shop)
    ended, names = read_by(shop, catalog)
    assert not names & {"gift", "notes"}
    assert "catalog: gift is new in orders, and not read, since the catalog leaves columns out; run disc" in ended.err


def test_a_catalog_of_another_hand_or_version_is_taken_as_it_is_and_what_it_lacks_is_named(shop: Shop) -> None:
    shop.insert(KEYS)
    catalog = discover(shop)
    del catalog["streams"][0]["schema"]["x-sync-columns"]
    add_gift(shop)
    ended, names = read_by(shop, catalog)
    assert "gift" not in names
    assert "catalog: it lacks gift of orders, not read; if it is to be, run discovery again (`meltano run" in ended.err
    shop.tap_config["columns"] = ["status"]
    ended, _ = read_by(shop, {**catalog, "streams": [columns_alone(catalog, "status")]})
    assert "catalog: it lacks" not in ended.err


def columns_alone(catalog: dict[str, Any], *names: str) -> dict[str, Any]:
    (stream,) = catalog["streams"]
    kept = {"order_id", "updated_at", "_sync_key", "_sync_version", *names}
    properties = {name: schema for name, schema in stream["schema"]["properties"].items() if name in kept}
    return {**stream, "schema": {**stream["schema"], "properties": properties}}
