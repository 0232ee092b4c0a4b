"""Some orders in place of all that are unsynced: those of a saved plan, as far as they are as they were planned.

They are read as by any run, which decides what is unsynced; what is not in the plan, or not at its version and content
any more, is left to later runs. Deletions are in no plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import StateMessage

from sync_ledger.ledger import Ledger
from sync_ledger.saved_plans import PlannedOrder
from sync_ledger.stream_contract import SAME_CONTENT
from tap_legacy_orders.change_guard import ChangeGuard
from tap_legacy_orders.order_filter import FoundOrders
from tap_legacy_orders.page_reader import PageReader
from tap_legacy_orders.reading_scope import choose_scope
from tap_legacy_orders.record_encoding import content_of
from tap_legacy_orders.stream import UnsyncedOrdersStream
from tap_legacy_orders.stream_state import mark_of_text
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

if TYPE_CHECKING:
    from datetime import datetime

    from singer_sdk.singerlib import Message
    from singer_sdk.streams.core import Stream

    from sync_ledger.stream_contract import Announcement
    from tap_legacy_orders.pages import Page
    from tap_legacy_orders.record_encoding import LineEncoder
    from tap_legacy_orders.rendering import Rendering
    from tap_legacy_orders.row_layout import Row, RowLayout


class PlannedOrders:
    """The orders of a plan, as a filter of what a run finds; and which of them were given to it."""

    def __init__(self, orders: Mapping[str, PlannedOrder]) -> None:
        """Choose these orders; none was given yet."""
        self.orders = orders
        self.given: set[str] = set()
        """Keys of orders that went out."""
        self.moved_on: set[str] = set()
        """Keys of orders that had their version, and another content."""

    def select(self, found: FoundOrders) -> list[Row]:
        """Choose from a page."""
        return self._at_their_version(found.unsynced, found.layout)

    def select_retries(self, rows: list[Row], due: Mapping[str, datetime], layout: RowLayout) -> list[Row]:  # noqa: ARG002
        """Choose from retries."""
        return self._at_their_version(rows, layout)

    def _at_their_version(self, rows: Sequence[Row], layout: RowLayout) -> list[Row]:
        nothing = PlannedOrder("")
        return [row for row in rows if self.orders.get(layout.key(row), nothing).version == layout.version(row)]

    def give(self, keys: Sequence[str], lines_of: Callable[[], Sequence[bytes]]) -> list[bool]:
        """Which of these orders have the content of the plan; `lines_of` writes their records as they would go out."""
        planned = [self.orders[key].content for key in keys]  # pages hold orders of the plan alone
        lines = lines_of() if any(planned) else [b""] * len(keys)
        chosen = [wanted is None or wanted == content_of(line) for wanted, line in zip(planned, lines, strict=True)]
        for key, is_as_planned in zip(keys, chosen, strict=True):
            (self.given if is_as_planned else self.moved_on).add(key)
        return chosen


class PlannedOrdersStream(UnsyncedOrdersStream):
    """The orders of a plan, for a target in the same process; it writes nothing to the output."""

    def __init__(self, *args: Any, planned: PlannedOrders, **kwargs: Any) -> None:
        """Give these orders alone."""
        super().__init__(*args, **kwargs)
        self._planned = planned

    @property
    def columns_mark(self) -> str:
        """A fingerprint of the columns that are read."""
        return mark_of_text("\0".join(sorted(column.name for column in self._columns))) or ""

    def unsynced(self, ledger: Ledger) -> Iterator[tuple[str, PlannedOrder]]:
        """What a run without a bookmark would send now, by this ledger; orders that are held are none of it.

        Raises:
            TapConfigError, TapSyncError: a run would end here too.
        """
        source = self.tap.orders_source(self.name, self._columns, None, ledger=ledger)
        contents = self._contents(source)
        for page in UnsyncedOrders(source, contents).pages(None):
            if not page.count:
                continue
            keys, versions = page.columns[page.key_at], page.columns[page.key_at + 1]
            held, marks = source.held_among(keys), page.marks or {}
            known = [None] * page.count if page.marks is None else map(content_of, self._lines_of(page))
            for key, version, content in zip(keys, versions, known, strict=True):
                if key not in held and not marks.get(key, "").startswith(SAME_CONTENT):
                    yield key, PlannedOrder(version, content)

    def messages(self) -> Iterator[bytes]:
        """The lines for the target, read as they are asked for; the last STATE says that all came, and no bookmark.

        Raises:
            TapConfigError, TapSyncError: the orders cannot be read.
            TooManyChangesError: the guard stops.
        """
        for message in self._generate_schema_messages():
            yield self._line(message)
        if self._can_write_blocks:
            for _, blocks in self._blocks():
                yield from blocks
        else:
            for record in self.get_records(None):
                for each in self._generate_record_messages(dict(record)):
                    yield self._line(each)
        state: dict[str, Any] = {}
        self._finalize_state(state)
        yield self._line(StateMessage({"bookmarks": {self.name: state}}))

    def _line(self, message: Message) -> bytes:
        return str(self._tap.message_writer.format_message(message)).encode() + b"\n"

    @property
    def announcement(self) -> Announcement:
        """It says too that these are not all orders that are unsynced."""
        announced = super().announcement
        expected = None if announced.expected is None else len(self._planned.orders)
        return replace(announced, in_part=True, expected=expected)

    def _write_state_message(self) -> None:
        """Leave STATE where it is: orders that are not in the plan must not be passed."""

    def pages_to_send(self, rendering: Rendering | None = None) -> Iterator[tuple[LineEncoder, Page]]:
        """Give pages of the plan's orders with what encodes their columns."""
        source = self.tap.orders_source(self.name, self._columns, None, rendering)
        contents = self._contents(source)
        guard = ChangeGuard.of(self.tap.config).guarding(source, contents)
        scope = choose_scope(source, None)
        pages = UnsyncedOrders(source, pages=PageReader(source, self._planned, contents)).pages_of(scope)
        if guard is not None:
            guard.before(scope, sent=self._planned)
            pages = guard.counted(pages)
        for page in self._with_lines(pages):
            yield self._encoder, self._as_planned(page)

    def _as_planned(self, page: Page) -> Page:
        """The page without orders whose content is another one by now; with lines, as they go out."""
        encoder = self._encoder if page.rendering is None else self._rendered_encoder
        keys = page.columns[page.key_at] if page.count else ()
        chosen = self._planned.give(keys, lambda: encoder.lines(page.columns))
        if all(chosen):
            return page
        columns = [list(compress(column, chosen)) for column in page.columns]
        return replace(page, columns=columns, count=sum(chosen))


class PlannedOrdersTap(TapLegacyOrders):
    """The tap for orders of a plan; what it follows otherwise it reads once."""

    def __init__(self, *, orders: Mapping[str, PlannedOrder], **options: Any) -> None:
        """Read these orders, as the settings say."""
        self.planned = PlannedOrders(orders)
        super().__init__(**options)

    @property
    def follows(self) -> bool:
        """It never does."""
        return False

    def discover_streams(self) -> Sequence[Stream]:
        """Make the stream."""
        return [self.stream]

    @cached_property
    def stream(self) -> PlannedOrdersStream:
        """The one stream."""
        entry = self.catalog_dict["streams"][0]
        return PlannedOrdersStream(self, entry, self.tap_connector, planned=self.planned)
