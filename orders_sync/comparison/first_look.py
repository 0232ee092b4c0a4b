"""The first look of an audit at everything: what is plainly equal is counted, the keys of all else are kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from orders_sync.comparison.crm_records import CrmRecords
from orders_sync.comparison.crm_rows import CrmRows
from orders_sync.comparison.module_reading import ReadingPrice, Record
from orders_sync.comparison.side_store import SideStore
from orders_sync.comparison.written_orders import WrittenOrders
from orders_sync.comparison.written_rows import OrderSide
from sync_databases.chunks import chunks_of
from sync_ledger.audited_acks import AuditedAcks
from sync_ledger.tables import AckStatus
from tap_legacy_orders.every_order import ReadOrders
from target_zoho_crm.compare.values import Verdict

PAGE_ORDERS = 2_000
ORDERS_WITH_ROWS = 500
"""Orders whose lines are compared at a time: an order may have a hundred, each a record."""
HASH_BYTES = 16

_encode = msgspec.json.Encoder(enc_hook=str).encode


class SideHash:
    """A fingerprint of a set of texts, whatever their order."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, texts: Iterable[bytes]) -> None:
        """Add some texts."""
        for text in texts:
            self._sum += int.from_bytes(hashlib.blake2b(text, digest_size=HASH_BYTES).digest(), "big")

    @property
    def text(self) -> str:
        """The fingerprint of all that was added."""
        return f"{self._sum % (1 << 8 * HASH_BYTES):0{2 * HASH_BYTES}x}"


@dataclass
class FirstFound:
    """What a first look counted; `keyless` are records without a key, and so nobody's of ours.

    `rows` are those that the CRM has of lines and links, `ownerless` those of no order's record.
    """

    orders: int = 0
    equal: int = 0
    keyless: int = 0
    rows: int = 0
    ownerless: int = 0
    not_comparable: Counter[str] = field(default_factory=Counter)
    database: SideHash = field(default_factory=SideHash)
    crm: SideHash = field(default_factory=SideHash)


class FirstLook:
    """Reads the CRM and the acks into a store, then the orders, page by page."""

    def __init__(
        self, written: WrittenOrders, crm: CrmRecords, rows: Sequence[CrmRows], acks: AuditedAcks, store: SideStore
    ) -> None:
        self._written = written
        self._crm = crm
        self._rows = rows
        self._acks = acks
        self._store = store
        self.found = FirstFound()

    def look(self, price: ReadingPrice, of_rows: Sequence[ReadingPrice]) -> FirstFound:
        """Look at everything once, by the ways that the prices are for.

        Raises:
            ZohoError, TapSyncError, DatabaseError: one side cannot be read.
        """
        for records in self._crm.all(price):
            self._keep(records)
        for kind, (rows, each) in enumerate(zip(self._rows, of_rows, strict=True)):
            for records in rows.all(each):
                self._keep_rows(kind, rows, records)
        for page in self._acks.pages():
            self._store.add_acks(page)
        self._store.complete()
        for read in self._written.every.pages(PAGE_ORDERS):
            self._compare(read)
        self._look_at_the_rest()
        if self._rows:
            self.found.rows, self.found.ownerless = self._store.rows, self._store.rows_without_record()
        return self.found

    def _keep(self, records: Sequence[Record]) -> None:
        keys = [record.get(self._crm.key_field) for record in records]
        self._store.add_records(self._written.folds([key or "" for key in keys]), keys, records)
        names = self._crm.names
        self.found.crm.add(_encode([record["id"], *(record.get(name) for name in names)]) for record in records)

    def _keep_rows(self, kind: int, rows: CrmRows, records: Sequence[Record]) -> None:
        name, names = rows.written.name, rows.written.names
        self._store.add_rows(kind, map(rows.order_of, records), names, records)
        self.found.crm.add(_encode([name, each["id"], *(each.get(name) for name in names)]) for each in records)

    def _compare(self, read: ReadOrders) -> None:
        found, comparer = self.found, self._written.comparer
        found.orders += len(read.keys)
        found.database.add(read.lines)
        lines = self._written.every.lines_of(read.keys) if self._rows else {}
        found.database.add(b"%s %s" % (key.encode(errors="surrogatepass"), text) for key, text in lines.items())
        folds = self._written.folds(read.keys)
        held, acks = self._store.records_of(folds), self._store.acks_of(read.keys)
        values = self._written.values(read)
        candidates: list[str] = []
        plain: dict[str, Record] = {}
        for key, version, fold in zip(read.keys, read.versions, folds, strict=True):
            records, ack = held.get(fold, ()), acks.get(key)
            known = ack is not None and ack.is_synced and ack.version == version and key in values
            if known and len(records) == 1 and (key, ack and ack.zoho_id) == records[0][:2]:
                plain[key] = records[0][2]
            else:
                candidates += [key, *(other for other, _, _ in records)]
        compared = comparer.compare(list(plain), [values[key] for key in plain], list(plain.values()))
        equal = {
            key: OrderSide(str(plain[key]["id"]), values[key], lines.get(key))
            for key, each in compared.items()
            if each.verdict is not Verdict.DIFFERENT
        }
        for some in chunks_of(list(equal), ORDERS_WITH_ROWS) if self._rows else ():
            for key in self._with_other_rows({key: equal[key] for key in some}):
                equal.pop(key, None)
        for key in plain:
            if key in equal:
                found.equal += 1
                found.not_comparable.update(compared[key].not_comparable)
            else:
                candidates.append(key)
        self._store.add_candidates(self._written.folds(candidates), candidates)

    def _with_other_rows(self, orders: Mapping[str, OrderSide]) -> set[str]:
        """Those of these orders whose lines or links differ."""
        found: set[str] = set()
        ids = [side.record_id for side in orders.values()]
        for kind, rows in enumerate(self._rows):
            held = self._store.rows_of(kind, rows.written.names, ids)
            for key, each in rows.written.compare(orders, held).items():
                if each is None:
                    self.found.not_comparable[rows.written.name] += 1
                elif each:
                    found.add(key)
        return found

    def _look_at_the_rest(self) -> None:
        """Keep the keys of records and acks that belong to no order of the table."""
        holds = self._written.every.table.partition.holds
        left: list[str] = []
        for key, _ in self._store.records_left():
            if not key:
                self.found.keyless += 1
            elif holds(key):
                left.append(key)
        gone = (AckStatus.DELETED.value, AckStatus.REJECTED.value, AckStatus.PARKED.value)
        for key, ack in self._store.acks_left():
            if holds(key) and (ack.zoho_id is not None or ack.status not in gone):
                left.append(key)
        self._store.add_candidates(self._written.folds(left), left)
