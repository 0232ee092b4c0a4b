"""Orders that are refused before they are routed: their keys or their records are of no use."""

from __future__ import annotations

from sync_databases.keys import KEY_LENGTH
from target_zoho_crm.api.codes import Family, OwnCode, ZohoCode
from target_zoho_crm.batch import Batch, Entry, PendingRecords
from target_zoho_crm.confirmation.outcomes import Outcome, Status, own_refusals
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.mapping.field_mapping import FieldMapping, Refusal
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.record_decoding import Rows, shortened_key


class EarlyRefusals:
    """Refuses orders of one stream, by name, so that the others go on."""

    def __init__(
        self,
        mapping: FieldMapping,
        folding: KeyFolding,
        *,
        ledger: StreamLedger,
        recorder: Recorder,
        state_gate: StateGate,
    ) -> None:
        """`folding` is that of the module's key field."""
        self._mapping = mapping
        self._folding = folding
        self._ledger = ledger
        self._recorder = recorder
        self._state_gate = state_gate

    def unfit_keys(self, pending: PendingRecords, rows: Rows) -> Rows:
        """Refuse orders whose key neither Zoho nor the ledger can hold; the ledger names them by a shortened key."""
        if max(map(len, rows.keys), default=0) <= KEY_LENGTH and "\0" not in "".join(rows.keys):
            return rows
        unfit = {index for index, key in enumerate(rows.keys) if len(key) > KEY_LENGTH or "\0" in key}
        message = f"The key has more than {KEY_LENGTH} characters, or a NUL among them."
        outcomes = {
            shortened: self._of_key(shortened, rows.versions[index], ZohoCode.INVALID_DATA, message)
            for index in unfit
            for shortened in [shortened_key(rows.keys[index])]
        }
        self._state_gate.superseded(pending, len(unfit) - len(outcomes))
        self._recorder.record(pending, list(outcomes.values()), None)
        kept = [index for index in range(len(rows.keys)) if index not in unfit]
        return Rows(
            [rows.keys[index] for index in kept],
            [rows.versions[index] for index in kept],
            [rows.values[index] for index in kept],
            partial=rows.partial,
            contents=rows.contents and [rows.contents[index] for index in kept],
        )

    def unreadable(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Take out the orders whose records were refused when they were read."""
        refused = {
            key: entry for key, entry in entries.items() if entry.values and isinstance(entry.values[0], Refusal)
        }
        for key in refused:
            del entries[key]
        refusals = {key: entry.values[0] for key, entry in refused.items()}
        self._recorder.record(pending, own_refusals(Batch(pending, self._mapping, refused), refusals), None)

    def same_keys(self, pending: PendingRecords, entries: dict[str, Entry]) -> None:
        """Take out orders whose keys Zoho's unique field would take for one, and keys that it cannot hold."""
        alike = self._ledger.keys_alike(entries, self._folding.changed(entries))
        outcomes = [
            self._of_key(
                key,
                entries[key].version,
                ZohoCode.DUPLICATE_DATA,
                f"Zoho's unique field takes this key and that of order {other!r} for one; change one of them.",
            )
            for key, other in alike.taken.items()
        ]
        outcomes += [
            self._of_key(
                key,
                entries[key].version,
                OwnCode.ALIKE_IN_DOUBT.value,
                f"Zoho's unique field takes this key and that of order {other!r} for one, which may be written yet.",
                Family.TRANSIENT,
            )
            for key, other in alike.in_doubt.items()
        ]
        if outcomes:
            for outcome in outcomes:
                del entries[outcome.key]
            self._recorder.record(pending, outcomes, None)

    def _of_key(self, key: str, version: str, code: str, message: str, family: Family = Family.DATA) -> Outcome:
        return Outcome(
            key=key,
            version=version,
            status=Status.REJECTED,
            code=code,
            field=self._mapping.key_field.api_name,
            message=message,
            family=family,
        )
