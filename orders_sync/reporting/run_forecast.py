"""What a run that began now would do: how many orders, which way, and what that costs. Reads, and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from orders_sync.checks.current_mapping import compile_now
from orders_sync.checks.set_up_checks import set_up_differences
from orders_sync.reporting.open_jobs import read_open_jobs
from orders_sync.reporting.unsynced_count import NotCounted, backlog_of
from sync_ledger.credit_usage import credits_of_a_day
from sync_ledger.first_contact import is_awaited
from sync_ledger.first_load import first_load_is_over
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.quarantine import count_due_quarantined
from sync_ledger.runs import live_run
from sync_ledger.tables import JobStep
from sync_ledger.written_mappings import RESEND_OLDER, WrittenMapping, older_orders
from tap_legacy_orders.backlog import Backlog
from tap_legacy_orders.connections import reading
from tap_legacy_orders.following import refuse_unfit
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.batch import Channel
from target_zoho_crm.lines.line_settings import WriteTo
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_compiler import CompiledStream
from target_zoho_crm.stream_mapping import only_by_calls, written_mapping
from target_zoho_crm.stream_policy import ContactMode
from target_zoho_crm.writing.routing import LineCounts, Plan, Routing, plan, possible_channel

GIVEN_BACK = (JobStep.POOLED.value, JobStep.INTENT.value, JobStep.CALLING.value)
"""Steps of a dead run's job whose orders are sent anew; later ones are adopted."""


@dataclass(frozen=True)
class InLedger:
    """What a run would find in the ledger."""

    given_back: int
    """Orders of jobs that never came into being."""
    adopted_jobs: int
    adopted_orders: int
    alone: int
    """Due orders that broke calls: each goes in a call of its own."""
    by_calls: int
    """Due orders whose jobs left no result: no job takes them any more."""
    first_load: bool
    credits_of_a_day: int
    live_run: str | None


@dataclass(frozen=True)
class Forecast:
    """What a run would do. Sizes are orders; `credits` are for the writes, `reading_credits` for what comes before."""

    stream: str
    module: str
    backlog: Backlog
    in_ledger: InLedger
    orders: int
    jobs: int
    by_jobs: int
    calls: int
    by_calls: int
    left: int
    """Not sent, since `credit_budget` does not suffice."""
    credits: int
    reading_credits: int
    credit_budget: int | None
    refused: Sequence[str]
    """Why it would be refused before its first write; a line for each difference from the ledger's set-up."""
    why: Sequence[str]
    """The arithmetic, as the run will log it, and what else decides."""


def forecast_run(
    tap: TapLegacyOrders, settings: Settings, ledger: Ledger, within: timedelta, *, offline: bool
) -> Forecast:
    """Read orders, ledger and, unless `offline`, the fields of the CRM's module.

    Raises:
        TapConfigError, TapSyncError, DatabaseError, ZohoError: a run would end here too.
    """
    refuse_unfit(follows=tap.follows, find_deleted=tap.find_deleted)
    stream = settings.stream(tap.stream_name)
    backlog = backlog_of(tap, ledger, within)
    if isinstance(backlog, NotCounted):
        raise TapConfigError(f"ack_url: {backlog.why} than the target's; orders would be sent for ever")
    known = _in_ledger(ledger, tap.stream_name, tap.orders_table.partition)
    why: list[str] = []
    channel = _channel(settings, stream, known, why)
    reading_credits, mapped, with_orders = 0, None, False
    if offline:
        why.append("Zoho was not asked: a field that no job can write would send all orders by calls")
    else:
        channel, reading_credits, compiled = _possible_channel(tap, settings, stream, channel, why)
        mapped = written_mapping(compiled.mapping, None)
        with_orders = compiled.lines is not None and compiled.lines.demanded
    lines = _lines_of_an_order(tap, stream, why, with_orders=with_orders)
    orders = backlog.next_run + known.given_back
    routes = _routes(orders, known, channel, settings, lines, reading_credits)
    why += _older(ledger, tap.stream_name, mapped)
    if orders and settings.first_contact is not ContactMode.OFF and is_awaited(ledger, tap.stream_name):
        why.append("not reckoned: about 5 credits of the first contact, whose ten orders go by calls and are read back")
    if settings.skip_unchanged:
        why.append("`skip_unchanged`: orders that hold what was last written cost nothing")
    if tap.find_deleted:
        why.append("`find_deleted`: orders that were deleted or came back are not counted here")
    plans = [each.plan for each in routes]
    return Forecast(
        stream=tap.stream_name,
        module=stream.module,
        backlog=backlog,
        in_ledger=known,
        orders=orders,
        jobs=sum(len(each.job_sizes) for each in plans),
        by_jobs=sum(sum(each.job_sizes) for each in plans),
        calls=sum(each.calls for each in routes),
        by_calls=sum(each.upsert_records for each in plans),
        left=orders - sum(each.records for each in plans),
        credits=sum(each.credits for each in plans),
        reading_credits=reading_credits,
        credit_budget=settings.credit_budget,
        refused=set_up_differences(ledger, tap.stream_name, stream, tap.orders_table, None),
        why=[*_counted(plans), *why],
    )


