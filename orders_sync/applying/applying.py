"""A saved plan from end to end: tap and target run as they do, for the orders that are still as they were planned.

What became of each order is read from the ledger afterwards, so that a plan that was killed and applied again counts
what the first time brought over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from orders_sync.actions.target_runs import run_target
from orders_sync.reporting.plan_saving import refuse_other_columns
from orders_sync.reporting.results import run_document, runs_of_group
from sync_databases.chunks import chunks_of, lookup_chunks
from sync_ledger.ledger import Ledger
from sync_ledger.saved_plans import PlannedOrder, SavedPlan
from sync_ledger.tables import AckStatus
from sync_processes.exit_codes import ExitCode
from tap_legacy_orders.every_order import EveryOrder
from tap_legacy_orders.planned_orders import PlannedOrdersTap
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError

ORDERS_AT_A_TIME = 500


class Became(StrEnum):
    """What became of an order of the plan; the value is for people."""

    APPLIED = "applied"
    DONE_BEFORE = "applied before"
    """The CRM had this version already: of an earlier `apply`, or of another run."""
    REFUSED = "refused"
    UNSETTLED = "without an outcome"
    """It was read to be sent, or is on its way, and the run ended before it was known what became of it."""
    MOVED_ON = "moved on"
    """It has another version, or another content, than the plan."""
    GONE = "gone from the table"
    HELD = "held since an undo"
    NOT_DUE = "no longer due"
    """It is as it was planned, and no run would send it now."""
    NOT_SENT = "not sent"
    """The run ended before it came to this one."""


LEFT_OUT = (Became.MOVED_ON, Became.GONE, Became.HELD, Became.NOT_DUE, Became.NOT_SENT)
"""What was left to later runs, or to people."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan. `exit_code` is the run's where it is not 0."""

    plan: SavedPlan
    keys: Mapping[Became, Sequence[str]]
    run: Mapping[str, Any] | None
    problems: Sequence[str] = ()
    exit_code: int = ExitCode.OK

    @property
    def left_out(self) -> int:
        """How many orders were."""
        return sum(len(self.keys[each]) for each in LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Writers:
    """The runs of a plan, which write acks of its orders: of this call, and of calls before."""

    now: Collection[str]
    before: Collection[str]


@dataclass(slots=True)
class _Reading:
    """The tap's lines for the target; what ends them early is kept, so that the target settles what it has."""

    tap: PlannedOrdersTap
    failure: TapConfigError | TapSyncError | None = None
    came_to_its_end: bool = False

    def lines(self) -> Iterator[bytes]:
        try:
            yield from self.tap.stream.messages()
            self.came_to_its_end = True
        except (TapConfigError, TapSyncError) as error:
            self.failure = error


def apply_plan(plan: SavedPlan, ledger: Ledger, tap: PlannedOrdersTap, target_config: Mapping[str, Any]) -> Applied:
    """Send what is still as it was planned, wait, and say what became of each order.

    `tap` reads the orders of the plan. `target_config` is the target's, with its defaults.

    Raises:
        TapConfigError, TapSyncError, DatabaseError: table or ledger cannot be read.
    """
    refuse_other_columns(ledger, tap)
    reading = _Reading(tap)
    # It ends, and its runs are known by the plan.
    config = {**target_config, "run_group": plan.plan_id, "max_age_seconds": None}
    before = {each.run_id for each in runs_of_group(ledger, plan.plan_id)}
    problems, code = run_target(config, reading.lines())
    if reading.failure is not None:
        problems, code = [str(reading.failure), *problems], reading.failure.exit_code
    runs = runs_of_group(ledger, plan.plan_id)
    ours = [each for each in runs if each.run_id not in before]  # none where another run had the stream
    writers = Writers(frozenset(each.run_id for each in ours), before)
    to_the_end = bool(ours) and reading.came_to_its_end
    keys = _became(plan, ledger, tap, writers, came_to_its_end=to_the_end)
    applied = Applied(plan, keys, run_document(ours[-1]) if ours else None, problems, code)
    if code or not (applied.left_out or keys[Became.UNSETTLED]):
        return applied
    return Applied(plan, keys, applied.run, problems, ExitCode.LOOK_FIRST)


def _became(
    plan: SavedPlan, ledger: Ledger, tap: PlannedOrdersTap, writers: Writers, *, came_to_its_end: bool
) -> dict[Became, list[str]]:
    found: dict[Became, list[str]] = {each: [] for each in Became}
    every, given = EveryOrder(tap, ledger), tap.planned.given if writers.now else frozenset[str]()
    for some in chunks_of(list(plan.orders), ORDERS_AT_A_TIME):
        acks = _acks(ledger, plan.stream, some)
        to_look_up = []
        for key in some:
            outcome = by_ack(plan.orders[key], acks.get(key), writers, given=key in given)
            if outcome is None:
                to_look_up.append(key)
            else:
                found[outcome].append(key)
        if to_look_up:
            read = every.by_key(to_look_up)
            versions = dict(zip(read.keys, read.versions, strict=True))
            for key in to_look_up:
                moved_on = key in tap.planned.moved_on or versions.get(key) != plan.orders[key].version
                if key not in versions:
                    found[Became.GONE].append(key)
                elif moved_on:
                    found[Became.MOVED_ON].append(key)
                else:
                    found[Became.NOT_DUE if came_to_its_end else Became.NOT_SENT].append(key)
    return found


def by_ack(planned: PlannedOrder, ack: sa.Row[Any] | None, writers: Writers, *, given: bool) -> Became | None:
    """What the ledger says of an order; None where the table has to say why it was left out.

    `given`: it was read to be sent. An ack says what became of it only where a run of this plan wrote it.
    """
    if ack is not None and ack.status == AckStatus.HELD.value:
        return Became.HELD
    if ack is None or ack.version != planned.version or ack.status == AckStatus.SUBMITTED.value:
        is_on_its_way = ack is not None and ack.version == planned.version
        return Became.UNSETTLED if given or is_on_its_way else None
    is_synced = ack.status == AckStatus.SYNCED.value
    if ack.run_id in writers.now and (given or not is_synced):
        return Became.APPLIED if is_synced else Became.REFUSED
    if given:
        return Became.UNSETTLED
    is_of_plan = ack.run_id in writers.before or ack.run_id in writers.now
    if is_synced and (is_of_plan or planned.content in {None, ack.content}):
        return Became.DONE_BEFORE
    return Became.REFUSED if is_of_plan and not is_synced else None


def _acks(ledger: Ledger, stream: str, keys: Sequence[str]) -> dict[str, sa.Row[Any]]:
    ack = ledger.tables.ack
    query = sa.select(ack.c.record_key, ack.c.version, ack.c.status, ack.c.content, ack.c.run_id).where(
        ack.c.stream == stream
    )

    def look_up() -> dict[str, sa.Row[Any]]:
        with ledger.connect() as connection:
            chunks = lookup_chunks(connection, keys)
            rows = [row for some in chunks for row in connection.execute(query.where(ack.c.record_key.in_(some)))]
        return {row.record_key: row for row in rows}

    return ledger.with_retries(look_up)
