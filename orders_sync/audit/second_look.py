"""A look at some orders: ledger, table and CRM read at one time, and the ledger once more, since runs go on meanwhile.

What a run has in hand, or settled between the two readings of the ledger, is looked at again: so a difference that is
found was there while nothing of ours was under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orders_sync.audit.judgement import Judged, Side, judge
from orders_sync.audit.kinds import Known
from orders_sync.comparison.crm_records import CrmRecords
from orders_sync.comparison.crm_rows import CrmRows
from orders_sync.comparison.module_reading import Record
from orders_sync.comparison.written_orders import WrittenOrders
from orders_sync.comparison.written_rows import OrderSide, RowDifferences, written_mapping_of
from sync_databases.waiting import CLOCK, Clock
from sync_ledger.audited_acks import AuditedAck, AuditedAcks
from sync_ledger.bindings import bindings_of
from sync_ledger.first_contact import accepted_kinds
from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import AUDIT_LOOKS
from sync_ledger.tables import DELETED_VERSION, AckStatus
from sync_ledger.written_mappings import NOTHING_LACKING, Lacking, lacking_now
from tap_legacy_orders.every_order import ReadOrders
from target_zoho_crm.compare.records import Compared

KEYS_PER_LOOK = 500


@dataclass
class Seen:
    """What one look has found: judgements, and what has to be looked at again."""

    judged: dict[str, Judged] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)


class SecondLook:
    """Looks at orders by key."""

    def __init__(
        self,
        ledger: Ledger,
        stream: str,
        written: WrittenOrders,
        crm: CrmRecords,
        rows: Sequence[CrmRows],
        *,
        find_deleted: bool,
    ) -> None:
        """`find_deleted`: runs take care of records whose orders were deleted."""
        self._ledger = ledger
        self._stream = stream
        self._written = written
        self._crm = crm
        self._rows = rows
        self._acks = AuditedAcks(ledger, stream)
        self._find_deleted = find_deleted
        self._accepted = accepted_kinds(ledger, stream)
        """What `orders-sync accept` noted is no finding, of whatever order."""
        self._lacking = lacking_now(ledger, stream, written_mapping_of(written, [each.written for each in rows]))

    def settle(self, keys: Sequence[str], clock: Clock = CLOCK) -> dict[str, Judged]:
        """Look until nothing changes meanwhile, a few times at most; what a run still has in hand is under way.

        Raises:
            ZohoError, TapSyncError, DatabaseError: one side cannot be read.
        """
        judged: dict[str, Judged] = {}
        left, looks = list(keys), 0
        while left:
            seen = self._look(left)
            judged.update(seen.judged)
            left, looks = seen.again, looks + 1
            if left and AUDIT_LOOKS.is_over(looks):
                judged.update(dict.fromkeys(left, Judged(Known.UNDER_WAY)))
                break
            if left:
                clock.wait(AUDIT_LOOKS.pause_after(looks))
        return judged

    def _look(self, keys: Sequence[str]) -> Seen:
        seen = Seen()
        busy, acks = self._acks.under_way(), self._acks.of(keys)
        read = self._written.every.by_key(keys)
        lines = self._written.every.lines_of(read.keys)
        coming = self._coming(read)
        contents = self._written.every.contents(read, lines)
        by_flag = self._written.every.table.flag is not None  # what has none set is sent, whatever its ack says
        for key in keys:
            known = self._known(acks.get(key), in_table=key in contents)
            if key in busy:
                known = Known.UNDER_WAY
            elif key in coming and (by_flag or _has_changed(acks.get(key), *contents[key])):
                known = Known.WAITING
            if known is not None:
                seen.judged[key] = Judged(known)
        asked = [key for key in keys if key not in seen.judged]
        if not asked:
            return seen
        sides = self._sides(asked, read, lines, acks)
        changed = self._changed([key for key in asked if sides[key].rows], read, lines)
        later, busy = self._acks.of(asked), self._acks.under_way()
        for key in asked:
            if key in busy or key in changed or later.get(key) != acks.get(key):
                seen.again.append(key)
            else:
                seen.judged[key] = judge(key, sides[key], self._crm.person, find_deleted=self._find_deleted)
        return seen

    def _coming(self, read: ReadOrders) -> set[str]:
        """The orders of which the next run takes notice."""
        bound = bindings_of(self._ledger).get(self._stream)
        return self._written.every.found_by_next_run(read.keys, None if bound is None else bound.bookmark)

    def _known(self, ack: AuditedAck | None, *, in_table: bool) -> Known | None:
        """What the ledger says of an order that it does not call synced."""
        if ack is None or ack.is_synced or ack.status == AckStatus.DELETED.value:
            return None
        if ack.status == AckStatus.SUBMITTED.value:
            return Known.UNDER_WAY
        if ack.status == AckStatus.HELD.value:
            return Known.HELD
        if not in_table and ack.version != DELETED_VERSION:  # else it is its deletion that was refused
            return None
        return Known.WAITING if ack.is_due else Known.REFUSED

    def _changed(self, keys: Sequence[str], read: ReadOrders, lines: Mapping[str, bytes]) -> set[str]:
        """The orders that are others since they were read, which may have been between an order and its lines."""
        if not keys:
            return set()
        before, now = dict(zip(read.keys, read.lines, strict=True)), self._written.every.by_key(keys)
        again, lines_again = dict(zip(now.keys, now.lines, strict=True)), self._written.every.lines_of(now.keys)
        return {key for key in keys if again.get(key) != before[key] or lines_again.get(key) != lines.get(key)}

    def _sides(
        self,
        keys: Sequence[str],
        read: ReadOrders,
        lines: Mapping[str, bytes],
        acks: Mapping[str, AuditedAck],
    ) -> dict[str, Side]:
        there = dict(zip(read.keys, read.versions, strict=True))
        records = self._owned(self._crm.of_keys(keys), keys, there)
        strayed = self._strayed(keys, acks, records)
        absent = [key for key in keys if key not in there]
        filtered = self._written.every.without_filter(absent) if self._written.every.table.filter and absent else set()
        values = self._written.values(read)
        compared = self._compared(values, records)
        orders = {key: OrderSide(str(records[key][0]["id"]), values[key], lines.get(key)) for key in compared}
        rows, refused = self._row_differences(orders)
        return {
            key: Side(
                version=there.get(key),
                ack=acks.get(key),
                records=records[key],
                strayed=strayed.get(key),
                compared=compared.get(key),
                filtered_out=key in filtered,
                key_field=self._crm.key_field,
                replication=self._replication_field,
                rows=rows.get(key, ()),
                rows_refused=key in refused,
                lacking=self._lacking_of(acks.get(key)),
            )
            for key in keys
        }

    @property
    def _replication_field(self) -> str | None:
        """The field that shows an order's version, if one does."""
        table = self._written.every.table
        names = {table.replication.name, table.version.name}
        return next((each.field.api_name for each in self._written.mapping.columns if each.source in names), None)

    def _owned(
        self, records: Sequence[Record], keys: Sequence[str], there: Mapping[str, str]
    ) -> dict[str, list[Record]]:
        """The records by the key that they belong to: their own, or the order's whose key Zoho may take for it."""
        by_fold = dict(zip(self._written.folds(list(there)), there, strict=True))
        owned: dict[str, list[Record]] = {key: [] for key in keys}
        for record in records:
            held = str(record.get(self._crm.key_field) or "")
            (fold,) = self._written.folds([held])
            owner = held if held in there else by_fold.get(fold, held)
            if owner in owned:
                owned[owner].append(record)
        others = [str(each["id"]) for key in keys if key not in there for each in owned[key]]
        if others and self._written.own.shares_module:
            foreign = self._acks.of_other_streams(others)
            for key in keys:
                if key not in there:
                    owned[key] = [each for each in owned[key] if str(each["id"]) not in foreign]
        return owned

    def _strayed(
        self, keys: Sequence[str], acks: Mapping[str, AuditedAck], records: Mapping[str, Sequence[Record]]
    ) -> dict[str, Record]:
        """The records that acks name and that have other keys now, by the order's key."""
        ids = {
            key: ack.zoho_id
            for key in keys
            if (ack := acks.get(key)) is not None and ack.zoho_id is not None and not records[key]
        }
        found = self._crm.of_ids(list(dict.fromkeys(ids.values()))) if ids else {}
        return {key: found[zoho_id] for key, zoho_id in ids.items() if zoho_id in found}

    def _lacking_of(self, ack: AuditedAck | None) -> Lacking:
        return NOTHING_LACKING if ack is None else self._lacking.get(ack.mapping_number, NOTHING_LACKING)

    def _row_differences(self, orders: Mapping[str, OrderSide]) -> tuple[dict[str, list[RowDifferences]], set[str]]:
        """The rows that differ by order, and the orders of which some cannot be written."""
        found: dict[str, list[RowDifferences]] = {}
        refused: set[str] = set()
        for rows in self._rows if orders else ():
            held = rows.of_orders([side.record_id for side in orders.values()])
            for key, each in rows.written.compare(orders, held).items():
                if each is None:
                    refused.add(key)
                elif left := each.without(self._accepted):
                    found.setdefault(key, []).append(left)
        return found, refused

    def _compared(
        self, values: Mapping[str, tuple[Any, ...]], records: Mapping[str, Sequence[Record]]
    ) -> dict[str, Compared]:
        keys = [key for key in values if len(records.get(key, ())) == 1]
        rows, those = [values[key] for key in keys], [records[key][0] for key in keys]
        compared = self._written.comparer.compare(keys, rows, those)
        if not self._accepted:
            return compared
        differ = self._written.comparer.differences(keys, rows, those)
        accepted = {(each.key, each.field) for each in differ if (each.field, each.kind.value) in self._accepted}
        return {
            key: replace(each, different=tuple(name for name in each.different if (key, name) not in accepted))
            for key, each in compared.items()
        }


def _has_changed(ack: AuditedAck | None, version: str, content: str | None, form: str) -> bool:
    """Whether a run that comes upon the order sends it: it goes by the version, and by the content where it has one."""
    if ack is None or ack.version != version:
        return True
    return content is not None and ack.content_form == form and ack.content is not None and ack.content != content
