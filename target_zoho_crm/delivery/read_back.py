"""Orders that were just written, read back from the CRM: where they differ from what was sent, in whatever way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.batch import Batch
from target_zoho_crm.compare.difference_kinds import DifferenceKind
from target_zoho_crm.compare.records import Difference, RecordComparer
from target_zoho_crm.confirmation.outcomes import CREATED
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.lines.line_differences import line_differences
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.lookup_resolver import LookupResolver
from target_zoho_crm.writing.records_by_key import RecordsByKey
from target_zoho_crm.writing.records_read import RecordsRead

NAME = "Name"
"""The field that Zoho may fill by itself where nothing is written to it."""


MODIFIED_BY, MODIFIED_TIME = "Modified_By", "Modified_Time"
OF_LATE = timedelta(days=1)


class ReadBack:
    """Reads orders of one stream back."""

    def __init__(
        self,
        policy: StreamPolicy,
        client: ZohoClient,
        *,
        ledger: StreamLedger,
        lookups: LookupResolver,
        by_key: RecordsByKey,
        reads_name: bool,
    ) -> None:
        """`reads_name`: the module has a field `Name`."""
        self._policy = policy
        self._client = client
        self._ledger = ledger
        self._lookups = lookups
        self._by_key = by_key
        self._records = RecordsRead(client, policy.module)
        self._reads_name = reads_name
        self._lines: CompiledLines | None = None

    def begin_schema(self, lines: CompiledLines | None) -> None:
        """Go on under another schema."""
        self._lines = lines

    def keys_there(self, batch: Batch) -> frozenset[str]:
        """The orders of a batch whose keys the CRM has before they are written. Costs 1 credit for 50 of them.

        Raises:
            ZohoError: the CRM could not be asked.
        """
        return frozenset(self._by_key.find(batch.entries))

    def written_by_us_of_late(self, batch: Batch) -> int:
        """How many orders of a batch the CRM has before they are written, by a write of this token's user of one day.

        Costs 1 credit; 2 more where it has some.

        Raises:
            ZohoError: the CRM could not be asked.
        """
        found = self._by_key.find(batch.entries)
        if not found:
            return 0
        ids = [each.zoho_id for each in found.values()]
        records, now = self._records.by_id_at(ids, (MODIFIED_BY, MODIFIED_TIME))
        us = str(self._client.current_user().get("id"))
        return sum(_is_by(us, each) and _is_of_late(each, now) for each in records.values())

    def differences(self, batch: Batch, there_before: Collection[str] | None = None) -> list[Difference]:
        """What the CRM holds otherwise, of orders that are in it. Costs 1 credit for 100; 3 for 50 with lines.

        `there_before` are those whose keys it had before they were written, where that was asked: another order that
        was not created then was written to a record that another unique field led to.

        Raises:
            ZohoError: the CRM could not be asked.
        """
        batch = self._lookups.for_comparing(batch)
        known = self._ledger.known_records(batch.entries)
        ids = {key: known[key].zoho_id or "" for key in batch.entries if key in known}
        comparer = RecordComparer(batch.mapping, ignore_empty=self._policy.ignore_empty)
        own_name = [NAME] if self._reads_name and NAME not in comparer.fields else []
        held = self._records.by_id(ids.values(), (*comparer.fields, *own_name))
        there = [key for key in batch.entries if ids.get(key) in held]
        columns = len(batch.mapping.columns)  # lines stand behind them
        rows = [batch.entries[key].values[:columns] for key in there]
        created = [key for key in there if known[key].action == CREATED]
        filled = [
            Difference(key, NAME, DifferenceKind.FILLED, None, name)
            for key in created  # one that was there before may have its name from people
            if own_name and (name := held[ids[key]].get(NAME))
        ]
        field = next(iter(batch.mapping.further_unique), batch.mapping.key_field.api_name)
        others = [] if there_before is None else [key for key in there if key not in {*created, *there_before}]
        return [
            *comparer.differences(there, rows, [held[ids[key]] for key in there]),
            *filled,
            *(Difference(key, field, DifferenceKind.OTHER_MATCH, None, None) for key in others),
            *line_differences(
                self._client,
                self._lines,
                batch,
                {key: ids[key] for key in there},
                ignore_empty=self._policy.ignore_empty,
            ),
        ]


def _is_by(user: str, record: Mapping[str, Any]) -> bool:
    last = record.get(MODIFIED_BY)
    return isinstance(last, dict) and str(last.get("id")) == user


def _is_of_late(record: Mapping[str, Any], now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(str(record.get(MODIFIED_TIME))) < OF_LATE
    except (ValueError, TypeError):  # no time, or one without a zone
        return False
