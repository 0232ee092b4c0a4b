"""One `meltano run` as a user types it, in the environment `demo`, with the URLs of this demo."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from demo.shop_databases import Databases, DemoError
from zoho_crm_emulator.control import EmulatorProcess

COMMAND = ("meltano", "--environment=demo", "run", "tap-legacy-orders", "target-zoho-crm")


@dataclass(frozen=True)
class Pipeline:
    """Runs the pair from the project's own meltano.yml; its state and logs stay in `folder`."""

    project: Path
    folder: Path
    databases: Databases
    emulator: EmulatorProcess

    def run(self, number: int) -> float:
        """Run it once and show what it says. Returns the seconds it took.

        Raises:
            DemoError: it failed.
        """
        log = self.folder / f"run-{number}.log"
        began = time.monotonic()
        command = [str(Path(sys.executable).parent / COMMAND[0]), *COMMAND[1:]]
        with (
            log.open("w", encoding="utf-8") as kept,
            subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=self.project,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
        ):
            for line in process.stdout or ():
                kept.write(line)
                sys.stdout.write(line)
                sys.stdout.flush()
        if process.returncode != 0:
            raise DemoError(f"run {number} ended with exit code {process.returncode}; its log is {log}")
        return time.monotonic() - began

    def _environment(self) -> dict[str, str]:
        """Settings that differ from those of meltano.yml's environment `demo`, by Meltano's own variables."""
        base = self.emulator.base_url
        return {
            **os.environ,
            "MELTANO_PROJECT_ROOT": str(self.project),
            "MELTANO_SYS_DIR_ROOT": str(self.folder / "meltano"),
            "NO_COLOR": "1",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": self.databases.orders_url,
            "TAP_LEGACY_ORDERS_ACK_URL": self.databases.ledger_url,
            "TARGET_ZOHO_CRM_ACK_URL": self.databases.ledger_url,
            "TARGET_ZOHO_CRM_ACCOUNTS_URL": base,
            "TARGET_ZOHO_CRM_API_URL": base,
            "TARGET_ZOHO_CRM_UPLOAD_URL": base,
            "TARGET_ZOHO_CRM_CLIENT_ID": self.emulator.client_id,
            "TARGET_ZOHO_CRM_CLIENT_SECRET": self.emulator.client_secret,
            "TARGET_ZOHO_CRM_REFRESH_TOKEN": self.emulator.refresh_token,
        }
