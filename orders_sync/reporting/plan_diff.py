"""`orders-sync plan --diff`: what a run would change in the CRM, field by field, before it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from orders_sync.checks.crm_checks import open_client
from orders_sync.comparison.crm_records import CrmRecords, look_credits
from orders_sync.comparison.module_reading import Record
from orders_sync.comparison.samples import sample_of
from orders_sync.comparison.written_orders import WrittenOrders
from orders_sync.output import heading, new_table, row, say
from orders_sync.output import line as print_line
from sync_databases.chunks import chunks_of
from sync_ledger.ledger import Ledger
from tap_legacy_orders.every_order import EveryOrder, ReadOrders
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import QuotaError
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.compare.records import Compared
from target_zoho_crm.settings import Settings
from target_zoho_crm.write_settings import Operation

ORDERS_AT_A_TIME = 500
_EMPTY: tuple[Any, ...] = (None, "", [])


class Change(StrEnum):
    """What a write does to a field that the record has otherwise."""

    SET = "set"
    """The field is empty now."""
    CHANGED = "changed"
    CLEARED = "cleared"
    """The field would be empty."""


@dataclass
class Differences:
    """What a run would change. Sizes are orders; `fields` counts orders by API name and kind of change."""

    stream: str
    module: str
    unsynced: int = 0
    """All that a run would send."""
    compared: int = 0
    new: int = 0
    """The CRM has no record of the key."""
    unchanged: int = 0
    """A write would change nothing."""
    not_written: int = 0
    """Our own check would refuse them, or `operation` leaves them alone."""
    fields: dict[str, Counter[str]] = field(default_factory=dict)
    not_comparable: Counter[str] = field(default_factory=Counter)
    credits: int = 0

    def document(self) -> dict[str, Any]:
        """For other programs."""
        names = ("stream", "module", "unsynced", "compared", "new", "unchanged", "not_written", "credits")
        fields = {
            name: {change.value: counts[change.value] for change in Change} for name, counts in self.fields.items()
        }
        return {name: getattr(self, name) for name in names} | {
            "fields": fields,
            "not_comparable": dict(self.not_comparable),
        }


def find_differences(
    tap: TapLegacyOrders,
    settings: Settings,
    ledger: Ledger,
    *,
    sample: int | None,
    budget: int | None,
    unsynced: Iterable[Sequence[str]] | None = None,
) -> Differences:
    """Compare the orders that a run would send, or some of them by chance, with their records. The price is said first.

    `unsynced` are the keys of these orders, some at a time, where they are known already.

    Raises:
        TapConfigError, TapSyncError, DatabaseError, ZohoError: a run would end here too.
        QuotaError: `budget` does not suffice.
    """
    own, meter = settings.stream(tap.stream_name), CreditMeter(budget)
    every = EveryOrder(tap, ledger)
    with open_client(settings, meter) as client:
        written = WrittenOrders(every, settings, own, client)
        crm = CrmRecords(client, written, Path())
        unsynced = every.unsynced_keys() if unsynced is None else unsynced
        # Keys are held, some 100 bytes each: how many there are is the price.
        found = Differences(tap.stream_name, own.module)
        if sample is None:
            keys = [key for page in unsynced for key in page]
            found.unsynced = len(keys)
        else:
            keys, found.unsynced = sample_of(unsynced, sample)
        price = meter.total + look_credits(len(keys), len(crm.names))
        say(f"{len(keys):,} of {found.unsynced:,} orders: {price:,} credits, {meter.total:,} of them spent", err=True)
        if budget is not None and price > budget:
            raise _too_dear(budget, price)
        for some in chunks_of(keys, ORDERS_AT_A_TIME):
            _compare(every.by_key(some), written, crm, own.writes.operation, found)
    found.credits = meter.total
    return found


def _too_dear(budget: int, price: int) -> QuotaError:
    return QuotaError(OwnCode.CREDIT_BUDGET, f"--budget {budget:,}: it takes {price:,} credits; --sample takes fewer.")


def _compare(
    read: ReadOrders, written: WrittenOrders, crm: CrmRecords, operation: Operation, found: Differences
) -> None:
    found.compared += len(read.keys)
    records = _by_key(crm.of_keys(read.keys), read.keys, written, crm.key_field)
    values = written.values(read)
    there = [key for key in read.keys if key in records and key in values]
    new = [key for key in read.keys if key not in records and key in values]
    found.not_written += len(read.keys) - len(there) - len(new)
    # Compared with nothing: what cannot be written is left out.
    possible = written.comparer.compare(new, [values[key] for key in new], [{} for _ in new])
    found.not_written += len(new) - len(possible)
    if operation is Operation.UPDATE:
        found.not_written += len(possible)
    else:
        found.new += len(possible)
    if operation is Operation.INSERT:
        found.not_written += len(there)
        return
    compared = written.comparer.compare(there, [values[key] for key in there], [records[key] for key in there])
    found.not_written += len(there) - len(compared)
    for key, each in compared.items():
        _count(each, records[key], found)


def _by_key(
    records: Iterable[Record], keys: Sequence[str], written: WrittenOrders, key_field: str
) -> dict[str, Record]:
    """The records that an upsert of these keys would meet."""
    exact = {str(record.get(key_field)): record for record in records}
    alike = dict(zip(written.folds(list(exact)), exact.values(), strict=True))
    found = {key: exact.get(key) or alike.get(fold) for key, fold in zip(keys, written.folds(keys), strict=True)}
    return {key: record for key, record in found.items() if record is not None}


def _count(compared: Compared, record: Record, found: Differences) -> None:
    found.not_comparable.update(compared.not_comparable)
    if not compared.different:
        found.unchanged += 1
    for name, value in compared.written.items():
        change = Change.CHANGED
        if record.get(name) in _EMPTY:
            change = Change.SET
        elif value in _EMPTY:
            change = Change.CLEARED
        found.fields.setdefault(name, Counter())[change.value] += 1


def display_differences(console: Console, found: Differences) -> None:
    """Print them for a person."""
    some = "" if found.compared == found.unsynced else f" of {found.unsynced:,}"
    heading(console, "Stream ", found.stream, f" to module {found.module}: {found.compared:,}{some} unsynced orders")
    counts = (
        (found.new, "are new: the CRM has no record of their keys"),
        (found.unchanged, "would change nothing"),
        (found.not_written, "would not be written, by our own check or by `operation`"),
    )
    for count, what in counts:
        if count:
            print_line(console, f"  {count:,} {what}")
    if found.fields:
        console.print(_fields(found))
    for name, count in found.not_comparable.items():
        print_line(console, f"  not comparable: {name} of {count:,} orders")
    print_line(console, f"  {found.credits:,} credits")


def _fields(found: Differences) -> Table:
    changes = [change.value.capitalize() for change in Change]
    table = new_table("  Field", *changes, right=changes)
    for name, counts in sorted(found.fields.items(), key=lambda item: -item[1].total()):
        row(table, f"  {name}", *(f"{counts[change.value]:,}" for change in Change))
    return table
