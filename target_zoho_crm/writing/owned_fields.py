"""Fields that may belong to people (`write:` in `fields`): an update reads its records first, and writes what is ours.

What is known to be people's, or as it should be, is not in the call. An order of which such a field is written goes in
a call of its own, under the condition that nobody has changed the record since it was read: what Zoho does with a
condition for several records is documented nowhere. So an edit is not overwritten, however late the call lands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sync_ledger.field_marks import MarkedRecord
from sync_ledger.retry_schedules import RECORD_LOOKS
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode, ZohoCode
from target_zoho_crm.api.errors import AnswerError, QuotaError, TransientError
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.batch import Batch
from target_zoho_crm.compare.field_rules import Decision, decide, marks_of_new, marks_text, read_marks
from target_zoho_crm.confirmation.field_marks import FieldMarks
from target_zoho_crm.confirmation.outcomes import Outcome, RecordError, refused
from target_zoho_crm.confirmation.sent_contents import SentContents
from target_zoho_crm.mapping.conversion import Conversion, Form
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.field_settings import WriteRule
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.records_read import RecordsRead

_OF_RECORDS = ("Modified_Time", "Modified_By", "Created_Time")

Send = Callable[[Batch], list[Outcome]]
"""Makes one call of updates."""
Leave = Callable[[Batch, TransientError | QuotaError], None]
"""Leaves a batch unsynced."""

_Record = Mapping[str, Any]


class OwnedFields:
    """Writes updates of one stream whose mapping has rules. Safe for threads."""

    def __init__(self, policy: StreamPolicy, client: ZohoClient, marks: FieldMarks, contents: SentContents) -> None:
        """`contents` hold the marks of what is sent, for its acks."""
        self._policy = policy
        self._client = client
        self._marks = marks
        self._contents = contents
        self._records = RecordsRead(client, policy.module)
        self._us: str | None = None
        self._lock = threading.Lock()
        self.kept = 0
        """Fields that were left as people have them, and in which the order holds something else."""

    def inserting(self, batch: Batch, *, by_job: bool) -> None:
        """Take note of what is to be written of orders that are new in the CRM, before they are sent.

        What an earlier attempt would have written stays noted, since its record may be there; where a call says that
        it made the record, the ack has what this one wrote alone.
        """
        ruled, known = batch.mapping.with_rules, self._marks.known(batch.entries)
        new, both = dict[str, str](), dict[str, str]()
        for key, values in _values(batch.mapping, ruled, batch).items():
            marks = marks_of_new(ruled.written, values)
            earlier = read_marks(known[key].marks if key in known else None)
            new[key] = marks_text(marks)
            both[key] = marks_text({name: [*earlier.get(name, ()), *each] for name, each in marks.items()})
        if not by_job:
            self._marks.note({key: text for key, text in both.items() if key in known and known[key].marks != text})
        self._contents.note_marks(both if by_job else new)

    def update(self, batch: Batch, ids: Mapping[str, str], send: Send, leave: Leave) -> list[Outcome]:
        """Update records whose `ids` are given by key; an order that was left unsynced has no outcome.

        Costs 1 credit for each 100 orders to read, and 1 for each order of which a field with a rule is written.

        Raises:
            ZohoError: what ends the run.
        """
        outcomes: list[Outcome] = []
        for look in range(1, RECORD_LOOKS.attempts + 1):
            try:
                decided, since = self._decided(batch, ids)
            except (TransientError, QuotaError) as error:
                leave(batch, error)
                return outcomes
            ours = [key for key in batch.entries if key in decided and decided[key].writes]
            others = [key for key in batch.entries if key not in ours]
            if others:
                every = frozenset(each.field.api_name for each in batch.mapping.with_rules.written)
                left = {key: decided[key].left if key in decided else every for key in others}
                outcomes += send(replace(batch.only(others), left=left))
            again = {key for key in ours if since[key] is None}
            for key in ours:
                if since[key] is None:
                    continue
                one = replace(batch.only([key]), left={key: decided[key].left}, unmodified_since=since[key])
                answered = send(one)
                if any(each.code == ZohoCode.ALREADY_MODIFIED for each in answered):
                    again.add(key)
                else:
                    outcomes += answered
            with self._lock:
                self.kept += sum(each.kept for key, each in decided.items() if key not in again)
            batch = batch.only([key for key in batch.entries if key in again])
            if not again:
                return outcomes
            if (
                look < RECORD_LOOKS.attempts
            ):  # what changed in the second in which it was read may do so once more, unseen
                wait_or_stop(self._client.stop, RECORD_LOOKS.pause_after(look))
        reason = RecordError(ZohoCode.ALREADY_MODIFIED.value, None, "the record was changed each time it was read")
        return outcomes + [refused(key, entry.version, [reason]) for key, entry in batch.entries.items()]

    def _decided(self, batch: Batch, ids: Mapping[str, str]) -> tuple[dict[str, Decision], dict[str, str | None]]:
        """Decide about each order whose record is there, and note its marks.

        Also gives since when each record is as it was read; None where that was within the second.
        """
        ruled = batch.mapping.with_rules
        if all(each.write is WriteRule.ONCE for each in ruled.written):
            return {}, {}
        names = tuple(each.field.api_name for each in ruled.written)
        records, asked_at = self._records.by_id_at([ids[key] for key in batch.entries], (*names, *_OF_RECORDS))
        known = self._marks.known(batch.entries)
        values = _values(batch.mapping, ruled, batch)
        decided: dict[str, Decision] = {}
        since: dict[str, str | None] = {}
        for key, own in values.items():
            record = records.get(ids[key])
            if record is None:
                continue
            ack = known.get(key)
            decided[key] = decide(
                ruled.written,
                own,
                record,
                read_marks(ack.marks if ack is not None else None),
                ours=self._is_ours(record, ack),
                ignore_empty=self._policy.ignore_empty,
            )
            since[key] = _unmodified_since(record, asked_at)
        before = {key: marks_text(each.before) for key, each in decided.items()}
        self._marks.note({key: text for key, text in before.items() if key in known and known[key].marks != text})
        self._contents.note_marks({key: marks_text(each.after) for key, each in decided.items()})
        return decided, since

    def _is_ours(self, record: _Record, ack: MarkedRecord | None) -> bool:
        """Whether fields of which nothing is noted hold what we wrote: we changed the record last.

        That is, before there was a rule, since until then all fields were written; or when we made the record.
        """
        last = record.get("Modified_By")
        if not isinstance(last, dict) or str(last.get("id")) != self._our_id():
            return False
        before_rules = ack is not None and ack.zoho_id == str(record["id"])
        return before_rules or (
            record.get("Created_Time") is not None and record.get("Created_Time") == record.get("Modified_Time")
        )

    def _our_id(self) -> str:
        if self._us is None:
            self._us = str(self._client.current_user().get("id"))
        return self._us


def _values(mapping: FieldMapping, ruled: FieldMapping, batch: Batch) -> dict[str, Sequence[Any]]:
    """What orders have for the fields with rules, in JSON form, by key; without those that cannot be written."""
    names = {each.field.api_name for each in ruled.columns}
    positions = [at for at, each in enumerate(mapping.columns) if each.field.api_name in names]
    conversion = Conversion(ruled, Form.JSON, positions)
    keys: Collection[str] = batch.entries
    converted = conversion.convert(list(keys), [entry.values for entry in batch.entries.values()])
    return dict(zip(converted.keys, zip(*converted.columns, strict=True), strict=True)) if converted.keys else {}


def _unmodified_since(record: _Record, asked_at: datetime) -> str | None:
    changed = record.get("Modified_Time")
    if not isinstance(changed, str):
        raise AnswerError(OwnCode.BAD_ANSWER, "A record does not tell when it was changed.")
    try:
        at = datetime.fromisoformat(changed)
    except ValueError as error:
        raise AnswerError(OwnCode.BAD_ANSWER, "A record's Modified_Time is no time.") from error
    return changed if int(at.timestamp()) < int(asked_at.timestamp()) else None
