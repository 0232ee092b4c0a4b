"""A Meltano project as a user has one: two environments with a shop and a CRM each, inherited taps, a file `.env`."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import yaml
from pair_of_plugins import BIN, PROCESS_SECONDS

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ROOT = Path(__file__).parents[1]
LONGER_THAN_ITS_FIELD = "x" * 200
TABLES = """
CREATE TABLE customers (customer_id TEXT PRIMARY KEY, company TEXT, updated_at TEXT);
CREATE TABLE orders (order_id TEXT PRIMARY KEY, customer_name TEXT, status TEXT, updated_at TEXT);
CREATE INDEX by_change ON orders (updated_at)
"""


@dataclass
class MeltanoProject:
    """Its folder; `emulators` are the CRM of each environment, by name."""

    folder: Path
    emulators: dict[str, EmulatorProcess]
    variables: dict[str, str]

    def make(self) -> None:
        definitions = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))["plugins"]
        (tap,), (target,) = definitions["extractors"], definitions["loaders"]
        for plugin in (tap, target):
            plugin["executable"] = str(BIN / plugin["name"])
            plugin.pop("config", None)
        target["config"] = {
            "fields": {"customer_name": "Customer_Name"},
            "streams": {
                "customers": {"module": "Accounts", "key_field": "Legacy_Id", "fields": {"company": "Account_Name"}}
            },
        }
        inherited = [
            {"name": "tap-customers", "inherit_from": tap["name"], "config": {"orders_table": "customers"}},
            {"name": "tap-orders", "inherit_from": tap["name"], "config": {"orders_table": "orders"}},
        ]
        project = {
            "send_anonymous_usage_stats": False,
            "cli.disable_version_check": True,  # Meltano itself asks pypi.org else
            "project_id": "0f6e3c52-0d0e-4b57-9a77-1c1f1b2d9e40",
            "default_environment": "test",
            "ff": {"strict_env_var_mode": True},
            "environments": [self._environment(name) for name in self.emulators],
            "plugins": {"extractors": [tap, *inherited], "loaders": [target]},
        }
        (self.folder / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in self._secrets().items()))
        for name in self.emulators:
            self.write(name, TABLES)

    def _environment(self, name: str) -> dict[str, Any]:
        base = self.emulators[name].base_url
        ledger = f"sqlite:///$MELTANO_PROJECT_ROOT/{name}-ledger.sqlite"
        tap = {"sqlalchemy_url": f"${name.upper()}_SHOP_URL", "ack_url": ledger}
        target = {f"{each}_url": base for each in ("accounts", "api", "upload")}
        target |= {"ack_url": ledger, "refresh_token": f"${name.upper()}_REFRESH_TOKEN"}
        drafts = {"name": "tap-orders", "config": {"filter": "status <> 'Draft'"}}
        taps = [{"name": "tap-legacy-orders", "config": tap}, *([drafts] if name == "prod" else [])]
        loaders = [{"name": "target-zoho-crm", "config": target}]
        return {"name": name, "config": {"plugins": {"extractors": taps, "loaders": loaders}}}

    def _secrets(self) -> dict[str, str]:
        emulator = next(iter(self.emulators.values()))
        secrets = {
            "TARGET_ZOHO_CRM_CLIENT_ID": emulator.client_id,
            "TARGET_ZOHO_CRM_CLIENT_SECRET": emulator.client_secret,
        }
        for name, each in self.emulators.items():
            secrets[f"{name.upper()}_SHOP_URL"] = f"sqlite:///{self.folder / name}.sqlite"
            secrets[f"{name.upper()}_REFRESH_TOKEN"] = each.refresh_token
        return secrets

    def write(self, environment: str, statements: str) -> None:
        """Execute statements in the shop of an environment."""
        engine = sa.create_engine(f"sqlite:///{self.folder / environment}.sqlite")
        with engine.begin() as connection:
            for statement in statements.split(";"):
                connection.exec_driver_sql(statement)
        engine.dispose()

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Start a program in the project's folder, as a user would."""
        without = {name: value for name, value in os.environ.items() if not name.startswith("MELTANO_")}
        return subprocess.run(
            [BIN / program, *arguments],
            cwd=self.folder,
            env={**without, **self.variables, "NO_COLOR": "1", "COLUMNS": "200", **variables},
            capture_output=True,
            text=True,
            timeout=PROCESS_SECONDS,
            check=False,
        )

    def meltano_run(self, environment: str, tap: str) -> int:
        """Run the pair, and return how many records the target has read."""
        done = self.run("meltano", f"--environment={environment}", "run", tap, "target-zoho-crm")
        assert done.returncode == 0, done.stderr
        found = re.search(r": read ([\d,]+)", done.stderr)
        assert found is not None, done.stderr
        return int(found[1].replace(",", ""))
