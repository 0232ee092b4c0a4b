"""Calls where another unique field than the key is mapped: known records by id, new ones by insert, never by a match.

An upsert is matched by every unique field and overwrites whichever record it finds: another order's, or one that a
person made. An update by id and an insert are refused there, and what others own stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from sync_ledger.deleted_records import MARKED
from sync_ledger.tables import AckStatus
from target_zoho_crm.api.codes import NO_SUCH_RECORD, Family, OwnCode, ZohoCode
from target_zoho_crm.api.errors import TransientError
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.key_conflicts import key_conflict
from target_zoho_crm.confirmation.outcomes import Outcome
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.records_by_key import RecordsByKey

Send = Callable[[Batch, Operation, Mapping[str, str] | None], list[Outcome]]
"""Makes one call: an update, with the records' ids by key, or an insert."""
Leave = Callable[[Batch, TransientError], None]
"""Leaves a batch unsynced."""


class RecordsById:
    """Writes calls of one stream's orders to their own records and no others."""

    def __init__(self, ledger: StreamLedger, records: RecordsByKey) -> None:
        """`records` are those of the stream's module."""
        self._ledger = ledger
        self._records = records

    def write(self, batch: Batch, send: Send, leave: Leave) -> list[Outcome]:
        """Write a call's orders; an order that was left unsynced has no outcome.

        A record that is not there any more is made again in the same run. A key that the CRM has already is followed by
        one update of the record that holds it, unless that is another order's.
        """
        known = self._known(batch)
        settled: list[Outcome] = []
        held: list[Outcome] = []
        new = batch.without(known)
        if known:
            answered = send(batch.only(known), Operation.UPDATE, known)
            absent = {each.key for each in answered if _is_absent(each)}
            new = batch.only([key for key in batch.entries if key in absent or key not in known])
            for each in answered:
                if each.key not in absent:
                    (held if each.holder_id else settled).append(each)
        for each in send(new, Operation.INSERT, None) if new.entries else ():
            duplicate = each.holder_id or each.code == ZohoCode.DUPLICATE_DATA
            (held if duplicate else settled).append(each)
        return settled + self._held_already(batch, held, send, leave) if held else settled

    def _known(self, batch: Batch) -> dict[str, str]:
        """The records that these orders have by the ledger; what was deleted in the CRM is none."""
        known = self._ledger.known_records(batch.entries)
        return {
            key: each.zoho_id
            for key, each in known.items()
            if each.zoho_id and (each.status is not AckStatus.DELETED or each.action == MARKED)
        }

    def _held_already(self, batch: Batch, refused: Sequence[Outcome], send: Send, leave: Leave) -> list[Outcome]:
        """Update the records that hold the keys of orders which were refused for a unique field; else they stay so.

        An insert may be refused for another field of the very record that it, or its first attempt, made.
        """
        holders = {each.key: each.holder_id for each in refused if each.holder_id}
        unclear = [each.key for each in refused if not each.holder_id]
        try:
            holders |= {key: record.zoho_id for key, record in self._records.find(unclear).items()} if unclear else {}
            owners = self._ledger.other_owners(holders)
            lost = self._records.find(owners) if owners else {}
        except TransientError as error:
            leave(batch.only([each.key for each in refused]), error)
            return []
        outcomes = [each for each in refused if each.key not in holders]
        for key, owner in owners.items():
            record = holders.pop(key)
            # Where the record holds this very key, a person gave it that, and it is the other order's no more.
            is_lost = key in lost and lost[key].zoho_id == record
            outcomes.append(_conflict(batch, key, record, owner, is_lost=is_lost))
        if holders:
            answered = send(batch.only(holders), Operation.UPDATE, holders)
            # Deleted this very moment: the next attempt makes it anew.
            outcomes += [
                structs.replace(each, family=Family.TRANSIENT) if _is_absent(each) else each for each in answered
            ]
        return outcomes


def _is_absent(outcome: Outcome) -> bool:
    """Whether the id of an update leads to no record."""
    no_record = outcome.code == NO_SUCH_RECORD and outcome.field in (None, "id") and not outcome.causes
    return no_record or outcome.code == OwnCode.NOT_IN_CRM


def _conflict(batch: Batch, key: str, record: str, owner: str, *, is_lost: bool) -> Outcome:
    return key_conflict(
        key,
        batch.entries[key].version,
        f"record {record} holds this key, and is that of order {owner!r}; it was not written",
        field=batch.mapping.key_field.api_name,
        conflict_id=record if is_lost else None,
    )
