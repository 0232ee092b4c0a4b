"""A column that differs whenever it is read (`now()` in a view) would make every comparison write every order again.

A sample of the orders is looked at before a comparison. Where more than half of it changed, and one and the same column
differs in each of these, that column is under suspicion, and named; the second time the run stops before it sends
anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import methodcaller

from sync_ledger.order_samples import OrderSample, read_sample, write_sample
from tap_legacy_orders.connections import LEDGER_CHECK, reading
from tap_legacy_orders.contents import Contents
from tap_legacy_orders.order_filter import OrderFilter
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.pages import Page
from tap_legacy_orders.reading_scope import ReadingScope
from tap_legacy_orders.row_layout import Row
from tap_legacy_orders.tap_errors import TooManyChangesError

SAMPLE_ORDERS = 200
FEWEST_CHANGED = 10
"""Of fewer orders that changed alike nothing can be said."""
SUSPECTED_FOR = timedelta(days=3)
"""So that a column that differs each day is found, and a change of all prices each month is none of these."""
HASH_BYTES = 4

WAY_OUT = "leave it out by `exclude`; if these changes are right, set `max_change_percent` to 100"


class RestlessColumns:
    """Looks at the sample of one stream before its orders are compared."""

    def __init__(self, source: OrdersSource, contents: Contents) -> None:
        """Take orders from `source`, and their columns as `contents` has them."""
        self._source = source
        self._contents = contents

    def before(
        self,
        scope: ReadingScope,
        *,
        deleted: Iterable[Sequence[str]] = (),  # noqa: ARG002
        sent: OrderFilter | None = None,  # noqa: ARG002
    ) -> None:
        """Compare the sample with the last one, and keep it for the next comparison.

        Raises:
            TooManyChangesError: most orders differ in the same column as at an earlier comparison.
        """
        if scope.range.lower is not None or scope.range.upper is None:
            return  # no comparison of all orders
        source = self._source
        ledger, stream, partition = source.ledger, source.stream, source.table.partition.name
        with reading(ledger.engine, "ledger", LEDGER_CHECK) as connection:
            known = read_sample(connection, ledger.tables, stream, partition)
        now = self._columns_now(known.orders, scope)
        restless, changed = _restless(known, now)
        restless -= self._says_what_changed()
        suspects = {name: at for name, at in known.suspects.items() if scope.cutoff - at < SUSPECTED_FOR}
        sample = _sample_of(now, suspects | dict.fromkeys(restless, scope.cutoff))
        ledger.transact(lambda connection: write_sample(connection, ledger.tables, stream, partition, sample))
        if restless:
            self._say(sorted(restless), sorted(restless & suspects.keys()), f"{changed:,} of {len(known.orders):,}")

    def counted(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages as they are."""
        yield from pages

    def _says_what_changed(self) -> set[str]:
        """The columns that differ after each change because they are there for that."""
        table = self._source.table
        several = () if table.changed_at is None else table.changed_at.needed
        return {table.version.name, *(column.name for column in several)}

    def _say(self, restless: Sequence[str], again: Sequence[str], how_many: str) -> None:
        table = self._source.table.name
        if again:
            raise TooManyChangesError(
                f"{table}: {how_many} orders that were looked at differ in {', '.join(again)} since the last "
                "comparison, and did before: it seems to differ whenever it is read (`now()` in a view); nothing is "
                f"sent: {WAY_OUT}"
            )
        self._source.log.warning(
            "%s: %s orders that were looked at differ in %s since the last comparison; if it differs whenever it is "
            "read (`now()` in a view), %s; a comparison that finds this once more stops",
            table,
            how_many,
            ", ".join(restless),
            WAY_OUT,
        )

    def _columns_now(self, keys: Collection[str], scope: ReadingScope) -> dict[str, dict[str, str]]:
        """The hashes by column and key of the orders of the last sample, and of others where it had too few."""
        source, upper = self._source, scope.range.upper
        found = self._hashed(source.by_key(list(keys), scope.range)) if keys else {}
        if len(found) < SAMPLE_ORDERS and upper is not None:
            query = methodcaller("range_page", None, upper, None, SAMPLE_ORDERS, scope.cutoff, by_content=True)
            found = self._hashed(source.fetch(query)) | found
        return dict(islice(found.items(), SAMPLE_ORDERS))

    def _hashed(self, rows: Sequence[Row]) -> dict[str, dict[str, str]]:
        """The hashes of the orders of one reading; another one may have its columns elsewhere."""
        if not rows:
            return {}
        keys = map(self._source.layout.key, rows)
        orders = self._contents.columns_of(self._source.page(rows, None))
        return {
            key: {name: _hash(value) for name, value in columns.items()}
            for key, columns in zip(keys, orders, strict=True)
        }


def _restless(known: OrderSample, now: Mapping[str, Mapping[str, str]]) -> tuple[set[str], int]:
    """The columns that differ in each order that changed, if most did; and how many did."""
    differing = []
    for key, text in known.orders.items():
        before = dict(zip(known.columns, text.split(" "), strict=False))
        columns = now.get(key)
        if columns is not None:
            names = {name for name, value in before.items() if columns.get(name, value) != value}
            if names:
                differing.append(names)
    if len(differing) < FEWEST_CHANGED or len(differing) * 2 <= len(known.orders):
        return set(), len(differing)
    return set.intersection(*differing), len(differing)


def _sample_of(now: Mapping[str, Mapping[str, str]], suspects: dict[str, datetime]) -> OrderSample:
    columns = tuple(next(iter(now.values()), {}))
    orders = {key: " ".join(values[name] for name in columns) for key, values in now.items()}
    return OrderSample(columns=columns, orders=orders, suspects=suspects)


def _hash(value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=HASH_BYTES).hexdigest()
