"""Lines as rows of the order's subform: the rows there are read first, then changed, added and removed to match.

Rows are added behind those there. Where a person asked for it, those that stand in another order than the lines are
made anew; else they stay where they are, since that takes away what people wrote into them.

A row without an id is added each time that it is sent, and one that has gone is refused if it is to go again. So a call
with such a row is made once: after a lost answer the order is due again, and its rows are read anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sync_databases.chunks import chunks_of
from sync_ledger.codes import LedgerCode
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.calls import Fence, Repeat
from target_zoho_crm.api.costs import CALL_RECORDS, FIELD_ROWS
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, Status, ids_of, upsert_outcomes
from target_zoho_crm.lines.existing_lines import ExistingLine
from target_zoho_crm.lines.line_calls import LineCalls
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.writing.child_failures import LINES, ChildFailure, ChildFailures, of_outcome, with_failures
from target_zoho_crm.writing.upsert_body import upsert_body

Row = dict[str, Any]


class _Body(msgspec.Struct):
    data: list[dict[str, msgspec.Raw]]


_ROWS = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class _Order:
    """One order's rows as they are sent, and the line's key of each."""

    key: str
    rows: list[Row]
    lines: list[str]

    @property
    def is_once(self) -> bool:
        """Whether a row is added or taken away, which cannot be sent twice."""
        return any("id" not in row or "_delete" in row for row in self.rows)


class SubformLines(LineCalls):
    """Writes rows of a subform by upsert calls for their orders."""

    def write(self, outcomes: Sequence[Outcome], rows: LineRows, *, splits: bool = False) -> list[Outcome]:
        """Bring the rows of the orders that are in the CRM to what the lines say."""
        ids = ids_of(outcomes)
        failures = ChildFailures()
        created = {outcome.key for outcome in outcomes if outcome.action == CREATED}
        if self._lines.demanded:  # a new order came with its lines
            rows, created = rows.of({order: id_ for order, id_ in ids.items() if order not in created}), set()
        rows = rows.of(ids)
        stated = rows.stated
        try:
            there = self._there(ids[order] for order in stated if order not in created)
        except (TransientError, QuotaError) as error:
            self._failed(error, stated, failures, splits=splits)
            return with_failures(outcomes, failures)
        wanted = self._wanted(rows)
        orders = [self._matched(order, wanted.get(order, {}), there.get(ids[order], ())) for order in stated]
        orders = self._in_order(orders, {order: there.get(ids[order], ()) for order in stated})
        versions = {outcome.key: outcome.version for outcome in outcomes}
        left = [_in_parts(order) for order in orders if order.rows]
        while left:
            for call in chunks_of((parts[0] for parts in left), CALL_RECORDS):
                fence = self._ledger.sending(WriteKind.LINES, {order.key: versions[order.key] for order in call})
                self._call(call, ids, failures, fence, splits=splits)
            left = [further for parts in left if (further := parts[1:]) and parts[0].key not in failures]
        return with_failures(outcomes, failures)

    def delete_surplus(
        self, outcomes: Sequence[Outcome], rows: LineRows, failures: ChildFailures, *, splits: bool = False
    ) -> None:
        """Do nothing: `write` deletes rows with those that it changes and adds."""

    def with_new(self, rows: LineRows) -> dict[str, dict[str, Any]]:
        """The rows of new orders, which go in one call with them."""
        return {order: {self._lines.settings.subform: list(of.values())} for order, of in self._wanted(rows).items()}

    def _there(self, ids: Iterable[str]) -> dict[str, list[ExistingLine]]:
        found: dict[str, list[ExistingLine]] = {}
        for line in self._existing.of_orders(list(ids)):
            found.setdefault(line.order_id, []).append(line)
        return found

    def _wanted(self, rows: LineRows) -> dict[str, dict[str, Row]]:
        """The rows of each order by the line's key, as JSON takes them."""
        if not rows.keys:
            return {}
        body, refused = upsert_body(self._lines.mapping, rows.keys, rows.values, ignore_empty=self._policy.ignore_empty)
        if refused:
            raise AssertionError("lines were checked before their orders were sent")
        wanted: dict[str, dict[str, Row]] = {}
        for order, key, row in zip(rows.orders, rows.keys, _ROWS.decode(body).data, strict=True):
            wanted.setdefault(order, {})[key] = row
        return wanted

    def _matched(self, order: str, wanted: Mapping[str, Row], there: Collection[ExistingLine]) -> _Order:
        """Give the rows that are there to the lines of their keys; the others, and doubles, are deleted."""
        fold = self._lines.folding.fold
        by_key: dict[str, ExistingLine] = {}
        for line in there:
            by_key.setdefault(fold(line.key), line)
        sent, keys, kept = [], [], set()
        for key, row in wanted.items():
            known = by_key.get(fold(key))
            sent.append({"id": known.id, **row} if known is not None else row)
            keys.append(key)
            kept.add(known.id if known is not None else None)
        for line in there:
            if line.id not in kept:
                sent.append({"id": line.id, "_delete": None})
                keys.append(line.key)
        return _Order(order, sent, keys)

    def _in_order(self, orders: Sequence[_Order], there: Mapping[str, Sequence[ExistingLine]]) -> list[_Order]:
        """Make rows anew that would not stand as the lines do, of orders of which that was asked."""
        anew = {order.key: each for order in orders if (each := _made_anew(order, there[order.key])) is not order}
        known = self._ledger.known_records(anew) if anew else {}
        asked = {key for key, record in known.items() if record.code == LedgerCode.LINES_ASKED.value}
        return [anew[order.key] if order.key in asked else order for order in orders]

    def _call(
        self, call: Sequence[_Order], ids: Mapping[str, str], failures: ChildFailures, fence: Fence, *, splits: bool
    ) -> None:
        subform, further = self._lines.settings.subform, self._policy.automations.body()
        data = [{"id": ids[order.key], subform: order.rows} for order in call]
        body = {"data": data, "duplicate_check_fields": [self._lines.order_key_field], **further}
        keys = [order.key for order in call]
        try:
            answer = self._client.upsert(
                self._policy.module,
                msgspec.json.encode(body),
                records=len(keys),
                fence=fence,
                repeat=Repeat.ONCE if any(order.is_once for order in call) else Repeat.SAFE,
                splits=splits,
            )
            outcomes = upsert_outcomes(keys, [""] * len(keys), answer.status, answer.body)
        except (TransientError, QuotaError) as error:
            self._failed(error, keys, failures, splits=splits)
            return
        self._recorder.call_succeeded()
        for order, outcome, item in zip(call, outcomes, answer.body["data"], strict=True):
            if outcome.status is not Status.SYNCED:
                failures.add(_failure(order, outcome, item, subform), order.key)


