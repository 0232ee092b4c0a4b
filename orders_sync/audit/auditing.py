"""One audit: which orders are looked at, what that costs, and what is found of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from orders_sync.audit.judgement import Judged
from orders_sync.audit.kinds import Known, fingerprint_of_all
from orders_sync.audit.repairing import Found
from orders_sync.audit.second_look import KEYS_PER_LOOK, SecondLook
from orders_sync.comparison.crm_records import CrmRecords, look_credits
from orders_sync.comparison.crm_rows import CrmRows
from orders_sync.comparison.first_look import PAGE_ORDERS, FirstFound, FirstLook
from orders_sync.comparison.module_reading import ReadingPrice
from orders_sync.comparison.samples import sample_of
from orders_sync.comparison.side_store import SideStore
from orders_sync.comparison.written_orders import WrittenOrders
from orders_sync.comparison.written_rows import not_compared, written_rows
from sync_databases.chunks import chunks_of
from sync_ledger.audited_acks import AuditedAcks
from sync_ledger.audits import Receipt, accepted, write_receipt
from sync_ledger.ledger import Ledger
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.costs import QUERY_VALUES
from target_zoho_crm.api.limits import CreditMeter


@dataclass(frozen=True, slots=True)
class Scope:
    """Which orders and fields are compared: all, a `sample`, or what was written or changed `since` then (UTC)."""

    sample: int | None = None
    since: datetime | None = None
    fields: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For the receipt."""
        mode = "sample" if self.sample is not None else "all" if self.since is None else "since"
        document: dict[str, Any] = {"orders": mode}
        if self.since is not None:
            document["since"] = self.since.isoformat(" ")
        return document | ({"fields": list(self.fields)} if self.fields else {})


@dataclass(frozen=True, slots=True)
class Price:
    """What an audit costs before any order is looked at a second time.

    `spent` has gone for fields and counts already; `looks_at_most` holds for orders that are all looked at by key.
    `rows`: lines and links by what they go to. `again` is for each 50 orders that are looked at a second time;
    `asks_for_records`: so are records that lines name by a value, 50 for a credit.
    """

    spent: int
    reading: ReadingPrice | None
    looks_at_most: int = 0
    rows: Mapping[str, ReadingPrice] = field(default_factory=dict)
    again: int = 1
    asks_for_records: bool = False

    @property
    def credits(self) -> int:
        """All of it."""
        every = (*self.rows.values(), *(() if self.reading is None else (self.reading,)))
        reading: int = sum(each.credits for each in every)
        return self.spent + reading + self.looks_at_most


