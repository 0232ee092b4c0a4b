"""Changed records are set back, each by a call of its own that Zoho refuses if anybody changed the record meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from orders_sync.undoing.crm_orders import CrmOrders
from orders_sync.undoing.judging import MODIFIED_TIME, Record, impossible, kept
from orders_sync.undoing.kept_values import HeldBefore, LineChanges, line_changes, names_of, to_set_back
from sync_ledger.leases import Lease
from sync_ledger.retry_schedules import RECORD_LOOKS
from sync_ledger.undoing import Undone, UndoOutcome
from sync_ledger.writes_under_way import WriteKind
from sync_ledger.written_by_run import WrittenOrder
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.confirmation.outcomes import Status
from target_zoho_crm.writing.values_before import LinesToKeep


class Judge(Protocol):
    """Whether an order may be set back, by its record as it is now; None where it may."""

    def __call__(self, order: WrittenOrder, record: Record | None, *, begun: bool = False) -> Undone | None:
        """`begun`: the CRM was asked already, and the answer to that may be lost."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One order: the fields of its record that are to be written, and what is to be done to lines of their own."""

    order: WrittenOrder
    values: Mapping[str, Any]
    record: Record
    lines: LinesToKeep | None
    changes: LineChanges | None
    now: Mapping[str, Record]

    def __bool__(self) -> bool:
        """Whether the record is to be written."""
        return bool(self.values)


@dataclass(frozen=True, slots=True)
class SettingBack:
    """Sets orders back under one lease."""

    lease: Lease
    crm: CrmOrders
    threads: int
    judge: Judge

    def run(
        self,
        orders: Mapping[str, WrittenOrder],
        held: Mapping[str, HeldBefore],
        records: Mapping[str, Record],
        asked_at: datetime,
    ) -> list[Undone]:
        """Set these back; `records` are as they were at `asked_at` by Zoho's clock. Gives what became of each.

        Costs 1 credit for each order that holds something else by now.

        Raises:
            ZohoError: the CRM could not be asked.
        """
        found: list[Undone] = []
        left, now = dict(orders), dict(records)
        for look in range(1, RECORD_LOOKS.attempts + 1):
            steps = self._steps(left, held, now, found)
            left = {key: left[key] for key in steps}
            # What changed in the second in which it was read may do so once more, unseen.
            ready = [key for key in left if not steps[key] or _second(now[key]) < int(asked_at.timestamp())]
            for each in self._calls([steps[key] for key in ready]):
                if each is not None:
                    found.append(each)
                    del left[each.key]
            if not left:
                return found
            if look < RECORD_LOOKS.attempts:
                self.lease.ledger.clock.wait(RECORD_LOOKS.pause_after(look))
            left, now, asked_at = self._again(left, held, found)
        why = "its record was changed each time it was read"
        return found + [replace(kept(each, why), held=True) for each in left.values()]

    def _steps(
        self,
        orders: Mapping[str, WrittenOrder],
        held: Mapping[str, HeldBefore],
        records: Mapping[str, Record],
        found: list[Undone],
    ) -> dict[str, _Step]:
        """What is to be done to each order; one whose lines people have changed is added to what was found."""
        lines = self._lines(orders, held)
        steps = {}
        for key, order in orders.items():
            of_lines, now = held[key].of_lines, lines.get(str(order.zoho_id), ())
            values, changes = to_set_back(held[key], records[key]), None
            if of_lines is not None:
                changes = line_changes(of_lines, held[key].lines, now)
                if of_lines.subform is not None and changes:
                    values, changes = {**values, of_lines.subform: changes.as_rows()}, None
            people = {who for each in now if (who := self.crm.person(each)) is not None}
            if people:
                why = "lines of it were added or changed in the CRM since"
                found.append(kept(order, why, ", ".join(sorted(people))))
            else:
                by_id = {str(each["id"]): each for each in now}
                steps[key] = _Step(order, values, records[key], of_lines, changes, by_id)
        return steps

    def _lines(self, orders: Mapping[str, WrittenOrder], held: Mapping[str, HeldBefore]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        places = {each.of_lines.module: each.of_lines for each in held.values() if each.of_lines is not None}
        for module, place in places.items():
            those = [
                str(each.zoho_id)
                for key, each in orders.items()
                if (own := held[key].of_lines) is not None and own.module == module
            ]
            found |= self.crm.lines_of(place, those)
        return found

    def _again(
        self, left: Mapping[str, WrittenOrder], held: Mapping[str, HeldBefore], found: list[Undone]
    ) -> tuple[dict[str, WrittenOrder], dict[str, Record], datetime]:
        """Read what is left once more; what may not be set back any more is added to what was found, and held.

        Zoho's refusal may be the answer to the repeat of a call that had its effect.
        """
        ids = {key: str(each.zoho_id) for key, each in left.items()}
        read, asked_at = self.crm.read(ids.values(), names_of([held[key] for key in left]))
        judged = {key: self.judge(each, read.get(ids[key]), begun=True) for key, each in left.items()}
        found += [replace(each, held=True) for each in judged.values() if each is not None]
        still = {key: each for key, each in left.items() if judged[key] is None}
        return still, {key: read[ids[key]] for key in still}, asked_at

    def _calls(self, steps: Sequence[_Step]) -> list[Undone | None]:
        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            return list(pool.map(self._call, steps))

    def _call(self, step: _Step) -> Undone | None:
        """Set one order back; None where its record was changed since it was read."""
        order = step.order
        if step.values:
            fence = self.lease.sending(WriteKind.UPDATE, {order.key: order.version})
            since = str(step.record[MODIFIED_TIME])
            answer = self.crm.set_back(order.key, str(order.zoho_id), step.values, since, fence)
            if answer.code == ZohoCode.ALREADY_MODIFIED:
                return None
            if answer.status is not Status.SYNCED:
                field = f" in field {answer.field}" if answer.field else ""
                return impossible(order, f"Zoho refused to set it back: {answer.code}{field}")
        if step.lines is not None and step.changes:
            fence = self.lease.sending(WriteKind.LINES, {order.key: order.version})
            code = self.crm.set_lines_back(step.lines, str(order.zoho_id), step.changes, step.now, fence)
            if code is not None:
                return replace(impossible(order, f"a line of it could not be set back: {code}"), held=True)
        return Undone(order.key, UndoOutcome.REVERSED)


def _second(record: Record) -> int:
    return int(datetime.fromisoformat(str(record[MODIFIED_TIME])).timestamp())
