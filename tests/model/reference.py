"""The reference model: which orders are due, in ten lines and without a bookmark, pages or SQL.

It goes by `serial`, the true number of an order's content, where the product has only texts of moments to go by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sync_ledger.tables import AckStatus

START = datetime(2026, 1, 1, 8)  # noqa: DTZ001 - the shop's clock has no zone
SETTLE = timedelta(seconds=2)
LOOKBACK = timedelta(seconds=5)
MAX_ATTEMPTS = 3
LONGEST_PAUSE = timedelta(days=1)

SYNCED, REFUSED, LOCKED = "synced", "refused", "locked"
"""What Zoho may do with a record: take it, refuse it for good, refuse it for now."""

Fates = Mapping[str, str]
"""What Zoho does with each order, by key."""

Version = tuple[str, int]
"""An order's key, and the serial of its content."""


@dataclass(frozen=True)
class Order:
    """A row of the legacy table."""

    serial: int
    moment: datetime | None


@dataclass(frozen=True)
class Told:
    """The last word on an order; `serial` is None where the word is that it is gone."""

    serial: int | None
    status: AckStatus
    due: datetime | None = None
    attempts: int = 0
    in_crm: bool = False


@dataclass
class Reference:
    """What the legacy table holds, what was said of each order, and what follows from the two."""

    now: datetime = START
    orders: dict[str, Order] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)

    def due(self) -> set[Version]:
        """The orders that a run beginning now must stream."""
        return {
            (key, order.serial)
            for key, order in self.orders.items()
            if (order.moment is None or order.moment <= self.now - SETTLE) and self._unsynced(key, order)
        }

    def _unsynced(self, key: str, order: Order) -> bool:
        told = self.told.get(key)
        if told is None or told.status is AckStatus.SUBMITTED:
            return told is None
        return told.serial != order.serial or (told.due is not None and told.due <= self.now)

    def gone(self) -> set[str]:
        """The orders whose deletion a run must stream."""
        in_doubt = (AckStatus.DELETED, AckStatus.SUBMITTED)
        return {
            k for k, told in self.told.items() if k not in self.orders and told.in_crm and told.status not in in_doubt
        }

    # What is said

    def submitted(self, rows: Mapping[str, int]) -> None:
        """A job of these orders was noted."""
        for key, serial in rows.items():
            self.told[key] = self._next(key, serial, AckStatus.SUBMITTED, tried=0)

    def given_back(self, keys: Iterable[str]) -> None:
        """Their job surely never came into being."""
        for key in keys:
            self.told[key] = replace(self.told[key], status=AckStatus.REJECTED, due=self.now)

    def synced(self, key: str, serial: int) -> None:
        """Zoho has this version."""
        self.told[key] = replace(self._next(key, serial, AckStatus.SYNCED), in_crm=True)

    def refused(self, key: str, serial: int) -> None:
        """Zoho will not have this version."""
        self.told[key] = self._next(key, serial, AckStatus.REJECTED)

    def locked(self, key: str, serial: int, due: datetime | None) -> None:
        """A refusal that passes by itself. When it is due is the product's choice, whether it is due is not."""
        told = self._next(key, serial, AckStatus.REJECTED)
        if told.attempts >= MAX_ATTEMPTS:
            assert due is None, f"{key} was tried {told.attempts} times and is to be tried again"
            self.told[key] = replace(told, status=AckStatus.PARKED)
        else:
            assert due is not None, f"{key} is never tried again"
            assert self.now <= due <= self.now + LONGEST_PAUSE
            self.told[key] = replace(told, due=due)

    def deleted(self, key: str) -> None:
        """The CRM has let go of it."""
        self.told[key] = Told(None, AckStatus.DELETED, attempts=1)

    def _next(self, key: str, serial: int, status: AckStatus, tried: int = 1) -> Told:
        before = self.told.get(key)
        same = before is not None and before.serial == serial
        return Told(
            serial,
            status,
            attempts=tried + (before.attempts if before is not None and same else 0),
            in_crm=before is not None and before.in_crm,
        )


@dataclass
class Zoho:
    """The CRM, and the jobs that lie there."""

    crm: dict[str, int] = field(default_factory=dict)
    """Which content each order has there."""
    waiting: dict[str, Mapping[str, int]] = field(default_factory=dict)
    """Jobs not worked off yet. Of a job that was created twice the second one waits: docs name that limit."""
    results: dict[str, Fates] = field(default_factory=dict)

    def create(self, job_id: str, rows: Mapping[str, int]) -> None:
        """Take a job, perhaps for the second time."""
        self.waiting[job_id] = rows
        self.results.pop(job_id, None)

    def work_off(self, job_id: str, fates: Fates) -> None:
        """Carry a job out."""
        self.take_effect(self.waiting.pop(job_id), fates)
        self.results[job_id] = fates

    def take_effect(self, rows: Mapping[str, int], fates: Fates) -> None:
        """Write what is not refused."""
        self.crm.update((key, serial) for key, serial in rows.items() if fates[key] == SYNCED)
