"""Under which mapping each order was written: so it is known which ones lack a field that was mapped later.

Each mapping that a stream was written by has a number, which acks name; the highest is that of the last run. Acks of
before version 5 have none: they are taken for those of the first number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus, LedgerTables

FIRST = 1
RESEND_OLDER = "orders-sync resend --older-than-mapping"
"""What makes these orders due."""


class WrittenMapping(msgspec.Struct, frozen=True, kw_only=True):
    """Which fields are written, each with its source; in byte order of the fields' names."""

    fields: tuple[tuple[str, str], ...]
    line_fields: tuple[tuple[str, str], ...] = ()

    def lacking(self, earlier: WrittenMapping) -> Iterator[str]:
        """The fields that orders lack which were written by an earlier mapping; with the source, if it was another."""
        for now, then, of in (
            (self.fields, earlier.fields, ""),
            (self.line_fields, earlier.line_fields, " of the lines"),
        ):
            known = dict(then)
            for field, source in now:
                if (field, source) not in then:
                    yield f"{field}{of}{f' (from {source})' if field in known else ''}"


@dataclass(frozen=True, slots=True)
class Lacking:
    """What orders lack that an earlier mapping wrote: fields, and those of lines; `lines`: it wrote no line at all.

    `is_known`: else it is not known what the mapping was, and any field may be lacking.
    """

    fields: frozenset[str] = frozenset()
    line_fields: frozenset[str] = frozenset()
    lines: bool = False
    is_known: bool = True

    def has(self, field: str) -> bool:
        """Whether a field is one of them."""
        return field in self.fields or not self.is_known

    def has_all_of_line(self, fields: Collection[str]) -> bool:
        """Whether fields of a line are."""
        return not self.is_known or self.line_fields.issuperset(fields)


NOTHING_LACKING = Lacking()


@dataclass(frozen=True, slots=True)
class OlderOrders:
    """Synced orders that were written before some fields were mapped."""

    fields: tuple[str, ...]
    """() where it is not known which: an earlier version noted just that the mapping changed."""
    orders: int

    def __str__(self) -> str:
        """Say it."""
        *others, last = self.fields or ("",)
        names = f"{', '.join(others)} and {last}" if others else last
        when = f"{names} {'were' if others else 'was'} mapped" if names else "the mapping was as it is now"
        return f"{self.orders:,} orders were written before {when}"


_Known = Mapping[int, WrittenMapping | None]
"""By number; None where a mapping is not known."""


def remember_mapping(lease: Lease, mapping: WrittenMapping, *, changed_before: bool) -> int:
    """Note the mapping of a run that begins, if it is another than that of the last one; returns its number.

    `changed_before`: no mapping is known yet, and this one is not what the orders were written by.
    """
    ledger = lease.ledger

    def known() -> _Known:
        with ledger.connect() as connection:
            return _read(connection, ledger.tables, lease.stream)

    def once() -> int:
        found = known()
        if found and found[max(found)] == mapping:
            return max(found)
        with lease.transaction() as connection:
            # Of two partitions' runs the second one sees what the first has noted.
            connection.execute(sa.update(ledger.tables.identity).values(only_row=1))
            found = _read(connection, ledger.tables, lease.stream)
            if found and found[max(found)] == mapping:
                return max(found)
            first = [] if found or not changed_before else [(FIRST, None)]
            number = max(found, default=FIRST - 1 + len(first)) + 1
            rows = [
                {"stream": lease.stream, "number": each, "described": _text(what)}
                for each, what in (*first, (number, mapping))
            ]
            _remove_unused(connection, ledger.tables, lease.stream, found)
            connection.execute(sa.insert(ledger.tables.mapping), rows)
            return number

    return ledger.with_retries(once)


