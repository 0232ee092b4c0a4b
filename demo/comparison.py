"""Compares the CRM with the legacy database and the ledger, order by order and field by field.

It knows nothing of how the target converts: it states anew what each legacy value must look like in the CRM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from demo.shop import ORDERS
from sync_ledger.ledger import Ledger

KEY_FIELD = "parent_id"
SHOWN = 10
"""Differences that are listed; the rest is only counted."""


@dataclass
class Findings:
    """What the comparison counted and what it did not like."""

    orders: int = 0
    equal: int = 0
    acks: int = 0
    synced: int = 0
    """Acks that are `synced` for the order's own CRM record."""
    differences: list[str] = field(default_factory=list)
    difference_count: int = 0

    def note(self, difference: str) -> None:
        """Count a difference, and keep the first few."""
        self.difference_count += 1
        if len(self.differences) < SHOWN:
            self.differences.append(difference)


def compare(orders: sa.Engine, records: Iterable[Mapping[str, Any]], ledger: Ledger) -> Findings:
    """Hold each CRM record against its legacy row, and each ack against the record."""
    with orders.connect() as connection:
        legacy = {row["order_id"]: row for row in connection.execute(sa.select(ORDERS)).mappings()}
    findings = Findings(orders=len(legacy))
    record_ids: dict[str, str] = {}
    for record in records:
        key = record[KEY_FIELD]
        if key in record_ids:
            findings.note(f"{key}: twice in the CRM, as {record_ids[key]} and as {record['id']}")
        record_ids[key] = record["id"]
        row = legacy.get(key)
        if row is None:
            findings.note(f"{key}: in the CRM, and not in the legacy database")
        elif _all_equal(key, row, record, findings):
            findings.equal += 1
    for key in legacy.keys() - record_ids.keys():
        findings.note(f"{key}: not in the CRM")
    _compare_acks(ledger, record_ids, findings)
    return findings


def _all_equal(key: str, row: Mapping[Any, Any], record: Mapping[str, Any], findings: Findings) -> bool:
    equal = True
    for column in ORDERS.columns:
        if column.primary_key:
            continue
        name = _FIELDS[column.name]
        legacy = _as_crm(row[column.name], column.type)
        if column.name == "tags_list" and legacy is not None:
            legacy = legacy.split(";")
        crm = _read(column.type, record[name])
        if legacy != crm:
            equal = False
            findings.note(f"{key}: {name} is {crm!r} in the CRM, {column.name} is {legacy!r} in the legacy row")
    return equal


_FIELDS = {column.name: "_".join(part.capitalize() for part in column.name.split("_")) for column in ORDERS.columns}
"""Legacy column to CRM field: order_date is Order_Date."""


def _as_crm(value: Any, kind: sa.types.TypeEngine[Any]) -> Any:
    """A legacy value as the CRM must have it; naive times are UTC."""
    if value is None:
        return None
    if isinstance(kind, sa.DateTime):
        return value.replace(tzinfo=timezone.utc)
    if isinstance(kind, sa.Date):
        return value.isoformat()
    return value


def _read(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    """A CRM value, as read from its JSON, in the type of its legacy column."""
    if value is None:
        return None
    for sort, read in _READERS.items():
        if isinstance(kind, sort):
            return read(value)
    return value


_READERS: Mapping[type[sa.types.TypeEngine[Any]], Callable[[Any], Any]] = {
    sa.DateTime: datetime.fromisoformat,
    sa.Integer: int,  # bigint fields are text in JSON
    sa.Numeric: lambda value: Decimal(str(value)),
}


def _compare_acks(ledger: Ledger, record_ids: Mapping[str, str], findings: Findings) -> None:
    ack = ledger.tables.ack
    with ledger.connect() as connection:
        for key, status, zoho_id in connection.execute(sa.select(ack.c.record_key, ack.c.status, ack.c.zoho_id)):
            findings.acks += 1
            if status == "synced" and zoho_id is not None and zoho_id == record_ids.get(key):
                findings.synced += 1
            else:
                findings.note(f"{key}: its ack says {status} as {zoho_id}; the CRM has {record_ids.get(key)}")
