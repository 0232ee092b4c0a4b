"""Which orders are unsynced: the rule in SQL, for a ledger beside the orders; `actions.py` has it for one elsewhere.

Builds statements and runs none. `docs/database.md` explains the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sync_databases.columns import Column
from sync_databases.damaged_texts import is_whole
from sync_databases.exact_text import exact_key
from sync_databases.flags import is_unset
from sync_databases.key_sql import is_one_of, joined_key, version_text
from sync_databases.keys import KEY_LENGTH
from sync_databases.row_fingerprints import row_fingerprint
from sync_databases.value_sql import Element, ValueSql
from sync_ledger.stream_contract import KEY_PROPERTY, VERSION_PROPERTY
from sync_ledger.tables import AckStatus
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.positions import Place, Position, place_at
from tap_legacy_orders.row_layout import Row, RowLayout

_POSITION = "_sync_position"
_FINGERPRINT = "_sync_row"
_LEFT_OUT = "_sync_left_out"
_ACKED = ("_sync_status", "_sync_acked", "_sync_form")


ValuesOf = Callable[[Mapping[str, Element], tuple[Element, Element]], list[Element]]
"""Makes what to select for a record, of the table's columns by name, and of the record's key and version as text."""


class UnsyncedQueries:
    """The statements for one table. Every text in and out of them is the database's own."""

    def __init__(
        self,
        table: OrdersTable,
        database: ValueSql,
        stream: str,
        columns: Sequence[Column],
        ack: sa.Table | None,
        values: ValuesOf | None = None,
    ) -> None:
        """Select `columns` for records, or what `values` gives; join `ack` when it lies in the same database."""
        self.table = table
        self.database = database
        self.columns = tuple(columns)
        self.orders = table.rows(database, self.columns)
        self._replication = table.element(self.orders, table.replication)
        self._position = database.place(table.replication, self._replication)
        self._key: list[Element] = [self.orders.c[column.name] for column in table.key]
        self.key_text = joined_key(database, table.key, self._key)
        self.version_text = version_text(database, table.version, table.element(self.orders, table.version))
        self.replication_text = database.text(table.replication, self._replication)
        self._stream = stream
        self._ack = ack
        if values is None:
            self._values = [database.fetched(column, self.orders.c[column.name]) for column in self.columns]
        else:
            self._values = values(dict(self.orders.c.items()), (self.key_text, self.version_text))
        # Where a flag will be set, it must be for what was read.
        self._fingerprint = None
        sent = [] if table.flag is None else table.sent(self.columns)
        if sent:
            self._fingerprint = row_fingerprint(database, sent, [self.orders.c[column.name] for column in sent])
        marked, is_version = self._fingerprint is not None, table.version_is_replication
        self.layout = RowLayout.behind(len(self._values), is_version=is_version, fingerprint=marked)
        """Where a row holds key, version and replication key; behind them is what else a query selects."""
        given = {} if values is not None else {column.name: at for at, column in enumerate(self.columns)}
        self._raw_at = given if database.engine.values_have_types else {}

    # What a run asks before its pages

    def newest(self, until: str | None) -> sa.Select[Any]:
        """Find the text of the largest replication key up to `until`; NULL, or no row, where there is none."""
        return self._newest([] if until is None else [self._position <= self._place(until)])

    def _newest(self, conditions: list[Element]) -> sa.Select[Any]:
        replication = self.table.replication
        ceiling = self.database.ceiling(replication, self._replication)
        floor = self.database.floor(replication, self._replication)
        conditions = [*conditions, *(each for each in (floor, ceiling) if each is not None)]
        if self.database.has_greatest(replication):
            text = self.database.text(replication, sa.func.max(self._replication))
            return sa.select(text.label("at")).select_from(self.orders).where(*conditions)
        order = self.database.order_by(replication, self._replication)
        query = sa.select(self.replication_text.label("at")).select_from(self.orders)
        return query.where(self._replication.is_not(None), *conditions).order_by(order.desc()).limit(1)

    def count_late(self, too_recent_after: str, ahead: str, future: str) -> sa.Select[Any]:
        """Count the orders dated after `too_recent_after`, of these those after `ahead`, and those after `future`."""
        counts: list[Element] = [sa.func.count()]
        counts += [sa.func.sum(sa.case((self._after(text), 1), else_=0)) for text in (ahead, future)]
        return sa.select(*counts).select_from(self.orders).where(self._after(too_recent_after))

    def any_undated(self) -> sa.Select[Any]:
        """Find out whether an order lacks a replication value in the range; with an index that is quick."""
        return sa.select(sa.literal_column("1")).select_from(self.orders).where(self._undated()).limit(1)

    def count_keyless(self) -> sa.Select[Any]:
        """Count the orders that no key identifies."""
        return sa.select(sa.func.count()).select_from(self.orders).where(sa.not_(self._has_key()))

    def count_unsettled(self, upper: str | None, future: str | None, cutoff: datetime) -> sa.Select[Any]:
        """Count what pages of the complete table would find, of these those left out and held; and where they begin.

        The last is the text of the smallest replication key, NULL where there is none. Which orders count stands
        in the sums and not in the condition: planners without fresh statistics expect few rows of a condition, and
        then compare each with every ack.
        """
        read: list[Element] = [self._undated()]
        if upper is not None:
            read.append(self._position <= self._place(upper))
        if future is not None:
            read.append(self._after(future))
        counts: Element = sa.and_(*self._unflagged(), sa.or_(*read), self._has_usable_key())
        count = sa.func.sum(sa.case((counts, 1), else_=0))
        within: Element = sa.and_(counts, sa.not_(self._undated()))
        if self.database.has_greatest(self.table.replication):
            texts = [self.database.text(self.table.replication, sa.func.min(sa.case((within, self._replication))))]
        else:
            texts = [sa.func.min(sa.case((within, self.replication_text)))]
        if self._ack is None:
            return sa.select(count, *2 * [sa.literal_column("0")], *texts).select_from(self.orders)
        apart = [sa.and_(counts, self._ack.c.status == each.value) for each in (AckStatus.SUBMITTED, AckStatus.HELD)]
        query = sa.select(count, *(sa.func.sum(sa.case((which, 1), else_=0)) for which in apart), *texts)
        return query.select_from(self._with_acks(self._ack)).where(self._unsettled(self._ack, cutoff))

    def any_order(self) -> sa.Select[Any]:
        """Find out whether there is any order at all."""
        return sa.select(sa.literal_column("1")).select_from(self.orders).limit(1)

    def any_unflagged(self) -> sa.Select[Any]:
        """Read key and version of an order whose flag is unset."""
        return sa.select(self.key_text, self.version_text).select_from(self.orders).where(*self._unflagged()).limit(1)

    def keys_among(self, keys: Sequence[tuple[str, ...]]) -> sa.Select[Any]:
        """Read the key texts of those orders that have one of these keys, given as texts of the key's columns."""
        return sa.select(self.key_text).select_from(self.orders).where(self.is_one_of(keys))

    def poll_query(self, lower: str | None, too_recent_after: str | None, cutoff: datetime) -> sa.Select[Any]:
        """Ask in one statement what is new: the clock, the newest order, if any is unsettled, if a retry is due.

        Orders that changed after `too_recent_after` wait for a later poll. The last two are NULL for ledgers elsewhere.
        """
        bounds = [] if too_recent_after is None else [self._position <= self._place(too_recent_after)]
        newest = self._newest(bounds).subquery("n")
        clock = sa.literal_column(f"({self.database.engine.clock_query})", sa.String())
        flags: list[Element] = [sa.null(), sa.null()]
        if self._ack is not None:
            conditions = [*bounds, *self._unflagged(), self._is_ours(), self._unsettled(self._ack, cutoff)]
            if lower is not None:
                conditions.append(self._position >= self._place(lower))
            one: Element = sa.literal_column("1")
            unsettled = sa.select(one).select_from(self._with_acks(self._ack)).where(*conditions)
            due = due_keys(self._ack, self._stream, cutoff, None, None)
            if not self.table.partition.is_whole:
                due = due.where(self.table.partition.condition([self._ack.c.record_key], self.database.dialect))
            flags = [sa.case((sa.exists(query), 1), else_=0) for query in (unsettled, due)]
        return sa.select(clock, sa.select(newest.c.at).scalar_subquery(), *flags)

    # Pages

    def range_page(
        self,
        lower: str | None,
        upper: str,
        after: Position | None,
        limit: int,
        cutoff: datetime,
        *,
        until: str | None = None,
        by_content: bool = False,
    ) -> sa.Select[Any]:
        """Read orders by (replication key, key) from `lower` to `upper`, both inclusive, past `after`.

        `until` is an end before `upper`, and not part of it. `by_content`: also orders with an ack of their version.
        """
        conditions: list[Element] = [self._position <= self._place(upper), self._is_ours()]
        floor = self.database.floor(self.table.replication, self._replication)
        if until is not None:
            conditions.append(self._position < self._place(until))
        if after is not None and after.replication is not None:
            reached = after.replication.place
            conditions += [
                self._position >= reached,  # lets the index find the start; the OR alone would not
                sa.or_(self._position > reached, self._beyond_key(after.key)),
            ]
        elif lower is not None:
            conditions.append(self._position >= self._place(lower))
        elif floor is not None:
            conditions.append(floor)
        first = self.database.order_by(self.table.replication, self._replication)
        # Where pages go by the key it is the replication key too; SQL Server sorts by no column twice.
        rest = zip(self.table.key, self._key_order(), strict=True)
        order = [first, *(element for column, element in rest if column.name != self.table.replication.name)]
        return self._page(conditions, order, limit, cutoff, by_content=by_content)

    def outside_page(
        self, future: str | None, after: Position | None, limit: int, cutoff: datetime, *, by_content: bool = False
    ) -> sa.Select[Any]:
        """Read orders by key that the range cannot reach: those without a replication value, or after `future`."""
        conditions = [self._undated() if future is None else self._after(future), self._is_ours()]
        if after is not None:
            conditions.append(self._beyond_key(after.key))
        return self._page(conditions, self._key_order(), limit, cutoff, by_content=by_content)

    def ties(self, at: Position, future: str | None, cutoff: datetime, *, by_content: bool = False) -> sa.Select[Any]:
        """Read the orders that compare as equal to the last one of a page, itself among them."""
        conditions = [element == place.value for element, place in zip(self._key, at.key, strict=True)]
        if at.replication is not None:
            conditions.append(self._position == at.replication.place)
        else:
            conditions.append(self._undated() if future is None else self._after(future))
        return self._page([*conditions, self._is_ours()], self._key_order(), None, cutoff, by_content=by_content)

    def position(self, row: Row, key: tuple[str, ...], *, in_range: bool) -> Position:
        """Where a page ends whose last row this is; `key` is the texts of the key's columns."""
        places = tuple(
            place_at(self.database, column, text, self._raw(column, row))
            for column, text in zip(self.table.key, key, strict=True)
        )
        if not in_range:  # the replication key may be NULL
            return Position(None, places)
        dated = self.table.replication
        at = place_at(self.database, dated, self.layout.replication(row), self._raw(dated, row))
        return Position(at, places)

    def _raw(self, column: Column, row: Row) -> Any:
        """A value as the driver gave it, where its own type says more than its text; None where it does not."""
        at = self._raw_at.get(column.name)
        return None if at is None else row[at]

    def by_key(
        self, keys: Sequence[tuple[str, ...]], too_recent_after: str | None, future: str | None
    ) -> sa.Select[Any]:
        """Read orders by key; those dated after `too_recent_after` wait, unless after `future`."""
        query = self.selected().select_from(self.orders).where(self.is_one_of(keys), self._is_ours())
        if too_recent_after is None:
            return query
        may_go: Element = sa.or_(self._undated(), self._position <= self._place(too_recent_after))
        if future is not None:
            may_go = sa.or_(may_go, self._after(future))
        return query.where(may_go)

    def is_one_of(self, keys: Sequence[tuple[str, ...]]) -> Element:
        """The condition that an order has one of these keys; each is the texts of its columns."""
        return is_one_of(self.database, self.table.key, self._key, keys)

    def _unflagged(self) -> list[Element]:
        flag = self.table.flag
        return [] if flag is None else [is_unset(self.database, flag, self.orders.c[flag.name])]

    def _page(
        self,
        conditions: list[Element],
        order: list[Element],
        limit: int | None,
        cutoff: datetime,
        *,
        by_content: bool = False,
    ) -> sa.Select[Any]:
        ack = self._ack
        conditions = [*self._unflagged(), *conditions]
        if ack is None:
            query = self.selected().select_from(self.orders)
        elif by_content:
            query = self.selected(*self._acked(ack)).select_from(self._with_acks(ack))
            conditions = [*conditions, sa.or_(self._unsettled(ack, cutoff), self._may_have_other_content(ack, cutoff))]
        else:
            left_out = sa.case((ack.c.status == AckStatus.SUBMITTED.value, 1), else_=0).label(_LEFT_OUT)
            query = self.selected(left_out).select_from(self._with_acks(ack))
            conditions = [*conditions, self._unsettled(ack, cutoff)]
        return query.where(*conditions).order_by(*order).limit(limit)

    def _acked(self, ack: sa.Table) -> list[Element]:
        """What `compared_action` decides by: an ack's status, content and form.

        The content is NULL of an ack that has another version.
        """
        compared = ack.c.version == self._current_version()
        if self.table.flag is not None:  # then the target compares what is synced
            compared = sa.and_(compared, ack.c.status != AckStatus.SYNCED.value)
        content = sa.case((compared, sa.func.coalesce(ack.c.content, "-")))
        return [
            element.label(name)
            for element, name in zip((ack.c.status, content, ack.c.content_form), _ACKED, strict=True)
        ]

    def _may_have_other_content(self, ack: sa.Table, cutoff: datetime) -> Element:
        """The condition under which `action_for` is COMPARE."""
        formless = [] if self.table.by_content else [ack.c.content_form.is_(None)]
        without = sa.and_(*formless, ack.c.status != AckStatus.SUBMITTED.value)
        compared = sa.or_(without, ack.c.content.is_not(None))
        return sa.and_(ack.c.version == self._current_version(), sa.not_(_due(ack, cutoff)), compared)

    def _current_version(self) -> Element:
        return exact_key(self.version_text, self.database.dialect)

    def _with_acks(self, ack: sa.Table) -> sa.FromClause:
        key = exact_key(self.key_text, self.database.dialect)
        return self.orders.outerjoin(ack, sa.and_(ack.c.stream == self._stream, ack.c.record_key == key))

    def _unsettled(self, ack: sa.Table, cutoff: datetime) -> Element:
        """The condition under which `action_for` is SEND or LEAVE_OUT."""
        current = self._current_version()
        changed = sa.and_(ack.c.version != current, sa.not_(_due(ack, cutoff)))
        if self.table.flag is None:
            return sa.or_(ack.c.record_key.is_(None), changed)
        unflagged = sa.and_(ack.c.version == current, ack.c.status == AckStatus.SYNCED.value)
        return sa.or_(ack.c.record_key.is_(None), changed, unflagged)

    def selected(self, *more: Element) -> sa.Select[Any]:
        """Select the record's columns, key, version, the replication key where the version is not it, and `more`."""
        texts = [self.key_text.label(KEY_PROPERTY)]
        if not self.table.version_is_replication:
            texts.append(self.version_text.label(VERSION_PROPERTY))
        texts.append(self.replication_text.label(_POSITION))
        if self._fingerprint is not None:
            texts.append(self._fingerprint.label(_FINGERPRINT))
        return sa.select(*self._values, *texts, *more)

    def _place(self, text: str) -> Element:
        return self.database.place_of(self.table.replication, text)

    def _after(self, text: str) -> Element:
        ceiling = self.database.ceiling(self.table.replication, self._replication)
        after = self._position > self._place(text)
        return after if ceiling is None else sa.and_(after, ceiling)

    def _undated(self) -> Element:
        return self.database.outside(self.table.replication, self._replication)

    def _key_order(self) -> list[Element]:
        return [
            self.database.order_by(column, element) for column, element in zip(self.table.key, self._key, strict=True)
        ]

    def _has_key(self) -> Element:
        return sa.and_(*(element.is_not(None) for element in self._key))

    def _is_ours(self) -> Element:
        """The condition that an order has a key, and one of the partition that is read."""
        partition = self.table.partition
        if partition.is_whole:
            return self._has_key()
        texts = [self.database.text(column, element) for column, element in zip(self.table.key, self._key, strict=True)]
        return sa.and_(self._has_key(), partition.condition(texts, self.database.dialect))

    def _has_usable_key(self) -> Element:
        """`usable_keys` as a condition in SQL."""
        length = self.database.length(self.key_text)
        return sa.and_(self._is_ours(), length > sa.literal_column("0"), length <= sa.literal_column(str(KEY_LENGTH)))

    def _beyond_key(self, at: tuple[Place, ...]) -> Element:
        """Compare the key's columns one after the other: row values are not for every engine."""
        steps = []
        for index, (column, element) in enumerate(zip(self.table.key, self._key, strict=True)):
            equal = [e == place.value for e, place in zip(self._key[:index], at[:index], strict=True)]
            steps.append(sa.and_(*equal, self.database.place(column, element) > at[index].place))
        return sa.or_(*steps)


