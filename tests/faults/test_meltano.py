"""The whole of it as users run it: `meltano run` twice at once, met by a signal, with a target that cannot start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fault_cases import ENGINES, Case, choices, on
from pair_of_plugins import BIN

ROOT = Path(__file__).parents[2]
COMMAND = (BIN / "meltano", "--environment=demo", "run")
PLUGINS = ("tap-legacy-orders", "target-zoho-crm")
RUN_SECONDS = 600
BROKEN = """#!/bin/sh
echo "the target dies at import" >&2
exit 1
"""


@dataclass
class Meltano:
    """Runs of this project's own meltano.yml, with a case's databases and the emulator."""

    case: Case
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `meltano run`; its log is the case's `meltano-N.log`."""
        shop = self.case.shop
        base = shop.emulator.base_url
        settings = {
            "MELTANO_PROJECT_ROOT": str(ROOT),
            "MELTANO_SYS_DIR_ROOT": str(self.folder / "meltano"),
            "NO_COLOR": "1",
            "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": shop.url,
            "TAP_LEGACY_ORDERS_ACK_URL": shop.ack_url,
            "TARGET_ZOHO_CRM_ACK_URL": shop.ack_url,
            "TARGET_ZOHO_CRM_CLIENT_ID": shop.emulator.client_id,
            "TARGET_ZOHO_CRM_CLIENT_SECRET": shop.emulator.client_secret,
            "TARGET_ZOHO_CRM_REFRESH_TOKEN": shop.emulator.refresh_token,
            "TARGET_ZOHO_CRM_FIRST_CONTACT": "off",
            **{f"TARGET_ZOHO_CRM_{name}_URL": base for name in ("ACCOUNTS", "API", "UPLOAD")},
        }
        with self.log(len(self.started)).open("wb") as log:
            process = subprocess.Popen(
                [*COMMAND, *options, *PLUGINS],
                cwd=ROOT,
                env={**os.environ, **settings, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return process

    def log(self, number: int) -> Path:
        return self.folder / f"meltano-{number}.log"

    def told(self, number: int) -> str:
        return self.log(number).read_text()


@pytest.fixture
def meltano(case: Case, tmp_path: Path) -> Iterator[Meltano]:
    meltano = Meltano(case, tmp_path)
    yield meltano
    for process in meltano.started:
        if process.poll() is None:
            process.kill()
        process.wait()


@on(*ENGINES, quick=[])
def test_two_meltano_runs_at_once(meltano: Meltano, case: Case) -> None:
    case.is_about("two `meltano run` at once", "the second is refused: by Meltano, or by the target under another id")
    admin = case.shop.emulator.admin
    hold = admin.add_fault("upsert", kind="hold_before", times=1)
    case.orders(150)
    first = meltano.run()
    admin.wait_held(hold, timeout=RUN_SECONDS)
    began = time.monotonic()
    second, third = meltano.run(), meltano.run("--state-id-suffix=other")
    assert (second.wait(RUN_SECONDS), third.wait(RUN_SECONDS)) == (1, 1)
    assert "already running" in meltano.told(1)
    assert "is live: process" in meltano.told(2)
    assert "Traceback" not in meltano.told(2)
    admin.release(hold)
    assert first.wait(RUN_SECONDS) == 0, meltano.told(0)
    case.row.exits = "meltano 0, 1, 1"
    case.row.seconds = f"{time.monotonic() - began:.1f}"
    assert admin.stats()["requests"]["upsert"] == 2
    case.seen("refused twice, nothing sent twice")
    case.law()


@on("sqlite", quick=[])
@pytest.mark.parametrize("number", choices([signal.SIGTERM, signal.SIGINT], []))
def test_a_signal_to_meltano_loses_nothing(meltano: Meltano, case: Case, number: signal.Signals) -> None:
    case.is_about(f"{number.name} to `meltano run`, which passes nothing on", "the next run completes it")
    admin = case.shop.emulator.admin
    hold = admin.add_fault("upsert", kind="hold_after", after=1)
    case.orders(500)
    run = meltano.run()
    admin.wait_held(hold, timeout=RUN_SECONDS)
    began = time.monotonic()
    run.send_signal(number)
    code = run.wait(RUN_SECONDS)
    case.row.exits, case.row.seconds = f"meltano {code}", f"{time.monotonic() - began:.1f}"
    assert code != 0
    admin.release(hold)
    case.seen("Meltano ends by itself")
    case.law()


@on("sqlite", quick=[])
def test_a_target_that_dies_at_import_ends_meltano(meltano: Meltano, case: Case, tmp_path: Path) -> None:
    case.is_about("`meltano run` with a target that dies at import", "it ends 1 within a minute")
    case.orders(2_000, length=2_000)
    project = tmp_path / "project"
    programs = project / ".venv" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(ROOT / "meltano.yml", project)
    (programs / "tap-legacy-orders").symlink_to(BIN / "tap-legacy-orders")
    (programs / "target-zoho-crm").write_text(BROKEN)
    (programs / "target-zoho-crm").chmod(0o755)
    began = time.monotonic()
    run = meltano.run(MELTANO_PROJECT_ROOT=str(project))
    assert run.wait(RUN_SECONDS) == 1, meltano.told(0)
    case.row.exits, case.row.seconds = "meltano 1", f"{time.monotonic() - began:.1f}"
    assert "the target dies at import" in meltano.told(0)
    assert "Loader failed" in meltano.told(0)
    case.seen("Loader failed")
    case.law()