def older_orders(
    connection: sa.Connection, tables: LedgerTables, stream: str, mapped_now: WrittenMapping | None = None
) -> list[OlderOrders]:
    """Count the synced orders that lack fields which are mapped: by the last run, or as `mapped_now` says of orders."""
    lacking = _lacking(connection, tables, stream, mapped_now)
    if not lacking:
        return []
    ack = tables.ack
    number = number_of(ack)
    query = sa.select(number, sa.func.count()).where(
        ack.c.stream == stream, ack.c.status == AckStatus.SYNCED.value, number.in_(list(lacking))
    )
    counts = {row[0]: row[1] for row in connection.execute(query.group_by(number))}
    numbers: dict[str, list[int]] = defaultdict(list)
    for each, fields in sorted(lacking.items()):
        for field in fields or ("",):
            numbers[field].append(each)
    alike: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for field, those in numbers.items():
        alike[tuple(those)].append(field)
    found = [
        OlderOrders(tuple(filter(None, fields)), sum(counts.get(each, 0) for each in those))
        for those, fields in sorted(alike.items())
    ]
    return [each for each in found if each.orders]


def lacking_now(ledger: Ledger, stream: str, now: WrittenMapping) -> dict[int, Lacking]:
    """What orders lack of what is mapped now, by the number of the mapping that they were written by."""
    with ledger.connect() as connection:
        known = _read(connection, ledger.tables, stream)
    found = {}
    for number, then in known.items():
        if then is None:
            found[number] = Lacking(is_known=False)
        elif then != now:
            found[number] = Lacking(
                frozenset(field for field, source in now.fields if (field, source) not in then.fields),
                frozenset(field for field, source in now.line_fields if (field, source) not in then.line_fields),
                lines=bool(now.line_fields) and not then.line_fields,
            )
    return found


def is_older(
    connection: sa.Connection, tables: LedgerTables, stream: str, mapped_now: WrittenMapping | None = None
) -> sa.ColumnElement[bool]:
    """The condition of acks whose orders lack a field that is mapped, as `older_orders` counts them."""
    return number_of(tables.ack).in_(list(_lacking(connection, tables, stream, mapped_now)))


def number_of(ack: sa.Table) -> sa.ColumnElement[Any]:
    """The number of the mapping that an ack's order was written by."""
    return sa.func.coalesce(ack.c.mapping_number, sa.literal_column(str(FIRST)))


def _lacking(
    connection: sa.Connection, tables: LedgerTables, stream: str, mapped_now: WrittenMapping | None
) -> dict[int, tuple[str, ...]]:
    """What orders lack, by the number of the mapping that they were written by; () where that is not known."""
    known = _read(connection, tables, stream)
    last = known[max(known)] if known else None
    if last is None:
        return {}
    now = last if mapped_now is None else msgspec.structs.replace(last, fields=mapped_now.fields)
    lacking = {number: None if each is None else tuple(now.lacking(each)) for number, each in known.items()}
    return {number: fields or () for number, fields in lacking.items() if fields != ()}


def _read(connection: sa.Connection, tables: LedgerTables, stream: str) -> _Known:
    table = tables.mapping
    query = sa.select(table.c.number, table.c.described).where(table.c.stream == stream)
    return {number: _mapping(text) for number, text in connection.execute(query)}


def _remove_unused(connection: sa.Connection, tables: LedgerTables, stream: str, known: _Known) -> None:
    """Remove the mappings that no ack names any more; the last one stays, since jobs may be of it."""
    ack, table = tables.ack, tables.mapping
    for number in set(known) - {FIRST, max(known, default=FIRST)}:
        named = sa.select(ack.c.record_key).where(ack.c.stream == stream, ack.c.mapping_number == number)
        if connection.execute(named.limit(1)).first() is None:
            connection.execute(sa.delete(table).where(table.c.stream == stream, table.c.number == number))


def _text(mapping: WrittenMapping | None) -> str:
    return "" if mapping is None else msgspec.json.encode(mapping).decode()


def _mapping(text: str) -> WrittenMapping | None:
    try:
        return msgspec.json.decode(text, type=WrittenMapping)
    except msgspec.MsgspecError:
        return None