def _in_ledger(ledger: Ledger, stream: str, partition: Partition) -> InLedger:
    orphans = [
        job
        for job in read_open_jobs(ledger)
        if job.stream == stream
        and job.orphaned
        and not (job.step == JobStep.POOLED.value and partition.has_no_key_of(job.partition))
    ]
    back = [job for job in orphans if job.step in GIVEN_BACK]
    tables = ledger.tables
    with ledger.connect() as connection:
        now = ledger.now(connection)
        alone, by_calls = count_due_quarantined(connection, tables.ack, stream, now)
        first_load = not first_load_is_over(connection, tables.run, stream, partition)
        spent = credits_of_a_day(connection, tables.run, now)
    return InLedger(
        given_back=sum(job.rows for job in back),
        adopted_jobs=len(orphans) - len(back),
        adopted_orders=sum(job.rows for job in orphans) - sum(job.rows for job in back),
        alone=alone,
        by_calls=by_calls,
        first_load=first_load,
        credits_of_a_day=spent,
        live_run=live_run(ledger, stream),
    )


def _older(ledger: Ledger, stream: str, mapped: WrittenMapping | None) -> list[str]:
    with ledger.connect() as connection:
        found = older_orders(connection, ledger.tables, stream, mapped)
    return [f"{each}, and are not sent again by themselves: `{RESEND_OLDER}`" for each in found]


def _channel(settings: Settings, stream: StreamSettings, known: InLedger, why: list[str]) -> Channel:
    """The channel that automations leave."""
    writes = stream.writes
    automations = writes.first_load if known.first_load else writes.later
    channel = writes.channel(settings.channel, automations)
    if channel is not settings.channel:
        why.append(f"by upsert calls only, since a job cannot be set to run {automations}")
    return channel


def _possible_channel(
    tap: TapLegacyOrders, settings: Settings, stream: StreamSettings, channel: Channel, why: list[str]
) -> tuple[Channel, int, CompiledStream]:
    """The channel that the modules' fields leave, what it costs to read them, and how orders are written."""
    credits_ = CreditMeter()
    compiled = compile_now(tap, settings, stream, credits_)
    mapping = compiled.mapping
    reasons = only_by_calls(*compiled, stream.writes.operation, settings.child_rows)
    possible = possible_channel(channel, tap.stream_name, reasons)
    if possible is not channel:
        why.append(f"by upsert calls only: {'; '.join(reasons)}")
    elif mapping.second_step and channel is not Channel.UPSERT:
        names = ", ".join(column.field.api_name for column in mapping.second_step.values())
        why.append(f"orders with a value in {names} may cost more than is reckoned here")
    return possible, credits_.total, compiled


@dataclass(frozen=True, slots=True)
class _Lines:
    """How many lines an order has on average, and how they go (see `LineCounts`)."""

    average: float
    in_subform: bool
    with_orders: bool

    def counts(self, records: int) -> LineCounts:
        """Whole numbers of lines that come to the average."""
        average = self.average
        counts = [int((index + 1) * average) - int(index * average) for index in range(records)]
        return LineCounts(counts, self.in_subform, with_orders=self.with_orders)


def _lines_of_an_order(
    tap: TapLegacyOrders, stream: StreamSettings, why: list[str], *, with_orders: bool
) -> _Lines | None:
    """The lines of an order; None where none are written."""
    lines = tap.lines_table
    if lines is None or stream.lines is None:
        return None
    counts = []
    with reading(tap.engine) as connection:
        for table in (lines, tap.orders_table):
            query = sa.select(sa.func.count()).select_from(sa.table(table.name, schema=table.schema))
            counts.append(connection.execute(query).scalar_one())
    average = counts[0] / max(1, counts[1])
    why.append(f"lines are reckoned as {average:.1f} an order, the average of all")
    return _Lines(average, stream.lines.write_to is WriteTo.SUBFORM, with_orders)


@dataclass(frozen=True, slots=True)
class _Route:
    """Some orders that go one way, and in how many calls."""

    plan: Plan
    calls: int


def _routes(
    orders: int,
    known: InLedger,
    channel: Channel,
    settings: Settings,
    lines: _Lines | None,
    reading_credits: int,
) -> list[_Route]:
    """Plan as the target does: each full batch for itself, within what is left of the budget."""
    remaining = None if settings.credit_budget is None else max(0, settings.credit_budget - reading_credits)
    routes = []
    alone = min(known.alone, orders, orders if remaining is None else remaining)
    if alone:
        routes.append(_Route(Plan((), alone, alone, f"{alone:,} records alone, since calls with them failed"), alone))
    by_calls = min(known.by_calls, orders - alone)
    shares = [(by_calls, Channel.UPSERT)] if by_calls else []
    full, rest = divmod(orders - alone - by_calls, settings.bulk_rows)
    shares += [(settings.bulk_rows, channel)] * full + ([(rest, channel)] if rest else [])
    for records, way in shares:
        left = None if remaining is None else max(0, remaining - sum(each.plan.credits for each in routes))
        planned = plan(
            records,
            Routing(way, settings.bulk_rows, settings.bulk_threshold, settings.child_rows),
            lines=None if lines is None else lines.counts(records),
            credits_left=left,
        )
        routes.append(_Route(planned, -(-planned.upsert_records // CALL_RECORDS)))
    return routes


def _counted(plans: Sequence[Plan]) -> list[str]:
    """The lines that the run will log, equal ones once."""
    times = Counter(each.why for each in plans)
    return [f"{count} times: {line}" if count > 1 else line for line, count in times.items()]
