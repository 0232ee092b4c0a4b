"""The Singer sink: one stream's records, from messages to its delivery."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import msgspec
from singer_sdk import Target
from singer_sdk.mapper import StreamMap
from singer_sdk.singerlib.exceptions import InvalidInputLine
from singer_sdk.sinks import BatchSink

from sync_ledger.map_failures import MAP_FAILURES, cause_name
from sync_ledger.stream_contract import DELETED_AT_PROPERTY, KEY_PROPERTY, VERSION_PROPERTY, Announcement
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.delivery.delivery import Delivery
from target_zoho_crm.mapping.field_mapping import Refusal
from target_zoho_crm.record_decoding import (
    BadRecordError,
    RowReader,
    Rows,
    join_key,
    storable_key,
    version_text,
)
from target_zoho_crm.run import Run
from target_zoho_crm.stream_request import StreamRequest


class Owner(Protocol):
    """What a sink asks its target for; the SDK makes sinks with the target itself."""

    @property
    def run(self) -> Run:
        """The run that all streams share."""

    @property
    def read_record(self) -> Callable[[bytes], Any]:
        """What decodes a line that surely is of a record."""

    def replication_key(self, stream: str) -> str | None:
        """The property by which the stream is replicated, if its SCHEMA names one."""


class ZohoSink(BatchSink):
    """Takes the records of one stream, in blocks where it can and one by one where the SDK must see them."""

    def __init__(
        self,
        target: Target,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        """As the SDK makes sinks."""
        super().__init__(target, stream_name, schema, key_properties)
        self._target = cast("Owner", target)
        self._delivery: Delivery | None = None

    def _remove_sdc_metadata_from_schema(self) -> None:
        """Keep what says that an order was deleted at its source: that is no bookkeeping."""
        properties = self.schema["properties"]
        deleted = properties.get(DELETED_AT_PROPERTY)
        super()._remove_sdc_metadata_from_schema()
        if deleted is not None:
            properties[DELETED_AT_PROPERTY] = deleted

    def _remove_sdc_metadata_from_record(self, record: dict[str, Any]) -> None:
        """Keep it in the record too."""
        deleted = record.get(DELETED_AT_PROPERTY)
        super()._remove_sdc_metadata_from_record(record)
        if deleted is not None:
            record[DELETED_AT_PROPERTY] = deleted

    def open(self, announced: Announcement) -> None:
        """Begin the stream's run: lease, metadata, mapping, and what dead runs left.

        Called by the target and not from `setup`, whose errors the SDK would report twice.
        """
        if self._delivery is not None:
            return
        properties: Mapping[str, Any] = self.schema["properties"]
        opened = self._target.run.open_stream(
            StreamRequest(self.stream_name, properties, self.key_properties, announced)
        )
        sources = [column.source for column in opened.mapping.columns]
        if opened.lines_property is not None:
            sources.append(opened.lines_property)  # behind the mapped columns, as JSON
        try:
            self._rows = RowReader(
                properties,
                required=self.schema.get("required", ()),
                key_properties=self.key_properties,
                replication_key=self._target.replication_key(self.stream_name),
                sources=sources,
                keys_by_hash=self._target.run.settings.keys_by_hash,
                encoded=opened.lines_property,
            )
        except BadRecordError as error:
            raise InvalidInputLine(f"stream {self.stream_name!r}: {error}") from None
        self._delivery = opened.delivery

    @property
    def _open_delivery(self) -> Delivery:
        if self._delivery is None:
            raise AssertionError("the sink was not opened")
        return self._delivery

    def take_lines(self, lines: list[bytes]) -> None:
        """Take a block of RECORD lines."""
        if not self._took(self._rows.read_lines, lines):
            self._take_one_by_one(_record_in(self._target.read_record(line)) for line in lines)

    def take_bare_lines(self, lines: list[bytes]) -> None:
        """Take a block of records, as the files of BATCH messages hold them."""
        if not self._took(self._rows.read_bare_lines, lines):
            self._take_one_by_one(map(self._target.read_record, lines))

    def take_mapped(self, stream_map: StreamMap, message: Mapping[str, Any]) -> None:
        """Take one record as its stream map makes it; one for which the map fails is refused by name."""
        record = message["record"]
        if not isinstance(record, dict):
            self._take_one_by_one([record])
            return
        try:
            mapped = stream_map.transform(copy.copy(record))
        except MAP_FAILURES as error:
            self._count(1)
            self._refuse(record, BadRecordError(f"the stream map fails for this record ({cause_name(error)})"))
            return
        if mapped is None:
            return
        self._remove_sdc_metadata_from_record(mapped)
        self._take_one_by_one([mapped])

    def _took(self, read: Callable[[list[bytes]], Rows], lines: list[bytes]) -> bool:
        try:
            rows = read(lines)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadRecordError):
            return False
        self._count(len(lines))
        self._open_delivery.add(rows)
        return True

    def _take_one_by_one(self, records: Iterable[Any]) -> None:
        """Find the record that does not fit, and let the others through."""
        for record in records:
            self._count(1)
            if isinstance(record, dict):
                self.process_record(record, {})
            else:
                self._refuse({}, BadRecordError("it is no JSON object"))

    def _count(self, records: int) -> None:
        self.tally_record_read(records)
        self.record_counter_metric.increment(records)

    @property
    def include_sdc_metadata_properties(self) -> bool:
        """Never: when a record was read or sent is in the ledger, and no field of the CRM asks for it."""
        return False

    def get_validator(self) -> None:
        """Leave validation to the typed rows: a record that does not fit is refused by name, the others go on."""
        return

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002
        """Take one record."""
        try:
            rows = self._rows.read_record(record)
        except BadRecordError as error:
            self._refuse(record, error)
            return
        self._open_delivery.add(rows)

    def _refuse(self, record: Mapping[str, Any], error: BadRecordError) -> None:
        """Refuse a record by its key; one without any by its number in the stream."""
        names = [KEY_PROPERTY] if KEY_PROPERTY in record else list(self.key_properties)
        try:
            key = join_key([record.get(name) for name in names])
        except BadRecordError:
            key = ""
        version = record.get(VERSION_PROPERTY) or record.get(self._target.replication_key(self.stream_name) or "")
        if isinstance(version, (dict, list)):
            version = None  # no replication key holds such
        refusal = Refusal(ZohoCode.INVALID_DATA, error.field, str(error))
        self._open_delivery.refuse(storable_key(key), version_text(version or None), refusal)

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002
        """Send what is buffered: called by the SDK when records grow old, when the schema changes, and at the end."""
        self._open_delivery.flush()

    @property
    def is_full(self) -> bool:
        """Never: the delivery sends by itself what fills a batch, without waiting for it."""
        return False


def _record_in(message: Any) -> Any:
    return message.get("record") if isinstance(message, dict) else None
