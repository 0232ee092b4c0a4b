"""Changes orders as an application does until its input ends: each one once in flight, and from then on single ones.

`flag_changer.py URL LEDGER_URL UNSET`: every change sets `updated_at` to now and the flag to UNSET. An order is in
flight while its ack says `submitted`; one that changed before it was read would go by another run than the rest. At the
end it tells how many orders it changed in flight.
"""

from __future__ import annotations

import random
import select
import sys
import time
from datetime import datetime, timezone

import sqlalchemy as sa

PAUSE_SECONDS = 0.05
KEYS_PER_STATEMENT = 500


def main(url: str, ledger_url: str, unset: str) -> None:
    orders, ledger = (sa.create_engine(each, connect_args=_patience(each)) for each in (url, ledger_url))
    change = sa.text(f"UPDATE orders SET notes = :note, updated_at = :now, synced = {unset} WHERE order_id = :key")
    changed: set[str] = set()
    print("ready", flush=True)  # noqa: T201 - whoever started it waits for it
    while not sa.inspect(ledger).has_table("zoho_sync_ack"):
        time.sleep(PAUSE_SECONDS)
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        with ledger.connect() as connection:
            query = "SELECT record_key FROM zoho_sync_ack WHERE status = 'submitted'"
            flying = set(connection.exec_driver_sql(query).scalars()) - changed
        changed |= flying
        rows = [{"key": key, "note": "changed in flight", "now": now} for key in sorted(flying)]
        some = random.sample(sorted(changed), min(len(changed), 5))
        rows += [{"key": key, "note": f"changed at {time.monotonic()}", "now": now} for key in sorted(some)]
        for start in range(0, len(rows), KEYS_PER_STATEMENT):
            _in_a_transaction(orders, change, rows[start : start + KEYS_PER_STATEMENT])
    print(len(changed))  # noqa: T201 - what it is asked for


def _in_a_transaction(orders: sa.Engine, change: sa.TextClause, rows: list[dict[str, object]]) -> None:
    """Begin anew where InnoDB chose this transaction to end a deadlock, as every application on it must."""
    while True:
        try:
            with orders.begin() as connection:
                connection.execute(change, rows)
                return
        except sa.exc.OperationalError as error:
            if "Deadlock" not in str(error.orig):
                raise


def _patience(url: str) -> dict[str, float]:
    """SQLite's writers wait for each other."""
    return {"timeout": 120} if url.startswith("sqlite") else {}


if __name__ == "__main__":
    main(*sys.argv[1:])
