"""An Airflow 3 DAG: every five minutes one mapped task a share of the orders, then a look at what became of them.

The pool `zoho_org` holds the org's shared limit over all DAGs: airflow pools set zoho_org 4 "shares at a time".
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

SHARES = int(os.environ.get("ORDERS_SYNC_PARTITIONS", "4"))
BIN = Path(os.environ.get("ORDERS_SYNC_BIN", "/srv/orders/.venv/bin"))
"""Where the pair is installed; not Airflow's own environment."""
RUN_PAIR = os.environ.get("ORDERS_SYNC_RUN_PAIR", "/srv/orders/run-pair")
"""examples/shell/run-pair."""
NEEDS_A_PERSON = {2, 4}
"""Exit codes that no retry helps (docs/exit-codes.md)."""


@dag(
    schedule="*/5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["orders-sync"],
)
def orders_to_crm() -> None:
    """Orders of the legacy database into Zoho CRM."""

    @task(
        pool=os.environ.get("ORDERS_SYNC_POOL", "zoho_org"),
        retries=5,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=15),
    )
    def share(index: int) -> None:
        partition = json.dumps({"index": index, "of": SHARES})
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        variables = {**os.environ, "PATH": path, "TAP_LEGACY_ORDERS_PARTITION": partition}
        code = subprocess.run([RUN_PAIR], env=variables, check=False).returncode
        if code in NEEDS_A_PERSON:
            raise AirflowFailException(f"share {partition} ended with exit code {code}: a person must look")
        if code != 0:
            raise AirflowException(f"share {partition} ended with exit code {code}")

    @task(trigger_rule="all_done", retries=0)
    def status() -> dict[str, Any]:
        """Fails where orders are late or refused; its XCom holds the acks by status."""
        command = [BIN / "orders-sync", "status", "--json", "--max-age", "20m", "--max-rejected", "10"]
        asked = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        told = json.loads(asked.stdout)
        if not told["healthy"]:
            raise AirflowFailException("; ".join(told["complaints"]))
        return {stream["stream"]: stream["acks"] for stream in told["streams"]}

    share.expand(index=list(range(1, SHARES + 1))) >> status()


orders_to_crm()
