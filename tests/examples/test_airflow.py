"""Airflow 3 reads the DAG, and its mapped tasks bring every order over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from example_environments import ROOT, environment
from pair_of_plugins import Shop

from zoho_crm_emulator.control import EmulatorProcess

pytestmark = pytest.mark.nightly
ORDERS = 400
SHARES = 2


@pytest.fixture
def shop(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(postgresql_url, zoho_emulator, tmp_path)
    shop.insert(f"SO-{number}" for number in range(ORDERS))
    yield shop
    shop.engine.dispose()


def test_airflow_reads_the_dag_and_its_tasks_sync_every_order(shop: Shop, tmp_path: Path) -> None:
    programs = environment("airflow")
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "orders_to_crm.py").write_bytes((ROOT / "examples" / "airflow" / "orders_to_crm.py").read_bytes())
    emulator = shop.emulator
    variables = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "ORDERS_SYNC_PARTITIONS": str(SHARES),
        "ORDERS_SYNC_BIN": str(Path(sys.executable).parent),
        "ORDERS_SYNC_RUN_PAIR": str(ROOT / "examples" / "shell" / "run-pair"),
        "ORDERS_SYNC_HOME": str(tmp_path),
        "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": shop.url,
        "TAP_LEGACY_ORDERS_ORDERS_TABLE": "orders",
        "TARGET_ZOHO_CRM_ACK_URL": shop.ack_url,
        "TARGET_ZOHO_CRM_CLIENT_ID": emulator.client_id,
        "TARGET_ZOHO_CRM_CLIENT_SECRET": emulator.client_secret,
        "TARGET_ZOHO_CRM_REFRESH_TOKEN": emulator.refresh_token,
        "TARGET_ZOHO_CRM_FIRST_CONTACT": "off",
        **{f"TARGET_ZOHO_CRM_{of}_URL": emulator.base_url for of in ("ACCOUNTS", "API", "UPLOAD")},
    }

    def airflow(*words: str) -> str:
        done = subprocess.run(
            [programs / "airflow", *words], env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    airflow("db", "migrate")
    airflow("pools", "set", "zoho_org", "4", "shares at a time")
    assert "No data found" in airflow("dags", "list-import-errors", "--local")
    airflow("dags", "test", "orders_to_crm", "2026-02-01")
    shop.assert_all_synced()
    assert sorted(each.name for each in tmp_path.glob("state-*.json")) == [
        f"state-index{index}of{SHARES}.json" for index in range(1, SHARES + 1)
    ]
