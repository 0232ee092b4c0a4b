"""A ledger that holds a week: runs every two hours, some that failed, jobs, refused orders, and orders that wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from ledger_runs import run_row

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.ledger import Ledger
from sync_ledger.tables import RUN_COUNTS, AckStatus

BEGAN = datetime(2026, 3, 2, 0, 5)  # noqa: DTZ001 - the ledger's times are naive UTC
RUNS = 84
HOSTILE = '</style><script>alert("1")</script>'


def fill_week(ledger: Ledger) -> datetime:
    """Fill an empty ledger; gives the end of its last run."""
    with ledger.begin() as connection:
        for number in range(RUNS):
            for stream in ("orders", "customers") if number % 12 == 0 else ("orders",):
                connection.execute(sa.insert(ledger.tables.run), _run(number, stream))
        for number in range(9):
            connection.execute(sa.insert(ledger.tables.job), _job(number))
        write_acks(connection, ledger.tables.ack, Acks.of(_acks()))
        last = sa.select(sa.func.max(ledger.tables.run.c.finished_at))
        end: datetime = connection.execute(last).scalar_one()
    return end


def _run(number: int, stream: str) -> dict[str, Any]:
    started = BEGAN + timedelta(hours=2 * number)
    seconds = 90 + 37 * (number % 7) + (2_400 if number % 24 == 5 else 0)
    finished = started + timedelta(seconds=seconds)
    counts = dict.fromkeys(RUN_COUNTS, 0)
    counts |= {"synced": 400 + 311 * (number % 9), "unchanged": 60 * (number % 4), "rejected": number % 5}
    if number % 24 == 5:
        counts |= {"unsynced": 150, "parked": 3}
    counts["read"] = sum(counts.values())
    identity = f"{stream[0]}{number:031d}"
    ended = "died" if number in {17, 18} else "failed" if number % 24 == 5 else "finished"
    facts = {f"{name}_count": count for name, count in counts.items()}
    spent = 60 + 31 * (number % 9) + (500 if number % 9 == 0 else 0)
    return run_row(identity, started, finished, stream=stream, how_ended=ended, credits=spent, **facts)


def _job(number: int) -> dict[str, Any]:
    intended = BEGAN + timedelta(hours=18 * number, minutes=2)
    is_open = number == 8
    return {
        "job_id": f"{number:032d}",
        "stream": "orders",
        "run_id": f"o{9 * number:031d}",
        "module": "Orders",
        "step": "created" if is_open else "applied",
        "row_count": 9_000 + 1_700 * number,
        "zoho_job_id": str(4_876_000 + number),
        "credits": 500,
        "intended_at": intended,
        "updated_at": intended + timedelta(minutes=2 + 3 * number),
    }


def _acks() -> list[Ack]:
    at = BEGAN + timedelta(days=6)
    acks = [Ack("orders", f"SO-{number:05d}", "v", AckStatus.SYNCED, at, zoho_id=str(number)) for number in range(400)]
    acks += [Ack("customers", f"C-{number}", "v", AckStatus.SYNCED, at, zoho_id=f"9{number}") for number in range(40)]
    causes = (
        ("INVALID_DATA", "Status", 14, 'Status "Shiped" is not in the picklist (did you mean "Shipped"?)', None),
        ("DUPLICATE_DATA", "Invoice_Number", 6, "duplicate data", None),
        ("CALL_FAILED", None, 9, "POST /crm/v8/Orders/upsert: HTTP 502", at + timedelta(hours=1)),
        (HOSTILE, HOSTILE, 2, HOSTILE, None),
    )
    for code, field, orders, message, due in causes:
        acks += [
            Ack(
                "orders",
                f"{code[:8]}-{number}",
                "v",
                AckStatus.REJECTED,
                at - timedelta(hours=number),
                family="transient" if due else "data",
                error_code=code,
                error_field=field,
                error_message=message,
                next_attempt_at=due,
            )
            for number in range(orders)
        ]
    parked: dict[str, Any] = {
        "family": "transient",
        "error_code": "BREAKS_CALLS",
        "error_field": "Status",
        "attempts": 12,
    }
    acks += [Ack("orders", f"P-{number}", "v", AckStatus.PARKED, at, **parked) for number in range(3)]
    acks += [Ack("orders", f"J-{number}", "v", AckStatus.SUBMITTED, at, job_id=f"{8:032d}") for number in range(25)]
    return acks
