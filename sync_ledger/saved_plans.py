"""Saved plans: which orders a run would have sent, at which version, and with which content where that decides.

A plan is short-lived: after `PLAN_DAYS` it is not found any more, and the next run deletes it.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count, islice
from typing import Any

import msgspec
import sqlalchemy as sa

from sync_ledger.history import PRUNED_AT_A_TIME
from sync_ledger.ledger import Ledger

PLAN_DAYS = 7
"""How long a plan can be applied."""

ORDERS_A_PART = 5_000
"""Orders of one row: some 150 KB at most, which every server's packets hold."""

_ID_DIGITS = 12
_PackedOrders = tuple[list[str], list[str], list[str | None]]


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order as it was planned; `content` is its fingerprint, None where its version alone says what changed."""

    version: str
    content: str | None = None


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan; `saved_at` is naive UTC by the ledger's clock."""

    plan_id: str
    stream: str
    saved_at: datetime
    orders: Mapping[str, PlannedOrder]


def save_plan(ledger: Ledger, stream: str, orders: Iterable[tuple[str, PlannedOrder]]) -> tuple[str, int]:
    """Keep these orders, in the ledger that is there. Returns the plan's id, and how many orders it has.

    Raises:
        DatabaseError: the ledger cannot be written; nobody is told the id of a plan that is not whole.
    """
    plan_id, coming, total = f"plan-{uuid.uuid4().hex[:_ID_DIGITS]}", iter(orders), 0
    for part in count():
        some = dict(islice(coming, ORDERS_A_PART))
        if not some and part:  # an empty plan has a row too
            break
        ledger.transact(partial(_write_part, ledger=ledger, stream=stream, plan_id=plan_id, part=part, orders=some))
        total += len(some)
    return plan_id, total


def _write_part(
    connection: sa.Connection,
    *,
    ledger: Ledger,
    stream: str,
    plan_id: str,
    part: int,
    orders: Mapping[str, PlannedOrder],
) -> None:
    plan = ledger.tables.plan
    versions = [each.version for each in orders.values()]
    contents = [each.content for each in orders.values()]
    row = {
        "plan_id": plan_id,
        "part": part,
        "stream": stream,
        "saved_at": ledger.now(connection),
        "order_count": len(orders),
        "packed": zlib.compress(msgspec.json.encode((list(orders), versions, contents))),
    }
    # Made once more where the answer to a commit was lost.
    connection.execute(sa.delete(plan).where(plan.c.plan_id == plan_id, plan.c.part == part))
    connection.execute(sa.insert(plan), row)


def read_plan(ledger: Ledger, plan_id: str) -> SavedPlan | None:
    """The plan of this id; None where there is none, or it is too old.

    Raises:
        DatabaseError: the ledger cannot be read.
    """
    plan = ledger.tables.plan
    query = sa.select(plan).where(plan.c.plan_id == plan_id).order_by(plan.c.part)

    def look_up() -> tuple[list[sa.Row[Any]], datetime]:
        with ledger.connect() as connection:
            return list(connection.execute(query)), ledger.now(connection)

    rows, now = ledger.with_retries(look_up)
    if not rows or rows[0].saved_at < now - timedelta(days=PLAN_DAYS):
        return None
    orders: dict[str, PlannedOrder] = {}
    for row in rows:
        columns = msgspec.json.decode(zlib.decompress(row.packed), type=_PackedOrders)
        orders |= {key: PlannedOrder(version, content) for key, version, content in zip(*columns, strict=True)}
    return SavedPlan(plan_id, rows[0].stream, rows[0].saved_at, orders)


def prune_plans(ledger: Ledger) -> int:
    """Delete plans that are too old: one portion. Returns how many rows went."""
    plan = ledger.tables.plan

    def once(connection: sa.Connection) -> int:
        old = plan.c.saved_at < ledger.now(connection) - timedelta(days=PLAN_DAYS)
        ids = list(connection.execute(sa.select(plan.c.plan_id).where(old).distinct().limit(100)).scalars())
        if not ids:
            return 0
        return min(connection.execute(sa.delete(plan).where(plan.c.plan_id.in_(ids))).rowcount, PRUNED_AT_A_TIME)

    return ledger.transact(once)
