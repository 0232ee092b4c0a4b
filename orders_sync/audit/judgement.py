"""What an order is by table, ledger and CRM, once all three are known. Pure, but for who a user is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from orders_sync.audit.kinds import Finding, Kind, Known, fingerprint_of
from orders_sync.comparison.crm_records import Record
from orders_sync.comparison.written_orders import MODIFIED_TIME
from sync_ledger.audited_acks import AuditedAck
from sync_ledger.tables import AckStatus
from target_zoho_crm.compare.records import Compared

Person = Callable[[Record], str | None]
"""Who changed a record last, if it was not us."""


@dataclass(frozen=True, slots=True)
class Side:
    """One order from all sides.

    `version` is None where the table has no such order. `records` hold its key, or one that is taken for it; `strayed`
    is the record that the ack names, where none does. `compared` is there for an order with one record, if it can be
    written. `replication` is the field that shows the order's version, if one does.
    """

    version: str | None
    ack: AuditedAck | None
    records: Sequence[Record]
    strayed: Record | None
    compared: Compared | None
    filtered_out: bool
    key_field: str
    replication: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What an order is: as it should be (None), known to be otherwise, or a finding; `side` where all were read."""

    what: Known | Finding | None = None
    side: Side | None = None


def judge(key: str, side: Side, person: Person, *, find_deleted: bool) -> Judged:
    """Judge one order of which nothing is under way."""
    if side.version is not None:
        found = _with_record(key, side, person) if side.records else _without_record(key, side, person)
    elif side.records and side.filtered_out:
        return Judged(Known.FILTERED_OUT)
    elif side.records and find_deleted and side.ack is not None and side.ack.is_synced:
        return Judged(Known.WAITING)
    else:
        found = _without_order(key, side)
    return Judged(found, side)


def _without_order(key: str, side: Side) -> Finding | None:
    ack = side.ack
    deleted = ack is not None and ack.status == AckStatus.DELETED.value
    if not side.records:
        if ack is None or deleted or not (ack.is_synced or ack.zoho_id):
            return None
        return _finding(Kind.ACK_WITHOUT_RECORD, key, side, detail="neither the table nor the CRM has it")
    if len(side.records) > 1:
        return _finding(Kind.DOUBLED, key, side, detail=_ids(side))
    record = side.records[0]
    if deleted and ack is not None and ack.zoho_id == str(record["id"]):
        return None  # marked as deleted, as the settings want it
    detail = "the ledger says that it was deleted" if deleted else "" if ack else "nor does the ledger know it"
    return _finding(Kind.MISSING_IN_DATABASE, key, side, record, detail=detail)


def _without_record(key: str, side: Side, person: Person) -> Finding:
    if side.strayed is None:
        told = "the ledger calls it synced" if side.ack is not None and side.ack.is_synced else "it was never sent"
        return _finding(Kind.MISSING_IN_CRM, key, side, detail=told)
    kind, who = _by_whom(side.strayed, person)
    held = side.strayed.get(side.key_field)
    detail = f"its record has the key {held!r} now" if held else "its record has no key any more"
    return _finding(kind, key, side, side.strayed, (side.key_field,), who, detail)


def _with_record(key: str, side: Side, person: Person) -> Finding | None:
    if len(side.records) > 1:
        return _finding(Kind.DOUBLED, key, side, detail=_ids(side))
    ack, record, compared = side.ack, side.records[0], side.compared
    different = compared.different if compared is not None else ()
    if ack is None:
        return _finding(Kind.UNKNOWN_TO_LEDGER, key, side, record, different)
    if ack.version != side.version:
        return _finding(Kind.OLDER_VERSION, key, side, record, different, detail="the ledger has another version")
    if ack.zoho_id != str(record["id"]):
        detail = f"the ledger names {ack.zoho_id}" if ack.zoho_id else "the ledger names none"
        return _finding(Kind.ACK_WITHOUT_RECORD, key, side, record, different, detail=detail)
    return _different(key, side, record, person) if different else None


def _different(key: str, side: Side, record: Record, person: Person) -> Finding:
    compared, (kind, who) = side.compared or Compared((), ()), _by_whom(record, person)
    if kind is Kind.DIFFERS and _is_older(side.replication, compared, record):
        kind = Kind.OLDER_VERSION
    return _finding(kind, key, side, record, compared.different, who)


def _by_whom(record: Record, person: Person) -> tuple[Kind, str | None]:
    who = person(record)
    return (Kind.DIFFERS, None) if who is None else (Kind.EDITED_BY_PEOPLE, who)


def _is_older(name: str | None, compared: Compared, record: Record) -> bool:
    """Whether the field that shows the version holds an earlier one than would be written."""
    if name is None or name not in compared.written:
        return False
    ours, theirs = compared.written[name], record.get(name)
    times, numbers = (_time(ours), _time(theirs)), (_number(ours), _number(theirs))
    if times[0] is not None and times[1] is not None:
        return times[1] < times[0]
    return numbers[0] is not None and numbers[1] is not None and numbers[1] < numbers[0]


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _ids(side: Side) -> str:
    return "records " + ", ".join(sorted(str(each["id"]) for each in side.records))


def _finding(
    kind: Kind,
    key: str,
    side: Side,
    record: Record | None = None,
    fields: Sequence[str] = (),
    who: str | None = None,
    detail: str = "",
) -> Finding:
    zoho_id = str(record["id"]) if record is not None else side.ack.zoho_id if side.ack is not None else None
    held = {name: record.get(name) for name in fields} if record is not None else {}
    ids = {"ids": sorted(str(each["id"]) for each in side.records)}
    return Finding(
        kind=kind,
        key=key,
        zoho_id=zoho_id,
        fields=tuple(fields),
        who=who,
        when=str(record[MODIFIED_TIME]) if record is not None and record.get(MODIFIED_TIME) else None,
        detail=detail,
        fingerprint=fingerprint_of(kind, side.version, {**held, **ids}),
    )