def _in_parts(order: _Order) -> list[_Order]:
    """The order's rows for one call after the other, each with as many as Zoho takes: those first that go.

    So it has no more rows at a time than it may. Where all that are there go, the last of them does so at last: an
    order may have to have one.
    """
    if len(order.rows) <= FIELD_ROWS:
        return [order]
    both = list(zip(order.rows, order.lines, strict=True))
    gone = [each for each in both if "_delete" in each[0]]
    rest = [each for each in both if "_delete" not in each[0]]
    last = [] if any("id" in row for row, _ in rest) else gone[-1:]
    parts = list(chunks_of([*gone[: len(gone) - len(last)], *rest], FIELD_ROWS - len(last)))
    parts[-1] += last
    return [_Order(order.key, [row for row, _ in part], [line for _, line in part]) for part in parts]


def _made_anew(order: _Order, there: Sequence[ExistingLine]) -> _Order:
    """The order's rows such that they stand as sent: from the first one that does not, all are added again."""
    place = {line.id: at for at, line in enumerate(there)}
    rows: list[tuple[Row, str]] = []
    removed: list[tuple[Row, str]] = []
    last, adds, changes = -1, False, False
    for row, line in zip(order.rows, order.lines, strict=True):
        known = row.get("id")
        if "_delete" in row:
            removed.append((row, line))
        elif known is None:
            rows.append((row, line))
            adds = True
        elif not adds and place[known] > last:
            rows.append((row, line))
            last = place[known]
        else:
            rows.append(({name: value for name, value in row.items() if name != "id"}, line))
            removed.append(({"id": known, "_delete": None}, line))
            adds = changes = True
    if not changes:
        return order
    both = [*rows, *removed]
    return _Order(order.key, [row for row, _ in both], [line for _, line in both])


def _failure(order: _Order, outcome: Outcome, item: Any, subform: str) -> ChildFailure:
    """Why an order's rows were not written, with the key of the line where Zoho says which row it is."""
    failure = of_outcome(outcome, LINES)
    index = _row_index(item, re.compile(rf"\.{re.escape(subform)}\[(\d+)\]"))
    key = order.lines[index] if index is not None and index < len(order.lines) else None
    return replace(failure, key=key)


def _row_index(item: Any, path: re.Pattern[str]) -> int | None:
    """The first row that an error speaks of: in `details`, or in one of several errors."""
    if isinstance(item, list):
        return next((index for each in item if (index := _row_index(each, path)) is not None), None)
    if not isinstance(item, dict):
        return None
    match = path.search(str(item.get("json_path", "")))
    if match is not None:
        return int(match[1])
    inner = [item.get("details"), item.get("errors")]
    return _row_index([each for each in inner if each is not None], path)
