"""The first look of an audit at everything: what is plainly equal is counted, the keys of all else are kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from orders_sync.comparison.crm_records import CrmRecords, ReadingPrice, Record
from orders_sync.comparison.side_store import SideStore
from orders_sync.comparison.written_orders import WrittenOrders
from sync_ledger.audited_acks import AuditedAcks
from sync_ledger.tables import AckStatus
from tap_legacy_orders.every_order import ReadOrders
from target_zoho_crm.compare.values import Verdict

PAGE_ORDERS = 2_000
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
    """What a first look counted; `keyless` are records without a key, and so nobody's of ours."""

    orders: int = 0
    equal: int = 0
    keyless: int = 0
    not_comparable: Counter[str] = field(default_factory=Counter)
    database: SideHash = field(default_factory=SideHash)
    crm: SideHash = field(default_factory=SideHash)


class FirstLook:
    """Reads the CRM and the acks into a store, then the orders, page by page."""

    def __init__(self, written: WrittenOrders, crm: CrmRecords, acks: AuditedAcks, store: SideStore) -> None:
        self._written = written
        self._crm = crm
        self._acks = acks
        self._store = store
        self.found = FirstFound()

    def look(self, price: ReadingPrice) -> FirstFound:
        """Look at everything once.

        Raises:
            ZohoError, TapSyncError, DatabaseError: one side cannot be read.
        """
        for records in self._crm.all(price):
            self._keep(records)
        for page in self._acks.pages():
            self._store.add_acks(page)
        self._store.complete()
        for read in self._written.every.pages(PAGE_ORDERS):
            self._compare(read)
        self._look_at_the_rest()
        return self.found

    def _keep(self, records: Sequence[Record]) -> None:
        keys = [record.get(self._crm.key_field) for record in records]
        self._store.add_records(self._written.folds([key or "" for key in keys]), keys, records)
        names = self._crm.names
        self.found.crm.add(_encode([record["id"], *(record.get(name) for name in names)]) for record in records)

    def _compare(self, read: ReadOrders) -> None:
        found, comparer = self.found, self._written.comparer
        found.orders += len(read.keys)
        found.database.add(read.lines)
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
        for key in plain:
            each = compared.get(key)
            if each is None or each.verdict is Verdict.DIFFERENT:
                candidates.append(key)
            else:
                found.equal += 1
                found.not_comparable.update(each.not_comparable)
        self._store.add_candidates(self._written.folds(candidates), candidates)

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
