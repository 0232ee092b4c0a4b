"""What an order is by table, ledger and CRM, once all three are known. Pure, but for who a user is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from orders_sync.audit.kinds import Finding, Kind, Known, fingerprint_of, fingerprint_of_all
from orders_sync.comparison.module_reading import Record
from orders_sync.comparison.written_orders import MODIFIED_TIME
from orders_sync.comparison.written_rows import RowDifferences
from sync_ledger.audited_acks import AuditedAck
from sync_ledger.tables import AckStatus
from sync_ledger.written_mappings import NOTHING_LACKING, Lacking
from target_zoho_crm.compare.records import Compared
from target_zoho_crm.compare.values import NO_VALUE

Person = Callable[[Record], str | None]
"""Who changed a record last, if it was not us."""


@dataclass(frozen=True, slots=True)
class Side:
    """One order from all sides.

    `version` is None where the table has no such order. `records` hold its key, or one that is taken for it; `strayed`
    is the record that the ack names, where none does. `compared` is there for an order with one record, if it can be
    written, and `rows` are its lines and links that differ; `rows_refused`: they cannot be written, nor compared.
    `replication` is the field that shows the order's version, if one does. `lacking`: what the mapping that it was
    written by did not write.
    """

    version: str | None
    ack: AuditedAck | None
    records: Sequence[Record]
    strayed: Record | None
    compared: Compared | None
    filtered_out: bool
    key_field: str
    replication: str | None
    rows: Sequence[RowDifferences] = ()
    rows_refused: bool = False
    lacking: Lacking = NOTHING_LACKING


@dataclass(frozen=True, slots=True)
class Judged:
    """What an order is: as it should be, known to be otherwise, or what was found; `side` where all were read."""

    known: Known | None = None
    findings: Sequence[Finding] = ()
    side: Side | None = None


def judge(key: str, side: Side, person: Person, *, find_deleted: bool) -> Judged:
    """Judge one order of which nothing is under way."""
    if side.version is not None and side.records:
        return Judged(None, _each_kind_once(_with_record(key, side, person), _of_rows(key, side, person)), side)
    if side.version is not None:
        return Judged(None, [_without_record(key, side, person)], side)
    if side.records and side.filtered_out:
        return Judged(Known.FILTERED_OUT)
    if side.records and find_deleted and side.ack is not None and side.ack.is_synced:
        return Judged(Known.WAITING)
    found = _without_order(key, side)
    return Judged(None, [] if found is None else [found], side)


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


def _with_record(key: str, side: Side, person: Person) -> Iterator[Finding]:
    if len(side.records) > 1:
        yield _finding(Kind.DOUBLED, key, side, detail=_ids(side))
        return
    ack, record, compared = side.ack, side.records[0], side.compared
    different = compared.different if compared is not None else ()
    if ack is None:
        yield _finding(Kind.UNKNOWN_TO_LEDGER, key, side, record, different)
    elif ack.version != side.version:
        yield _finding(Kind.OLDER_VERSION, key, side, record, different, detail="the ledger has another version")
    elif ack.zoho_id != str(record["id"]):
        detail = f"the ledger names {ack.zoho_id}" if ack.zoho_id else "the ledger names none"
        yield _finding(Kind.ACK_WITHOUT_RECORD, key, side, record, different, detail=detail)
    elif different:
        yield from _different(key, side, record, person)


def _different(key: str, side: Side, record: Record, person: Person) -> Iterator[Finding]:
    compared, (kind, who) = side.compared or Compared((), ()), _by_whom(record, person)
    earlier = [
        name
        for name in compared.different
        if side.lacking.has(name) and (kind is Kind.DIFFERS or record.get(name) in NO_VALUE)
    ]
    others = [name for name in compared.different if name not in earlier]
    if kind is Kind.DIFFERS and _is_older(side.replication, compared, record):
        kind = Kind.OLDER_VERSION
    if others:
        yield _finding(kind, key, side, record, others, who)
    if earlier:
        yield _finding(Kind.EARLIER_MAPPING, key, side, record, earlier)


def _of_rows(key: str, side: Side, person: Person) -> Iterator[Finding]:
    """What is found of an order's lines and links: one finding a kind."""
    found: dict[Kind, tuple[dict[str, None], list[str]]] = {}
    changed = [row for each in side.rows for row in each.changed]
    for each in side.rows:
        for kind, fields, lines in _kinds_of(each, side.lacking):
            named = found.setdefault(kind, ({}, []))
            named[0].update(dict.fromkeys(fields))
            named[1].extend(lines)
    for kind, (names, keys) in found.items():
        finding = _finding(kind, key, side, side.records[0], tuple(names))
        rows = changed if kind is Kind.LINE_DIFFERS else []
        by_people = next(((row, who) for row in rows if (who := person(row)) is not None), None)
        if by_people is not None:
            finding = replace(finding, who=by_people[1], when=str(by_people[0].get(MODIFIED_TIME)))
        held = {"lines": keys, "rows": [[row.get(name) for name in names] for row in rows]}
        yield replace(finding, lines=tuple(keys), fingerprint=fingerprint_of(kind, side.version, held))


def _each_kind_once(of_record: Iterator[Finding], of_rows: Iterator[Finding]) -> list[Finding]:
    """The findings of one order; of an earlier mapping its record and its lines may both be."""
    found = {finding.kind: finding for finding in of_record}
    for finding in of_rows:
        known = found.get(finding.kind)
        if known is not None:
            fields, both = (*known.fields, *finding.fields), fingerprint_of_all([known, finding])
            finding = replace(finding, fields=fields, fingerprint=both)  # noqa: PLW2901 - with what is known of it
        found[finding.kind] = finding
    return list(found.values())


def _kinds_of(each: RowDifferences, lacking: Lacking) -> Iterator[tuple[Kind, Sequence[str], Sequence[str]]]:
    """Each kind of difference with the fields and the keys that it is about."""
    unwritten = lacking.has(each.name) if each.are_links else lacking.lines
    if each.missing:
        yield Kind.EARLIER_MAPPING if unwritten else Kind.LINE_MISSING, (each.name,), each.missing
    if each.unknown:
        yield Kind.LINE_UNKNOWN, (each.name,), each.unknown
    if each.doubled:
        yield Kind.LINE_DOUBLED, (each.name,), each.doubled
    for line, fields in each.different.items():
        earlier = lacking.has_all_of_line(fields)
        yield Kind.EARLIER_MAPPING if earlier else Kind.LINE_DIFFERS, fields, (line,)
    if each.misplaced:
        yield Kind.LINE_ORDER, (each.name,), ()


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