def due_keys(ack: sa.Table, stream: str, cutoff: datetime, after: str | None, limit: int | None) -> sa.Select[Any]:
    """Read the keys of due retries from the ledger, in the order of their keys, and when each came due."""
    conditions = [
        ack.c.stream == stream,
        ack.c.status == AckStatus.REJECTED.value,
        ack.c.next_attempt_at.is_not(None),
        ack.c.next_attempt_at <= cutoff,
    ]
    if after is not None:
        conditions.append(ack.c.record_key > after)
    query = sa.select(ack.c.record_key, ack.c.next_attempt_at).where(*conditions)
    return query if limit is None else query.order_by(ack.c.record_key).limit(limit)


def _due(ack: sa.Table, cutoff: datetime) -> Element:
    return sa.and_(
        ack.c.status == AckStatus.REJECTED.value, ack.c.next_attempt_at.is_not(None), ack.c.next_attempt_at <= cutoff
    )


def ack_states(ack: sa.Table, stream: str, keys: Sequence[str]) -> sa.Select[Any]:
    """Look up the acks of some keys: what `AckState` holds, behind each key."""
    columns = (ack.c.version, ack.c.status, ack.c.next_attempt_at, ack.c.content, ack.c.content_form)
    return sa.select(ack.c.record_key, *columns).where(ack.c.stream == stream, ack.c.record_key.in_(keys))


def usable_keys(keys: Sequence[str]) -> bool:
    """Whether these texts can stand in the ledger as keys."""
    lengths = set(map(len, keys))
    return min(lengths) > 0 and max(lengths) <= KEY_LENGTH and is_whole("".join(keys))
