"""From nothing to the first synced orders without Meltano: pip and a pipe, and another tap in place of ours."""

from __future__ import annotations

import json
import os
import subprocess
import time
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from example_environments import ROOT, environment
from pair_of_plugins import PROCESS_SECONDS, Shop

from zoho_crm_emulator.control import EmulatorProcess

pytestmark = pytest.mark.nightly
SHELL = ROOT / "examples" / "shell"
ANOTHERS = ROOT / "examples" / "anothers_tap"
ORDERS = 300
PASSWORD = "no-password-is-asked-for"


@pytest.fixture
def shop(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(postgresql_url, zoho_emulator, tmp_path)
    shop.insert(f"SO-{number}" for number in range(ORDERS))
    yield shop
    shop.engine.dispose()


def variables(shop: Shop, *programs: Path) -> dict[str, str]:
    emulator = shop.emulator
    return {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "ORDERS_SYNC": f"{ROOT}[postgres]",
        "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": shop.url,
        "TAP_LEGACY_ORDERS_ORDERS_TABLE": "orders",
        "TAP_LEGACY_ORDERS_ACK_URL": shop.ack_url,
        "TARGET_ZOHO_CRM_ACK_URL": shop.ack_url,
        "TARGET_ZOHO_CRM_CLIENT_ID": emulator.client_id,
        "TARGET_ZOHO_CRM_CLIENT_SECRET": emulator.client_secret,
        "TARGET_ZOHO_CRM_REFRESH_TOKEN": emulator.refresh_token,
        **{f"TARGET_ZOHO_CRM_{of}_URL": emulator.base_url for of in ("ACCOUNTS", "API", "UPLOAD")},
    }


def run(command: Path, folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [command], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_pip_and_a_pipe_come_from_nothing_to_synced_orders(shop: Shop) -> None:
    began = time.monotonic()
    said = run(SHELL / "first-order.sh", shop.folder, variables(shop, SHELL))
    typed = [line for line in (SHELL / "first-order.sh").read_text().splitlines() if line and line[0] not in "#s"]
    print(f"pip and a pipe: {len(typed)} lines, {(time.monotonic() - began) / 60:.1f} minutes")
    shop.assert_all_synced()
    assert f"{ORDERS} synced" in said
    assert json.loads((shop.folder / "state.json").read_text())["bookmarks"]["orders"]
    shop.change(["SO-7", "SO-8"])
    own = variables(shop, shop.folder / "venv" / "bin")
    assert "read 2 = 2 synced" in run(SHELL / "run-pair", shop.folder, own)
    shop.assert_all_synced()


def test_the_orders_of_meltanos_tap_postgres_are_synced_and_then_what_changed(shop: Shop, tmp_path: Path) -> None:
    programs = environment("anothers_tap")
    pair = tmp_path / "venv"
    venv.create(pair, with_pip=True)
    pip = [pair / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, f"{ROOT}[postgres]"], check=True)
    url = sa.make_url(shop.url).set(drivername="postgresql", password=PASSWORD)
    config = {"sqlalchemy_url": url.render_as_string(hide_password=False), "filter_schemas": ["public"]}
    (tmp_path / "tap.json").write_text(json.dumps(config))
    own = variables(shop, programs, pair / "bin")
    assert f"read {ORDERS} = {ORDERS} synced" in run(ANOTHERS / "run", tmp_path, own)
    assert set(shop.crm()) == set(shop.orders())
    shop.change(["SO-7"], status="Paid", customer_name="Zoë again")
    run(ANOTHERS / "run", tmp_path, own)
    crm = shop.crm()
    assert set(crm) == set(shop.orders())
    assert crm["SO-7"]["Customer_Name"] == "Zoë again"
    assert {ack.status for ack in shop.acks().values()} == {"synced"}
