"""The status as a person reads it: tables no wider than a screen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table

from orders_sync.output import heading, line, new_table, row
from orders_sync.reporting.health import short
from orders_sync.reporting.status import PastRun, StreamStatus
from orders_sync.reporting.unsynced_count import NotCounted
from sync_ledger.audits import Receipt
from sync_ledger.bindings import Binding
from sync_ledger.partitions import WHOLE
from sync_ledger.tables import RUN_COUNTS, AckStatus
from sync_ledger.undoing import HeldOrders
from sync_ledger.written_mappings import RESEND_OLDER
from tap_legacy_orders.backlog import Backlog

SHORT_ID = 8
ALWAYS_DISPLAYED = ("read", "synced", "rejected")
"""Counts of runs that have a column even when all are 0."""


def display_status(console: Console, streams: Sequence[StreamStatus]) -> None:
    """Print every stream's status."""
    if not streams:
        console.print("The ledger is there, and empty: no run has written to it yet.")
    for status in streams:
        display_stream(console, status)


def display_stream(console: Console, status: StreamStatus) -> None:
    """Print one stream's status."""
    acks = " + ".join(f"{count:,} {name}" for name, count in status.acks.items() if count) or "none yet"
    heading(console, "Stream ", status.stream, f": {sum(status.acks.values()):,} acks = {acks}")
    if status.binding is not None:
        line(console, f"  {_bound(status.binding)}")
    display_backlog(console, status.backlog)
    for older in status.older:
        line(console, f"  {older}; `{RESEND_OLDER}` sends them again")
    if status.due_now or status.due_later:
        console.print(f"  due again: {status.due_now:,} with the next run, {status.due_later:,} later", highlight=False)
    if status.oldest_waiting_at is not None:
        age = short(status.now - status.oldest_waiting_at)
        console.print(f"  the oldest order in a job or due again: {age} since its ack", highlight=False)
    doubt = status.in_doubt
    if doubt.writes or doubt.due:
        until = "" if doubt.until is None else f" until {doubt.until:%Y-%m-%d %H:%M} UTC"
        console.print(
            f"  in doubt: {doubt.orders:,} orders of {doubt.writes:,} writes that may land late{until}, "
            f"{doubt.due:,} more to be compared with the CRM by the next run",
            highlight=False,
        )
    _display_stopped(console, status)
    console.print(f"  credits of the last 24 hours: {status.credits_of_a_day:,}", highlight=False)
    line(console, f"  {_audited(status.last_audit, status.now)}")
    for job in status.open_jobs:
        name = f"open job {job.zoho_job_id}" if job.zoho_job_id else "open job"
        line(console, f"  {name}: {job.orders:,} orders, {job.step}, begun {job.since:%Y-%m-%d %H:%M:%S} UTC")
    if status.runs:
        console.print(_runs_table(status.runs))
    for run in status.runs:
        if run.error:
            line(console, f"{run.started_at:%Y-%m-%d %H:%M:%S} {run.how_ended}: {run.error}")


def _display_stopped(console: Console, status: StreamStatus) -> None:
    """Print what no run writes before something happens."""
    if status.refused:
        last = f", {status.used_up:,} of them after their last try" if status.used_up else ""
        console.print(f"  refused: {status.refused:,}{last}; see `orders-sync problems`", highlight=False)
    dismissed = status.acks[AckStatus.PARKED.value] - status.used_up
    if dismissed:
        again = "until they change or `orders-sync retry` makes them due"
        console.print(f"  dismissed: {dismissed:,}, {again}", highlight=False)
    for held in status.held:
        line(console, f"  {_held(held)}")


def _held(held: HeldOrders) -> str:
    changed = f", {held.changed:,} of them changed since" if held.changed else ""
    return f"held: {held.held:,} undone orders{changed}; `orders-sync release {held.run_id[:SHORT_ID]}`"


def _audited(receipt: Receipt | None, now: datetime) -> str:
    if receipt is None:
        return "no audit yet: `orders-sync audit` compares these orders with the CRM"
    scope = {"all": "all orders", "sample": "a sample", "since": "what had changed"}
    found = ", ".join(f"{count:,} {name}" for name, count in receipt.found.items()) or "all equal"
    what = scope.get(str(receipt.scope.get("orders")), "orders")
    return f"the last audit: {short(now - receipt.ended_at)} ago, {what} ({receipt.orders:,}): {found}"


def _bound(binding: Binding) -> str:
    source = f"from table {binding.source_table} " if binding.source_table else ""
    org = f" of org {binding.org}" if binding.org else ""
    read = f"; read up to {binding.bookmark}" if binding.bookmark else ""
    return f"{source}to module {binding.module}{org}, by {binding.key_field}{read}"


def display_backlog(console: Console, backlog: Backlog | NotCounted) -> None:
    """Print how many orders of the table are unsynced, and since when the oldest is."""
    if isinstance(backlog, NotCounted):
        message = f"  unsynced: orders that no run has read yet are not counted: {backlog.why}"
        line(console, message)
        return
    parts = {
        "new or changed": backlog.new_or_changed,
        "due again": backlog.due,
        "changed while in a job": backlog.behind_a_job,
        "changed just now": backlog.settling,
        "held since they were undone": backlog.held,
    }
    what = " + ".join(f"{count:,} {name}" for name, count in parts.items() if count)
    console.print(f"  unsynced: {backlog.unsynced:,}{f' = {what}' if what else ''}", highlight=False)
    if backlog.by_content:
        line(console, "  orders that changed are not among them: a run finds them, by comparing contents")
    if backlog.oldest is not None:
        age = backlog.oldest_age
        since = "" if age is None else f", {short(age)} ago"
        changed = f"{backlog.oldest.key}, changed at {backlog.oldest.replication_value}{since}"
        line(console, f"  the oldest unsynced: {changed}")


def _runs_table(runs: Sequence[PastRun]) -> Table:
    names = [name for name in RUN_COUNTS if name in ALWAYS_DISPLAYED or any(run.counts[name] for run in runs)]
    split = any(run.partition != WHOLE.name for run in runs)
    counted = ["Seconds", *(name.capitalize() for name in names), "Credits"]
    table = new_table("Run began (UTC)", "Ended", *(["Partition"] if split else []), *counted, right=counted)
    for run in runs:
        row(
            table,
            f"{run.started_at:%Y-%m-%d %H:%M:%S}",
            run.how_ended or "live",
            *([run.partition] if split else []),
            "" if run.seconds is None else f"{run.seconds:.1f}",
            *(f"{run.counts[name]:,}" for name in names),
            f"{run.credits:,}",
        )
    return table
