"""Tries an installed `orders-sync` from outside: every script helps, and a small shop reaches the emulator's CRM.

Run by the Python of an environment, with one database URL or more; imports nothing of the checkout. Prints one line of
JSON: the versions that it found, and in how many databases every order was synced.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

BIN = Path(sys.executable).parent
SCRIPTS = ("tap-legacy-orders", "target-zoho-crm", "orders-sync", "zoho-crm-emulator")
NAMED = ("singer-sdk", "sqlalchemy", "msgspec", "requests", "psycopg", "pymysql", "starlette")
ORDERS = (("SO-1", "Ada", 1.5), ("SO-2", "Zoë", 2), ("SO-3", None, 3.25))
SECONDS = 300


def helps() -> None:
    """Ask each script for help, and each command of `orders-sync`.

    Raises:
        CalledProcessError: one does not give any.
    """
    from orders_sync.cli import COMMANDS  # noqa: PLC0415 - what is tried

    for script in SCRIPTS:
        _run(script, "--help")
    for command in COMMANDS:
        _run("orders-sync", str(command.name), "--help")


def _run(script: str, *words: str) -> None:
    subprocess.run([BIN / script, *words], check=True, capture_output=True, timeout=SECONDS)  # noqa: S603 - ours


def sync(url: str) -> None:
    """Bring a shop's orders from a database into a CRM, and compare.

    Raises:
        AssertionError: an order is not there, or not as it was.
        CalledProcessError: tap or target failed.
    """
    from zoho_crm_emulator.control import EmulatorProcess  # noqa: PLC0415 - the extra is part of what is tried

    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE orders (id VARCHAR(20) PRIMARY KEY, customer_name VARCHAR(40), total_amount DECIMAL(9, 2),"
            " updated_at TIMESTAMP)"
        )
        rows = [{"id": key, "name": name, "total": total} for key, name, total in ORDERS]
        connection.execute(sa.text("INSERT INTO orders VALUES (:id, :name, :total, '2024-05-06 07:08:09')"), rows)
    engine.dispose()
    with EmulatorProcess() as emulator, TemporaryDirectory() as folder:
        target = {
            "client_id": emulator.client_id,
            "client_secret": emulator.client_secret,
            "refresh_token": emulator.refresh_token,
            **dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url),
            "ack_url": url,
        }
        run("tap-legacy-orders", Path(folder), {"sqlalchemy_url": url, "orders_table": "orders"})
        run("target-zoho-crm", Path(folder), target)
        found = {
            (each["parent_id"], each["Customer_Name"], float(each["Total_Amount"]))
            for each in emulator.admin.records("Orders")
        }
    if found != set(ORDERS):
        raise AssertionError(f"the CRM holds {sorted(found, key=str)}")


def run(script: str, folder: Path, config: dict[str, str]) -> None:
    """Run one plugin; what the first writes is what the second reads."""
    file, between = folder / f"{script}.json", folder / "messages.jsonl"
    file.write_text(json.dumps(config))
    between.touch()
    with between.open("rb") as given:
        ended = subprocess.run(  # noqa: S603 - our own command
            [BIN / script, "--config", file], stdin=given, capture_output=True, timeout=SECONDS, check=False
        )
    if ended.returncode:
        raise AssertionError(f"{script} ended {ended.returncode}: {ended.stderr.decode()[-300:]}")
    between.write_bytes(ended.stdout)


def main() -> int:
    """Try everything."""
    helps()
    for url in sys.argv[1:]:
        sync(url)
    versions = {name: importlib.metadata.version(name) for name in NAMED}
    print(json.dumps({"python": platform.python_version(), "databases": len(sys.argv) - 1, **versions}))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
