"""Whose record is it? A success is of this record or none; what others own stays; nothing is made again in silence."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from simulation.legacy import Shop
from simulation.network import Zoho
from simulation.people import Foreign, People

from sync_databases.folded_keys import folded_key

CONFLICTS = frozenset({"KEY_CONFLICT", "DUPLICATE_DATA"})


class Ownership:
    """The laws about records and their orders in one history."""

    def __init__(self, ledger: sqlite3.Connection, shop: Shop, zoho: Zoho, people: People) -> None:
        """Read the ledger, whose rows have names."""
        self._ledger = ledger
        self._shop = shop
        self._zoho = zoho
        self._people = people

    def broken(self, acks: list[Any]) -> Iterator[str]:
        """What is wrong at a quiet point."""
        yield from self._shared_records(acks)
        yield from self._taken_over()
        yield from self._written_over()
        yield from self._made_again(acks)
        for row in self._zoho.writes:
            if row.value.partition("#")[0] != row.key and row.pid not in self._zoho.undoing_pids:
                yield f"the CRM's order {row.key} got what is {row.value}"

    def _shared_records(self, acks: list[Any]) -> Iterator[str]:
        owners: defaultdict[str, list[str]] = defaultdict(list)
        for ack in acks:
            if ack["status"] == "synced":
                owners[ack["zoho_id"]].append(ack["record_key"])
        for record, keys in owners.items():
            if len(keys) > 1:
                yield f"orders {' and '.join(keys)} are called synced with one record, {record}"

    def _taken_over(self) -> Iterator[str]:
        """A person's record is as the person left it, but where jobs find it by its invoice number."""
        if self._people.plan.jobs_match_all:
            return
        there = {record: Foreign(key, notes, invoice) for record, key, notes, invoice in self._zoho.documents()}
        for record, left in self._people.foreign.items():
            if left.key is None and there.get(record) != left:
                yield f"a person's record {record} was taken over: {left} became {there.get(record)}"

    def _written_over(self) -> Iterator[str]:
        """The record of an order that is known by its ack is not written for another one."""
        if self._people.plan.jobs_match_all:
            return
        acked: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for moment, key, record in self._ids():
            if record is not None:
                acked[record].append((moment, key))
        for row in self._zoho.writes:
            owners = {key for moment, key in acked[row.record] if moment < row.moment}
            if owners - {row.key} and row.record not in self._people.touched:
                yield f"order {row.key} was written over the record {row.record} of {', '.join(owners)}"

    def _made_again(self, acks: list[Any]) -> Iterator[str]:
        """An order that got another record is named with both ids."""
        last: dict[str, str | None] = {}
        remade: dict[str, str] = {}
        for _, key, record in self._ids():
            earlier = last.get(key)
            if earlier is not None and record is not None and record != earlier:
                remade[key] = earlier
            last[key] = record
        for ack in acks:
            earlier = remade.get(ack["record_key"])
            if earlier is not None and (ack["remade_run_id"] is None or ack["earlier_zoho_id"] != earlier):
                yield f"order {ack['record_key']} was made again in silence: its record was {earlier}"

    def _ids(self) -> Iterator[tuple[int, str, str | None]]:
        """Each ack written since the ledger was last restored, which forgets: when, whose, with which record."""
        since = "SELECT coalesce(max(rowid), 0) FROM sim_acks WHERE status = 'restored'"
        acks = f"SELECT moment, record_key, zoho_id FROM sim_acks WHERE rowid > ({since}) ORDER BY rowid"
        yield from map(tuple, self._ledger.execute(acks))

    # Excuses

    def stands_against(self, ack: Any) -> bool:
        """Whether an order may be refused for what another one, or a person, has."""
        key = ack["record_key"]
        if ack["status"] not in {"rejected", "parked"} or ack["error_code"] not in CONFLICTS:
            return False
        fold = folded_key(key, folds_case=True)
        alike = any(name != key and folded_key(name, folds_case=True) == fold for name in self._shop.history)
        mine = self._shop.invoices[key]
        others = {each for name, some in self._shop.invoices.items() if name != key for each in some}
        given = any(folded_key(name, folds_case=True) == fold for name in self._people.rekeyed)
        return alike or given or bool(mine & (others | self._people.invoices))

    def changed_by_people(self, ack: Any) -> bool:
        """Whether a person was the last to change an order's record."""
        at = self._people.touched.get(ack["zoho_id"])
        written = [row.moment for row in self._zoho.writes if row.record == ack["zoho_id"]]
        return at is not None and at > max(written, default=0)
