"""What records hold before they are written (`keep_before`), so that `orders-sync undo` can set them back.

Read right before each call, or before a job's file goes, and kept in the ledger compressed and encrypted.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from sync_databases.chunks import chunks_of
from sync_ledger.before_values import keep
from sync_ledger.leases import Lease
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.coql_rows import all_rows, among, id_in
from target_zoho_crm.api.costs import CALL_RECORDS, QUERY_ROWS, QUERY_VALUES, READ_FIELDS, query_credits
from target_zoho_crm.api.metadata import LINE_TAX, LINKS, TAG, Field, ModuleFields
from target_zoho_crm.api.sealing import fernet_of
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.writing.records_by_key import RecordsByKey
from target_zoho_crm.writing.records_read import RecordsRead

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

OF_RECORDS = ("Modified_Time", "Modified_By")
_PURPOSE = b"values from before in the ledger, version 1"
_NEVER_READ = LINKS | {TAG, "subform", "profileimage", "imageupload", "fileupload"}
"""Types of fields that no list of records gives whole."""


class KeepBefore(StrEnum):
    """Which values are kept."""

    NONE = "none"
    CHANGED = "changed"
    """Those of the fields that the run writes."""
    ALL = "all"
    """Those of every field that can be written: also what automations change."""


class LinesToKeep(msgspec.Struct, frozen=True):
    """Where an order's lines are: records of `module`, or rows of the order's `subform`, whose module that is.

    `names` are the fields that are written of a line, its key among them; `order_field` points at the order.
    """

    module: str
    subform: str | None
    key_field: str
    order_field: str
    names: list[str]


class Besides(msgspec.Struct, frozen=True):
    """What is written with an order besides its own fields. `partly`: what of it no reading gives whole."""

    lines: LinesToKeep | None = None
    partly: str | None = None


NOTHING = Besides()


class KeptValues(msgspec.Struct, frozen=True):
    """What one row of the ledger holds: records by their orders' keys, and their lines, as Zoho gave them.

    `fields` were asked for; one that a record lacks is hidden from the API's user. `besides`: what else is written.
    """

    fields: list[str]
    besides: Besides
    records: dict[str, dict[str, Any]]
    lines: dict[str, list[dict[str, Any]]]


class Sealing:
    """Encrypts kept values for whoever has the same client secret and refresh token."""

    def __init__(self, credentials: Credentials, ledger_id: str) -> None:
        self._credentials = credentials
        self._ledger_id = ledger_id

    def seal(self, values: KeptValues) -> bytes:
        """Compress and encrypt."""
        return self._fernet.encrypt(zlib.compress(msgspec.json.encode(values)))

    def opened(self, sealed: bytes) -> KeptValues | None:
        """Undo that; None where other credentials have sealed it."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as in `sealing.py`

        try:
            return msgspec.json.decode(zlib.decompress(self._fernet.decrypt(sealed)), type=KeptValues)
        except InvalidToken:
            return None

    @cached_property
    def _fernet(self) -> Fernet:
        return fernet_of(self._credentials, self._ledger_id, _PURPOSE)


@dataclass(frozen=True, slots=True)
class ValuesBefore:
    """Keeps the values of one stream's records. Safe for threads.

    `records` are those of the stream's module, `fields` its fields. `besides`: what else its writes change.
    """

    module: str
    what: KeepBefore
    client: ZohoClient
    ledger: StreamLedger
    lease: Lease
    records: RecordsByKey
    fields: ModuleFields
    sealing: Sealing
    besides: Besides = NOTHING

    def credits(self, batch: Batch) -> int:
        """What reading the values of these orders costs at most: 0 where none are kept."""
        if self.what is KeepBefore.NONE:
            return 0
        known = len(self._known(batch.entries))
        names = len(self._names(batch.mapping))
        calls = -(-len(batch.entries) // CALL_RECORDS) * -(-names // READ_FIELDS)
        of_lines = query_credits(QUERY_ROWS) if self.besides.lines is not None else 0
        return calls + -(-(len(batch.entries) - known) // QUERY_VALUES) + of_lines * -(-known // QUERY_VALUES)

    @property
    def is_asked(self) -> bool:
        """Whether anything is kept."""
        return self.what is not KeepBefore.NONE

    def keep(self, mapping: FieldMapping, keys: Collection[str]) -> None:
        """Read and keep the values of orders that are about to be written.

        Costs 1 credit for each 100 records and 50 fields, and 1 for each 50 orders that the ledger knows no record of;
        with lines 3 for each 50 orders, or 2,000 lines.

        Raises:
            ZohoError: the CRM could not be asked.
            LeaseLostError: another run has taken over.
        """
        if not self.is_asked:
            return
        names = self._names(mapping)
        besides = self.besides
        if any(each.field.data_type in _NEVER_READ for each in mapping.written):
            besides = structs.replace(besides, partly=besides.partly or "links or tags")
        for some in chunks_of(keys, CALL_RECORDS):
            ids = self._known(some)
            unknown = [key for key in some if key not in ids]
            if unknown:
                ids |= {key: found.zoho_id for key, found in self.records.find(unknown).items()}
            found = RecordsRead(self.client, self.module).by_id(list(ids.values()), names) if ids else {}
            records = {key: found[zoho_id] for key, zoho_id in ids.items() if zoho_id in found}
            if records:
                lines = {} if besides.lines is None else self._lines(besides.lines, {key: ids[key] for key in records})
                sealed = self.sealing.seal(KeptValues(names, besides, records, lines))
                keep(self.lease, list(records), sealed)

    def _lines(self, lines: LinesToKeep, ids: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
        found = read_lines(self.client, lines, ids.values())
        return {key: found[zoho_id] for key, zoho_id in ids.items() if zoho_id in found}

    def _known(self, keys: Collection[str]) -> dict[str, str]:
        known = self.ledger.known_records(keys)
        return {key: each.zoho_id for key, each in known.items() if each.zoho_id is not None}

    def _names(self, mapping: FieldMapping) -> list[str]:
        fields = self._of_all() if self.what is KeepBefore.ALL else (each.field for each in mapping.written)
        readable = (each.api_name for each in fields if each.data_type not in _NEVER_READ)
        return list(dict.fromkeys((mapping.key_field.api_name, *readable, *OF_RECORDS)))

    def _of_all(self) -> Iterator[Field]:
        fields: Mapping[str, Field] = self.fields
        yield from (each for each in fields.values() if each.writable_on_update)


def read_lines(client: ZohoClient, lines: LinesToKeep, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """The lines of the orders with these ids, by the order's id. Costs 3 credits for each 50 orders, or 2,000 lines.

    Raises:
        ZohoError: the CRM could not be asked.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    own = OF_RECORDS if lines.subform is None else ()
    names = list(dict.fromkeys((lines.order_field, *lines.names, *own)))
    for some in chunks_of(ids, QUERY_VALUES):
        for row in all_rows(client, names, lines.module, among(lines.order_field, some)):
            found.setdefault(id_in(row.get(lines.order_field)), []).append(row)
    return found


def lines_to_keep(module: str, subform: str | None, key: Field, order: Field, fields: Collection[Field]) -> Besides:
    """What is to be kept of lines that are written to these fields."""
    unread = [each.api_name for each in fields if each.data_type in _NEVER_READ or each.data_type == LINE_TAX]
    names = list(dict.fromkeys((key.api_name, *(each.api_name for each in fields))))
    lines = LinesToKeep(module, subform, key.api_name, order.api_name, names)
    return Besides(lines, f"{', '.join(unread)} of lines" if unread else None)
