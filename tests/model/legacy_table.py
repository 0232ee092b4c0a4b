"""The legacy side of the state machine: orders are written, removed, put back, and committed late."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from reference import LOOKBACK, Order, Reference, Version
from steps import Shop

from sync_databases.keys import NO_VERSION
from sync_ledger.tables import AckStatus

KEYS = "ABCD"

keys = st.sampled_from(KEYS)
removable = st.sampled_from(KEYS[1:])
"""Never all of them: a table without any row is taken for a mistake."""

one_of_them = st.integers(0, 3)


class LegacyTable(RuleBasedStateMachine):
    """Writes go to the table of `shop` and to the reference, with a serial for each new content."""

    shop: Shop

    def __init__(self) -> None:
        super().__init__()
        self.reference = Reference()
        self.serial = 0
        self.versions: dict[Version, str] = {}
        self.late: list[tuple[str, datetime]] = []
        self.removed: dict[str, Order] = {}

    @property
    def now(self) -> datetime:
        return self.reference.now

    def write(self, key: str, moment: datetime | None, serial: int | None = None) -> None:
        """Insert or change an order; a `serial` of before means that nothing of it differs from then."""
        if serial is None:
            serial = self.serial = self.serial + 1
        text = None if moment is None else moment.isoformat(" ")
        self.versions[key, serial] = text or NO_VERSION
        self.reference.orders[key] = Order(serial, moment)
        self.shop.sql("INSERT OR REPLACE INTO orders VALUES (:k, :c, :m)", k=key, c=serial, m=text)

    def _is_new(self, key: str, version: str) -> bool:
        return all(known != version for (other, _), known in self.versions.items() if other == key)

    @rule(key=keys)
    def an_order_is_written(self, key: str) -> None:
        self.write(key, self.now)

    @rule(key=keys)
    def an_order_without_a_moment_is_inserted(self, key: str) -> None:
        if key not in self.reference.orders and self._is_new(key, NO_VERSION):
            self.write(key, None)

    @rule(key=removable)
    def an_order_is_removed(self, key: str) -> None:
        if key in self.reference.orders:
            self.removed[key] = self.reference.orders.pop(key)
            self.shop.sql("DELETE FROM orders WHERE id = :k", k=key)

    @rule(key=removable)
    def an_order_is_put_back_as_it_was(self, key: str) -> None:
        order, told = self.removed.get(key), self.reference.told.get(key)
        if order is None or key in self.reference.orders:
            return
        known = told is not None and (told.serial == order.serial or told.status is AckStatus.DELETED)
        if known or order.moment is None or self._in_lookback(order.moment):
            self.write(key, order.moment, order.serial)

    @rule(key=keys)
    def a_transaction_begins(self, key: str) -> None:
        self.late.append((key, self.now))

    @precondition(lambda self: self.late)
    @rule(which=one_of_them)
    def a_transaction_is_committed(self, which: int) -> None:
        key, moment = self.late.pop(which % len(self.late))
        if self._in_lookback(moment) and self._is_new(key, moment.isoformat(" ")):
            self.write(key, moment)

    def _in_lookback(self, moment: datetime) -> bool:
        return self.now - moment < LOOKBACK
