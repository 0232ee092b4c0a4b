"""Whether another program writes into the module with the rights of the token's user, since the last run ended."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa

from orders_sync.checks.crm_checks import open_client
from orders_sync.checks.findings import EXPECTED, Findings, Result
from orders_sync.checks.set_up_checks import ledger_of
from sync_ledger.job_journal import list_jobs, open_of_stream
from sync_ledger.ledger import Ledger
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.costs import PAGE_ROWS
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.settings import Settings
from target_zoho_crm.target import TargetZohoCRM

CLOCKS_DIFFER_BY = timedelta(minutes=1)
"""The ledger's clock and Zoho's."""


def check_other_clients(findings: Findings, tap: TapLegacyOrders | None, target: TargetZohoCRM | None) -> None:
    """Warn of records that this token's user wrote after our last run. Costs 2 credits.

    What cannot be asked was said by other checks, or is no business of this one.
    """
    if tap is None or target is None or target.config.get("ack_url") is None:
        return
    with suppress(*EXPECTED):
        settings = Settings.read(target.config)
        with ledger_of(settings) as ledger:
            ended = None if ledger is None else _at_rest_since(ledger, tap.stream_name)
        if ended is None:
            return
        module = settings.stream(tap.stream_name).module
        with open_client(settings, CreditMeter()) as client:
            found = _written_since(client, module, ended + CLOCKS_DIFFER_BY)
        if found:
            findings.add(
                "Other clients",
                Result.WARNING,
                f"{found} of the last changed records of {module} were written with the rights of this token's user "
                f"since the last run ended ({ended:%Y-%m-%d %H:%M:%S} UTC), by no run of this ledger",
                "Give the pair a user of its own, and a module one ledger: two of them overwrite each other.",
            )


def _at_rest_since(ledger: Ledger, stream: str) -> datetime | None:
    """When the last run of a stream ended (naive UTC); None where there was none, or writes may be under way."""
    tables = ledger.tables
    run = tables.run
    with ledger.connect() as connection:
        lives = sa.select(run.c.run_id).where(run.c.stream == stream, run.c.finished_at.is_(None))
        writes = sa.select(tables.write.c.write_id).where(tables.write.c.stream == stream)
        under_way = any(connection.execute(query.limit(1)).first() for query in (lives, writes))
        if under_way or list_jobs(connection, open_of_stream(tables.job), stream):
            return None
        latest = sa.select(sa.func.max(run.c.finished_at)).where(run.c.stream == stream)
        found: datetime | None = connection.execute(latest).scalar()
    return found


def _written_since(client: ZohoClient, module: str, since: datetime) -> int:
    """How many of the last 200 records that were changed since then this token's user changed."""
    us = str(client.current_user().get("id"))
    rows, _ = client.query(
        f"select id, Modified_By from {module} where Modified_Time > '{since:%Y-%m-%dT%H:%M:%S}+00:00' "  # noqa: S608 - COQL
        f"order by Modified_Time desc limit {PAGE_ROWS}"
    )
    return sum(isinstance(row.get("Modified_By"), dict) and str(row["Modified_By"].get("id")) == us for row in rows)
