"""One side of a comparison, kept on disk by key while the other is read: memory stays flat whatever the number.

The file holds record contents. It lies in a folder that only its owner may read, and goes with the audit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sync_databases.chunks import chunks_of
from sync_ledger.audited_acks import AuditedAck

CACHE_KIB = 8 * 1024
KEYS_PER_LOOKUP = 5_000

_encode = msgspec.json.Encoder(enc_hook=str).encode


class SideStore:
    """Records by folded key, and acks by key; which of them were met is a bit each."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Keep the fields `names` of records."""
        self._names = tuple(names)
        self._database = sqlite3.connect(folder / "sides.sqlite", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            f"PRAGMA cache_size = -{CACHE_KIB}",
            "CREATE TABLE record (number INTEGER PRIMARY KEY, fold TEXT, key TEXT, id TEXT, held BLOB)",
            "CREATE TABLE ack (number INTEGER PRIMARY KEY, key TEXT, facts BLOB)",
            "CREATE TABLE row (kind INTEGER, parent TEXT, id TEXT, held BLOB)",
            "CREATE TABLE candidate (fold TEXT, key TEXT, PRIMARY KEY (fold, key)) WITHOUT ROWID",
        ):
            self._database.execute(statement)
        self._met = {"record": bytearray(1), "ack": bytearray(1)}
        self.records = self.acks = self.rows = 0

    def add_records(
        self, folds: Iterable[str], keys: Iterable[str | None], records: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep some records; `keys` are what their key field holds."""
        names = self._names
        rows = (
            (fold, key, record["id"], _encode([record.get(name) for name in names]))
            for fold, key, record in zip(folds, keys, records, strict=True)
        )
        self._add("INSERT INTO record (fold, key, id, held) VALUES (?, ?, ?, ?)", rows)
        self.records += len(records)

    def add_acks(self, page: Sequence[tuple[str, AuditedAck]]) -> None:
        """Keep some acks."""
        self._add("INSERT INTO ack (key, facts) VALUES (?, ?)", ((key, _encode(ack)) for key, ack in page))
        self.acks += len(page)

    def add_rows(
        self, kind: int, parents: Iterable[str], names: Sequence[str], records: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep some rows of one kind with the ids of their orders' records."""
        rows = (
            (kind, parent, record["id"], _encode([record.get(name) for name in names]))
            for parent, record in zip(parents, records, strict=True)
        )
        self._add("INSERT INTO row VALUES (?, ?, ?, ?)", rows)
        self.rows += len(records)

    def _add(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")

    def complete(self) -> None:
        """Make lookups quick, once all is kept."""
        self._database.execute("CREATE INDEX by_fold ON record (fold)")
        self._database.execute("CREATE INDEX by_key ON ack (key)")
        self._database.execute("CREATE INDEX by_parent ON row (parent, kind)")
        self._met = {"record": bytearray(self.records // 8 + 1), "ack": bytearray(self.acks // 8 + 1)}

    def records_of(self, folds: Collection[str]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
        """The records with these folded keys, which count as met: key, id and fields, by folded key."""
        found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
        query = "SELECT number, fold, key, id, held FROM record WHERE fold IN (SELECT value FROM json_each(?))"
        for number, fold, key, zoho_id, held in self._asked(query, folds):
            self._meet("record", number)
            found.setdefault(fold, []).append((key, zoho_id, self._fields(zoho_id, held)))
        return found

    def acks_of(self, keys: Collection[str]) -> dict[str, AuditedAck]:
        """The acks of these keys, which count as met."""
        found = {}
        query = "SELECT number, key, facts FROM ack WHERE key IN (SELECT value FROM json_each(?))"
        for number, key, facts in self._asked(query, keys):
            self._meet("ack", number)
            found[key] = msgspec.json.decode(facts, type=AuditedAck)
        return found

    def rows_of(self, kind: int, names: Sequence[str], parents: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """The rows of one kind of the orders with these records, by the record's id."""
        found: dict[str, list[dict[str, Any]]] = {}
        query = f"SELECT parent, id, held FROM row WHERE kind = {kind:d} AND parent IN (SELECT value FROM json_each(?))"  # noqa: S608 - a number
        for parent, zoho_id, held in self._asked(query, parents):
            values = dict(zip(names, msgspec.json.decode(held), strict=True))
            found.setdefault(parent, []).append({**values, "id": zoho_id})
        return found

    def rows_without_record(self) -> int:
        """How many rows belong to no record that was read."""
        self._database.execute("CREATE INDEX by_id ON record (id)")
        query = "SELECT count(*) FROM row WHERE NOT EXISTS (SELECT 1 FROM record WHERE record.id = row.parent)"
        (count,) = self._database.execute(query).fetchone()
        return int(count)

    def add_candidates(self, folds: Iterable[str], keys: Iterable[str]) -> None:
        """Keep keys that are to be looked at again, each once, with their folded form."""
        self._add("INSERT OR IGNORE INTO candidate VALUES (?, ?)", zip(folds, keys, strict=True))

    def count_candidates(self) -> int:
        """How many there are."""
        (count,) = self._database.execute("SELECT count(*) FROM candidate").fetchone()
        return int(count)

    def candidates(self, most: int) -> Iterator[list[str]]:
        """These keys, about `most` at a time; those that may be taken for one order's come together."""
        some: list[str] = []
        last: str | None = None
        for fold, key in self._database.execute("SELECT fold, key FROM candidate ORDER BY fold"):
            if len(some) >= most and fold != last:
                yield some
                some = []
            some.append(key)
            last = fold
        if some:
            yield some

    def records_left(self) -> Iterator[tuple[str | None, str]]:
        """Key and id of each record that was not met."""
        met = self._met["record"]
        for number, key, zoho_id in self._database.execute("SELECT number, key, id FROM record"):
            if not met[(number - 1) >> 3] & 1 << ((number - 1) & 7):
                yield key, zoho_id

    def acks_left(self) -> Iterator[tuple[str, AuditedAck]]:
        """Each ack that was not met, with its key."""
        met = self._met["ack"]
        for number, key, facts in self._database.execute("SELECT number, key, facts FROM ack"):
            if not met[(number - 1) >> 3] & 1 << ((number - 1) & 7):
                yield key, msgspec.json.decode(facts, type=AuditedAck)

    def close(self) -> None:
        """Close the file, which its folder removes."""
        self._database.close()

    def _asked(self, query: str, values: Collection[str]) -> Iterator[tuple[Any, ...]]:
        for some in chunks_of(values, KEYS_PER_LOOKUP):
            yield from self._database.execute(query, (_encode(some).decode(),))

    def _meet(self, table: str, number: int) -> None:
        self._met[table][(number - 1) >> 3] |= 1 << ((number - 1) & 7)

    def _fields(self, zoho_id: str, held: bytes) -> dict[str, Any]:
        return {**dict(zip(self._names, msgspec.json.decode(held), strict=True)), "id": zoho_id}