@dataclass
class Result:
    """What an audit found, in numbers."""

    orders: int = 0
    records: int | None = None
    equal: int = 0
    keyless: int = 0
    rows: int = 0
    ownerless: int = 0
    looked_again: int = 0
    known: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    not_comparable: Counter[str] = field(default_factory=Counter)
    database_hash: str | None = None
    crm_hash: str | None = None

    def document(self) -> dict[str, Any]:
        """All of it for other programs."""
        names = ("orders", "records", "equal", "keyless", "rows", "ownerless", "looked_again")
        numbers = {name: getattr(self, name) for name in names}
        counters = {name: dict(getattr(self, name)) for name in ("known", "kinds", "fields", "not_comparable")}
        return numbers | counters | {"database_hash": self.database_hash, "crm_hash": self.crm_hash}

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs but what is under way, waits for the next run, or was accepted."""
        unequal = (Known.REFUSED, Known.HELD, Known.NOT_LOOKED_AT)
        return not self.kinds and not any(self.known[each.value] for each in unequal)


class Audit:
    """An audit of one stream. Its methods raise `ZohoError`, `TapSyncError` or `DatabaseError` where a side fails."""

    def __init__(
        self,
        ledger: Ledger,
        stream: str,
        written: WrittenOrders,
        client: ZohoClient,
        credits: CreditMeter,  # noqa: A002 - the field's word
        folder: Path,
        *,
        find_deleted: bool,
    ) -> None:
        """What is read lies in `folder` meanwhile."""
        self._ledger = ledger
        self._stream = stream
        self._written = written
        self._credits = credits
        self._folder = folder
        self._acks = AuditedAcks(ledger, stream)
        self._crm = CrmRecords(client, written, folder)
        every = written_rows(written, client)
        self._rows = [CrmRows(client, each, folder) for each in every]
        self._second = SecondLook(ledger, stream, written, self._crm, self._rows, find_deleted=find_deleted)
        self.not_compared = not_compared(written, every)
        """What of an order is not looked at, and why."""

    def price(self, scope: Scope) -> Price:
        """What it will cost; asks for counts, which cost 1 credit each."""
        fields, again = len(self._crm.names), self._look_credits(QUERY_VALUES)
        asks = any(each.written.asks_for_records for each in self._rows)
        if scope.sample is not None:
            looks = self._look_credits(scope.sample)
            return Price(self._credits.total, None, looks, again=again, asks_for_records=asks)
        counted = self._crm.count(scope.since)
        if scope.since is not None:
            acks = sum(1 for _ in self._acks.keys_since(scope.since))
            records = acks if counted is None else counted
            reading = ReadingPrice.of_queries(records)
            looks = self._look_credits(records + acks)
            return Price(self._credits.total, reading, looks, again=again, asks_for_records=asks)
        records = self._acks.count() if counted is None else counted
        lines = self._written.every.count_lines()
        rows = {
            each.written.name: each.price(records if each.written.by_queries_only else lines) for each in self._rows
        }
        reading = ReadingPrice.of(records, fields)
        return Price(self._credits.total, reading, rows=rows, again=again, asks_for_records=asks)

    def run(self, scope: Scope, price: Price, take: Callable[[Sequence[Found]], None]) -> tuple[Result, str]:
        """Compare, give findings to `take` as they come, and keep a receipt, whose id is given too."""
        with self._ledger.connect() as connection:
            began = self._ledger.now(connection)
        result = Result()
        if scope.sample is not None:
            keys, _ = sample_of(self._written.every.keys(PAGE_ORDERS), scope.sample)
            self._settle(chunks_of(keys, KEYS_PER_LOOK), result, take)
            result.orders = len(keys)
        elif scope.since is not None:
            self._since(scope.since, result, take)
        else:
            self._all(price, result, take)
        return result, self._keep_receipt(began, scope, result)

    def _all(self, price: Price, result: Result, take: Callable[[Sequence[Found]], None]) -> None:
        if price.reading is None:
            raise AssertionError("all records are read, and that has a price")
        store = SideStore(self._folder, self._crm.names)
        try:
            look = FirstLook(self._written, self._crm, self._rows, self._acks, store)
            first = look.look(price.reading, list(price.rows.values()))
            _note_first(first, result)
            result.records = store.records
            self._settle(store.candidates(KEYS_PER_LOOK), result, take)
        finally:
            store.close()

    def _since(self, since: datetime, result: Result, take: Callable[[Sequence[Found]], None]) -> None:
        store = SideStore(self._folder, ())
        holds = self._written.every.table.partition.holds
        try:
            for keys in (self._crm.keys_since(since), self._acks.keys_since(since), self._keys_of_rows(since)):
                for some in chunks_of((key for key in keys if holds(key)), PAGE_ORDERS):
                    store.add_candidates(self._written.folds(some), some)
            result.orders = store.count_candidates()
            self._settle(store.candidates(KEYS_PER_LOOK), result, take)
        finally:
            store.close()

    def _keys_of_rows(self, since: datetime) -> Iterator[str]:
        """The keys of orders of which a line changed since then."""
        for rows in self._rows:
            for ids in chunks_of(rows.orders_since(since), PAGE_ORDERS):
                for record in self._crm.of_ids(ids).values():
                    if record.get(self._crm.key_field):
                        yield str(record[self._crm.key_field])

    def _look_credits(self, orders: int) -> int:
        """What looking so many orders up by key costs, with their lines and links."""
        of_rows = sum(each.look_credits(orders) for each in self._rows)
        return look_credits(orders, len(self._crm.names)) + of_rows

    def _settle(self, parts: Iterable[list[str]], result: Result, take: Callable[[Sequence[Found]], None]) -> None:
        """Look at some orders again, and count what they are."""
        for some in parts:
            if not self._can_pay_for(len(some)):
                result.known[Known.NOT_LOOKED_AT.value] += len(some)
                continue
            judged = self._second.settle(some)
            result.looked_again += len(some)
            found = list(self._without_accepted(judged, result))
            _count(judged, found, result)
            take(found)

    def _can_pay_for(self, keys: int) -> bool:
        left = self._credits.room()
        # By key, by id for those whose key nothing holds, and once who we are.
        most = self._look_credits(keys) + look_credits(keys, len(self._crm.names)) + 1
        return left is None or left >= most

    def _without_accepted(self, judged: Mapping[str, Judged], result: Result) -> Iterator[Found]:
        found = {key: each for key, each in judged.items() if each.findings}
        known = accepted(self._ledger, self._stream, found) if found else {}
        for key, each in found.items():
            if known.get(key) == fingerprint_of_all(each.findings):
                result.known[Known.ACCEPTED.value] += 1
            elif each.side is not None:
                yield each.findings, each.side

    def _keep_receipt(self, began: datetime, scope: Scope, result: Result) -> str:
        with self._ledger.connect() as connection:
            ended = self._ledger.now(connection)
        receipt = Receipt(
            began_at=began,
            ended_at=ended,
            scope=scope.document() | {"not_compared": self.not_compared, "rows": result.rows},
            found=dict(result.kinds) | {name: count for name, count in result.known.items() if count},
            orders=result.orders,
            records=result.records or 0,
            equal=result.equal,
            credits=self._credits.total,
            database_hash=result.database_hash,
            crm_hash=result.crm_hash,
        )
        return write_receipt(self._ledger, self._stream, receipt)


def _note_first(first: FirstFound, result: Result) -> None:
    result.orders, result.equal, result.keyless = first.orders, first.equal, first.keyless
    result.not_comparable.update(first.not_comparable)
    result.rows, result.ownerless = first.rows, first.ownerless
    result.database_hash, result.crm_hash = first.database.text, first.crm.text


def _count(judged: Mapping[str, Judged], found: Sequence[Found], result: Result) -> None:
    for each in judged.values():
        if each.known is not None:
            result.known[each.known.value] += 1
        elif not each.findings and each.side is not None and each.side.version is not None:
            result.equal += 1
    for findings, _ in found:
        for finding in findings:
            result.kinds[finding.kind.value] += 1
            result.fields.update(finding.fields)
