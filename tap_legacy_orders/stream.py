"""The Singer stream: the SDK's hooks around pages of unsynced orders.

Pages go out as blocks of lines. Where the SDK must see each record (stream maps, flattening, a record limit), the
same pages go its own way, with equal records.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from singer_sdk.batch import Batcher
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import SchemaMessage, StateMessage
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

from sync_databases.displayed_text import escape_log_lines
from sync_ledger.absent_ledger import read_without
from sync_ledger.runs import runs_so_far
from sync_ledger.state_contract import mark_end
from sync_ledger.stream_contract import (
    CONTENT_PROPERTY,
    DELETED_AT_PROPERTY,
    KEY_PROPERTY,
    VERSION_PROPERTY,
    Announcement,
    announce,
)
from tap_legacy_orders.batch_file_writer import BatchFiles
from tap_legacy_orders.catalog import RUN_DISCOVERY, source_of
from tap_legacy_orders.change_guard import ChangeGuard
from tap_legacy_orders.connections import LEDGER_CHECK, reading
from tap_legacy_orders.contents import Contents, Padding, form_of, in_byte_order
from tap_legacy_orders.expected_orders import expected_orders
from tap_legacy_orders.followed_orders import FollowedOrders
from tap_legacy_orders.following import Following, refuse_unfit
from tap_legacy_orders.json_values import Converter, converter
from tap_legacy_orders.mapped_records import MappedRecords
from tap_legacy_orders.order_lines import OrderLines
from tap_legacy_orders.pages import Page
from tap_legacy_orders.record_encoding import BARE, LineEncoder, as_is, record_message
from tap_legacy_orders.rendering import RenderedEncoder, Rendering, rendering_in
from tap_legacy_orders.stream_state import BookmarkScope, StreamState
from tap_legacy_orders.sync_flag import flagged_table
from tap_legacy_orders.tap_errors import OutputClosedError, TapConfigError, is_not_reported_twice
from tap_legacy_orders.tap_protocol import OrdersTap
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

if TYPE_CHECKING:
    from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog

    from sync_databases.columns import Column
    from sync_ledger.content_forms import ContentForm
    from tap_legacy_orders.orders_source import OrdersSource
    from tap_legacy_orders.output import BlockWriter


class UnsyncedOrdersStream(MappedRecords):
    """The unsynced orders of the configured table."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    """Records hold JSON values already, and the SDK would make `true` of a 2 in a column of 0 and 1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tap: OrdersTap = cast("OrdersTap", self._tap)
        self.logger.addFilter(is_not_reported_twice)
        escape_log_lines(self.logger)
        entry = self._singer_catalog_entry
        self._set_replication(entry.replication_key, entry.replication_method)

    # What the SDK asks

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take what a given catalog selects; the keys come from the settings."""
        super().apply_catalog(catalog)
        self._set_replication(self.replication_key, self.forced_replication_method)

    @property
    def is_sorted(self) -> bool:
        """A run that ends early can be resumed: the bookmark only ever stands where everything before it is out."""
        return True

    def get_replication_key_signpost(self, context: Context | None = None) -> None:  # noqa: ARG002
        """Set no signpost: the range has its own end, by the database's clock."""
        return

    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Leave the bookmark alone: it moves by pages, not by records."""

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Leave nothing of the start in STATE: a run reads its bookmark from the state that it was given."""

    def _finalize_state(self, state: dict[str, Any] | None = None) -> None:
        """Mark the last STATE: without the mark the target knows that this tap did not come to its end."""
        super()._finalize_state(state)
        if state is not None:
            mark_end(state)

    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        for message in super()._generate_schema_messages():
            message.schema = announce(message.schema, self.announcement)
            yield message

    @property
    def announcement(self) -> Announcement:
        """What the schema says of this run, by which the target refuses what another has overtaken, and sets flags."""
        table = self.tap.orders_table
        return Announcement(
            self._begin[1],
            table.partition,
            flagged_table(table.flag_columns, table.sent(self._columns)),
            ledger_id=self.tap.ledger.ledger_id,
            without_ledger=read_without(self.tap.ledger, after_bookmark=self._bookmark is not None),
            stream=self.name,
            source=source_of(table, self._columns),
            content_form=self._content_form,
            marks_end=True,
            tap_columns=tuple(table.only_of_tap),
            line_names=() if self._order_lines is None else self._order_lines.names,
            expected=expected_orders(self.tap, self.name, self._columns, self._bookmark),
            follows=self.tap.follows,
        )

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002
        """Give the same records one by one, for the SDK's own path."""
        for encoder, page in self.pages_to_send():
            yield from encoder.records(page.columns, page.marks)
            # The last record has been written by the time that the SDK asks for another.
            self._move_bookmark(page)
            self._write_state_message()

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        if not write_messages or not self._can_write_blocks:
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        writer = cast("BlockWriter", self._tap.message_writer)
        with self.get_record_counter() as counter, self.get_sync_timer():
            try:
                for page, blocks in self._blocks():
                    for block in blocks:
                        writer.write_block(block)
                    counter.increment(page.count)
                    self._move_bookmark(page)
                    self._write_state_message()
                self._finalize_state(self.stream_state)
                self._write_state_message()
            except OutputClosedError:
                if not (self.tap.follows and self.tap.wakeup.stopped):
                    raise  # else both got a signal to stop, and the target was faster

    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        """Take the setting, but for a run that follows: some orders a second are no files.

        Raises:
            TapConfigError: records are to be changed on the way, which the SDK leaves out where it writes files.
        """
        found = None if self.tap.follows else super().get_batch_config(config)
        if found is not None and not self._records_stay_the_same:
            raise TapConfigError(
                "batch_config: files are written without stream maps and flattening; set those in the target instead"
            )
        return found

    def get_batches(
        self,
        batch_config: BatchConfig,
        context: Context | None = None,  # noqa: ARG002
    ) -> Iterable[tuple[BaseBatchFileEncoding, list[str]]]:
        """Give each page as one manifest, so that the STATE after it covers what the manifest holds."""
        ours = BatchFiles.of(batch_config, self.name)
        for page, manifest in self._batches_by_sdk(batch_config) if ours is None else self._batches(ours):
            self._move_bookmark(page)
            if manifest:
                yield batch_config.encoding, manifest
        self._finalize_state(self.stream_state)
        self._write_state_message()

    # Our own

    def _set_replication(self, replication_key: str | None, method: str | None) -> None:
        """Set replication: incremental by the table's replication key, unless a full table is asked for.

        Raises:
            TapConfigError: the catalog names another replication key than the settings.
        """
        ours = self.tap.orders_table.replication.name
        if replication_key not in {None, ours}:
            raise TapConfigError(
                f"catalog: its replication key is {replication_key!r}, that of the settings {ours!r}; "
                f"set `replication_key`, then {RUN_DISCOVERY}"
            )
        self.replication_key = ours
        self.forced_replication_method = REPLICATION_FULL_TABLE if method == REPLICATION_FULL_TABLE else None

    @property
    def _can_write_blocks(self) -> bool:
        """True when nothing in the SDK needs to see each record."""
        return self.ABORT_AT_RECORD_COUNT is None and self._records_stay_the_same

    @property
    def _records_stay_the_same(self) -> bool:
        maps = self.stream_maps
        return (
            self.selected
            and len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and maps[0].stream_alias == self.name
        )

    @cached_property
    def _columns(self) -> list[Column]:
        """The table's columns that the catalog selects, in the order in which records have them.

        Raises:
            TapConfigError: the catalog has columns that the table no longer has.
        """
        known = {column.name: column for column in self.tap.orders_table.columns}
        lines = self.tap.lines_table
        own = {KEY_PROPERTY, VERSION_PROPERTY, CONTENT_PROPERTY, DELETED_AT_PROPERTY, lines and lines.property}
        stated = [name for name in self.schema["properties"] if name not in own]
        missing = [name for name in stated if name not in known]
        if missing:
            what = f"{self.tap.orders_table.name} has no column {', '.join(missing)}"
            raise TapConfigError(f"catalog: {what}; {RUN_DISCOVERY}")
        mask = self.mask
        return in_byte_order(known[name] for name in stated if mask[("properties", name)])

    @cached_property
    def _converters(self) -> list[Converter]:
        return [converter(column, self.tap.zone, self.logger.warning) for column in self._columns]

    @cached_property
    def _encoder(self) -> LineEncoder:
        names = [*(column.name for column in self._columns), KEY_PROPERTY, VERSION_PROPERTY]
        converters = [*self._converters, as_is, as_is]
        if self._order_lines is not None:
            names.append(self._order_lines.property)
            converters.append(as_is)
        return LineEncoder(names, converters)

    @cached_property
    def _rendering(self) -> Rendering | None:
        """Which of the record's columns the database writes as JSON; None where it can write none."""
        return rendering_in(self.tap.engine, self.tap.zone, self._columns)

    @cached_property
    def _order_lines(self) -> OrderLines | None:
        """The reader of the orders' lines, if they are set up and selected."""
        table = self.tap.lines_table
        if table is None or not self.mask[("properties", table.property)]:
            return None
        return OrderLines(self.tap.engine, self.tap.orders_table, table, zone=self.tap.zone, warn=self.logger.warning)

    def _batches_by_sdk(self, batch_config: BatchConfig) -> Iterator[tuple[Page, list[str]]]:
        """Give pages with the files that the SDK has made of them, in formats that only it writes."""
        batcher = Batcher(tap_name=self.tap_name, stream_name=self.name, batch_config=batch_config)
        for encoder, page in self.pages_to_send():
            manifests = batcher.get_batches(records=encoder.records(page.columns, page.marks))
            yield page, [file for manifest in manifests for file in manifest]

    def _batches(self, files: BatchFiles) -> Iterator[tuple[Page, list[str]]]:
        """Give pages with the files of their lines."""
        for page, encoder in self._encoded_pages():
            manifest = []
            for start in range(0, page.count, files.records):
                part = [column[start : start + files.records] for column in page.columns]
                blocks = encoder.blocks(part, min(files.records, page.count - start), BARE, page.marks)
                manifest.append(files.write(blocks))
            yield page, manifest

    def _blocks(self) -> Iterator[tuple[Page, Iterator[bytes]]]:
        """Give pages with their RECORD lines."""
        for page, encoder in self._encoded_pages():
            extracted = datetime.now(timezone.utc).isoformat()
            yield page, encoder.blocks(page.columns, page.count, record_message(self.name, extracted), page.marks)

    def _encoded_pages(self) -> Iterator[tuple[Page, LineEncoder | RenderedEncoder]]:
        """Give pages with what makes lines of them; the database writes the JSON where it can."""
        for encoder, page in self.pages_to_send(self._rendering):
            yield page, encoder if page.rendering is None else self._rendered_encoder

    @cached_property
    def _rendered_encoder(self) -> RenderedEncoder:
        """What makes lines of pages that the database has written."""
        if self._rendering is None:
            raise AssertionError("no page is rendered without it")
        lines = None if self._order_lines is None else self._order_lines.property
        converters = dict(zip(self._columns, self._converters, strict=True))
        return RenderedEncoder(self._rendering, converters.__getitem__, lines)

    @cached_property
    def _content_form(self) -> ContentForm:
        """The form of the contents of this stream's orders."""
        lines = None if self._order_lines is None else self.tap.lines_table
        return form_of(self._columns, lines, self.tap.zone)

    def _contents(self, source: OrdersSource) -> Contents:
        lines = None if self._order_lines is None else self.tap.lines_table
        padding, alone = Padding.of(self._columns, lines), source.table.by_content
        return Contents(
            self._content_form, self._lines_of, source.content_form, self.logger, padding=padding, alone=alone
        )

    def _lines_of(self, page: Page) -> list[bytes]:
        """The records of a page, as they would be sent."""
        written: list[bytes] = []
        for part in self._with_lines(iter([page])):
            encoder = self._encoder if part.rendering is None else self._rendered_encoder
            written += encoder.lines(part.columns)
        return written

    def pages_to_send(self, rendering: Rendering | None = None) -> Iterator[tuple[LineEncoder, Page]]:
        """Give pages with what encodes their columns: unsynced orders, then those that were deleted."""
        if self.tap.follows and self.ABORT_AT_RECORD_COUNT is None:
            for page in self._following(rendering).pages(self._bookmark):
                yield self._encoder, page
            return
        limit = self.ABORT_AT_RECORD_COUNT
        source = self.tap.orders_source(self.name, self._columns, limit, rendering)
        contents = self._contents(source)
        orders = UnsyncedOrders(source, contents, ChangeGuard.of(self.tap.config).guarding(source, contents))
        for page in self._with_lines(orders.pages(self._bookmark, self._own_state.since)):
            yield self._encoder, page
        if self.tap.find_deleted and limit is None:
            deleted = orders.deleted_orders()
            for columns in deleted.pages():
                yield deleted.encoder, Page(columns, len(columns[0]), None)

    def _with_lines(self, pages: Iterator[Page]) -> Iterator[Page]:
        return pages if self._order_lines is None else self._order_lines.attach(pages)

    def _following(self, rendering: Rendering | None) -> Following:
        """The pages of a run that lasts.

        Raises:
            TapConfigError: `find_deleted` is set: deletions are found when a run ends.
        """
        tap = self.tap
        refuse_unfit(follows=tap.follows, find_deleted=tap.find_deleted)
        source = tap.orders_source(self.name, self._columns, None, rendering)
        contents = self._contents(source)
        orders = FollowedOrders(source, contents, ChangeGuard.of(tap.config).following(source, contents))
        return Following(
            orders,
            self._with_lines,
            tap.wakeup,
            poll_interval=float(tap.config["poll_interval_seconds"]),
            forget_connections=orders.forget_connections,
            send_state=self._send_state,
            comparison=self._own_state,
            logger=self.logger,
        )

    @cached_property
    def _begin(self) -> tuple[datetime, str]:
        """When this run began to read, by the ledger's clock (naive UTC), and after which other runs."""
        ledger, partition = self.tap.ledger, self.tap.orders_table.partition
        with reading(ledger.engine, "ledger", LEDGER_CHECK) as connection:
            return ledger.now(connection), runs_so_far(connection, ledger.tables.run, self.name, partition)

    @cached_property
    def _own_state(self) -> StreamState:
        return StreamState(BookmarkScope.of(self.name, self.tap.orders_table), self.tap.ledger, self.logger)

    @cached_property
    def _bookmark(self) -> str | None:
        """The bookmark of an earlier run, if this one may go on from it; STATE has none any more where it may not."""
        full_table = self.replication_method == REPLICATION_FULL_TABLE
        return self._own_state.start(self.stream_state, self._begin[0], full_table=full_table)

    def _move_bookmark(self, page: Page) -> None:
        if page.bookmark is not None:
            self._set_bookmark(page.bookmark)

    def _set_bookmark(self, bookmark: str) -> None:
        self._own_state.move(self.stream_state, bookmark)
        self.state_manager.is_flushed = False

    def _send_state(self, bookmark: str | None) -> None:
        """Write STATE by the tap's own writer: the SDK's keeps back one that equals the last one."""
        if bookmark is not None:
            self._set_bookmark(bookmark)
        self._tap.write_message(StateMessage(copy.deepcopy(self.tap_state)))
