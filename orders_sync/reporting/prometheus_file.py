"""The status of streams as a file in Prometheus' text format, for the textfile collector of node_exporter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from orders_sync.reporting.status import StreamStatus
from sync_ledger.tables import RUN_COUNTS
from tap_legacy_orders.backlog import Backlog


def write_metrics(file: Path, streams: Sequence[StreamStatus], *, healthy: bool) -> None:
    """Write the file in one go; what is not known has no sample.

    Raises:
        click.ClickException: it cannot be written, or prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed; run: pip install 'orders-sync[metrics]'") from error
    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"orders_sync_{name}", about, labels, registry=registry)

    gauge("healthy", "1 where no limit that was given is passed.").set(healthy)
    acks = gauge("orders", "Orders of the ledger by status.", "stream", "status")
    refused = gauge("refused_orders", "Orders that need a person: refused or parked, and not dismissed.", "stream")
    unsynced = gauge("unsynced_orders", "Orders of the table that the CRM does not have as they are.", "stream")
    age = gauge("oldest_unsynced_seconds", "Age of the oldest change that the CRM does not have.", "stream")
    waiting = gauge("oldest_waiting_seconds", "For how long an order waits for its outcome or next try.", "stream")
    finished = gauge("last_finished_timestamp_seconds", "When the last run finished.", "stream")
    jobs = gauge("open_jobs", "Bulk write jobs that are not settled.", "stream")
    in_doubt = gauge("orders_in_doubt", "Orders of writes that may land late.", "stream")
    last_run = gauge("last_run_records", "What the newest run counted.", "stream", "outcome")
    spent = gauge("credits_24h", "Credits that the runs of all streams spent in 24 hours.")
    for each in streams:
        name = each.stream
        for status, count in each.acks.items():
            acks.labels(name, status).set(count)
        refused.labels(name).set(each.refused)
        jobs.labels(name).set(len(each.open_jobs))
        in_doubt.labels(name).set(each.in_doubt.orders)
        spent.set(each.credits_of_a_day)
        if isinstance(each.backlog, Backlog):
            unsynced.labels(name).set(each.backlog.unsynced)
            age.labels(name).set(each.backlog.oldest_age.total_seconds() if each.backlog.oldest_age else 0)
        since = each.oldest_waiting_at
        waiting.labels(name).set((each.now - since).total_seconds() if since else 0)
        if each.last_finished_at is not None:
            finished.labels(name).set(_timestamp(each.last_finished_at))
        for run in each.runs[:1]:
            for outcome in RUN_COUNTS:
                last_run.labels(name, outcome).set(run.counts[outcome])
    try:
        write_to_textfile(str(file), registry)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}; name another file") from error


def _timestamp(at: datetime) -> float:
    """Seconds since 1970 of a naive UTC time."""
    return at.replace(tzinfo=timezone.utc).timestamp()
