"""Records as stream maps make them: where a map fails, the run ends with one line that names the order."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from singer_sdk.singerlib import RecordMessage
from singer_sdk.sql import SQLStream

from sync_ledger.map_failures import MAP_FAILURES, cause_name
from sync_ledger.stream_contract import KEY_PROPERTY
from tap_legacy_orders.tap_errors import TapSyncError

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Record


class MappedRecords(SQLStream):
    """A stream whose stream maps may fail for an order."""

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Make messages of a record.

        Raises:
            TapSyncError: a map fails. An order that was left out here would have no ack, and be lost to the bookmark.
        """
        key = record.get(KEY_PROPERTY)
        try:
            yield from super()._generate_record_messages(record)
        except MAP_FAILURES as error:
            raise TapSyncError(
                f"stream_maps: the map of stream {self.name!r} fails for order {key!r} ({cause_name(error)}), and the "
                "run ends there; mend it, or set it in the target's `stream_maps`, which refuse such an order alone"
            ) from error
