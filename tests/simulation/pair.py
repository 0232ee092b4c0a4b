"""One run of the pair: the product's own reading and writing, in two simulated processes with a pipe between them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from simulation.application import CREDENTIALS
from simulation.change_columns import SECONDS, ChangeColumn
from simulation.pipe import NOTHING, Pipe
from simulation.scheduler import Killed, Process, Scheduler, Task
from simulation.set_ups import SetUp
from simulation.simulated_databases import HOOKS
from simulation.stand_ins import STAGE
from simulation.threads import Event as SimEvent

from sync_databases.columns import Column
from sync_databases.database_errors import DatabaseError
from sync_ledger.bindings import key_columns_of
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE
from sync_ledger.recovery import release_uncreated
from sync_ledger.runs import runs_so_far
from sync_ledger.state_contract import mark_end
from sync_ledger.stream_contract import KEY_PROPERTY, VERSION_PROPERTY, Announcement
from sync_ledger.stream_contract import Source as AnnouncedSource
from tap_legacy_orders.catalog import catalog_entry
from tap_legacy_orders.connections import open_engine, reading
from tap_legacy_orders.contents import Contents, Padding, form_of, in_byte_order
from tap_legacy_orders.followed_orders import FollowedOrders
from tap_legacy_orders.following import Following
from tap_legacy_orders.json_values import converter
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.orders_table import OrdersTable, find_orders_table
from tap_legacy_orders.pages import Page, ReadingSettings
from tap_legacy_orders.poll_wakeup import PollWakeup
from tap_legacy_orders.record_encoding import LineEncoder, record_message
from tap_legacy_orders.stream_state import BookmarkScope, StreamState, mark_of_text
from tap_legacy_orders.tap_errors import TapSyncError
from tap_legacy_orders.unsynced_reader import UnsyncedOrders
from tap_legacy_orders.window_settings import LOOKBACK_COUNT
from target_zoho_crm.api.errors import ZohoError
from target_zoho_crm.config_schema import CONFIG
from target_zoho_crm.delivery.delivery import Delivery
from target_zoho_crm.end_of_input import EndOfInput
from target_zoho_crm.record_decoding import RowReader, Rows
from target_zoho_crm.run import IncompleteError, Run
from target_zoho_crm.settings import Settings
from target_zoho_crm.stream_request import StreamRequest
from target_zoho_crm.target import SETTLING_SECONDS, WAKE_SECONDS
from target_zoho_crm.writing.spool import SpoolError

LOGGER = logging.getLogger("simulation")
POLL_SECONDS = 4.0
MAX_AGE_SECONDS = 1.0
"""Of records in a target that lasts."""
EXTRACTED = "2026-01-01T08:00:00+00:00"


@dataclass(frozen=True)
class PairConfig:
    """How a history's runs are set up."""

    page_size: int
    lookback: float
    pipe_room: int
    target: Mapping[str, Any]
    column: ChangeColumn = SECONDS

    def settings(self, ledger_url: str, module: str | None = None, *, lasts: bool = False) -> Settings:
        """The target's settings, with every default; of a run that `lasts`, or ends with its input."""
        own: dict[str, Any] = {} if module is None else {"module": module}
        own |= {"max_age_seconds": MAX_AGE_SECONDS} if lasts else {}
        defaults = {
            name: definition["default"] for name, definition in CONFIG["properties"].items() if "default" in definition
        }
        return Settings.read({**defaults, **CREDENTIALS, "ack_url": ledger_url, **self.target, **own})


class Source:
    """The orders' table as the tap sees it; found once for the life of a real process, since it never changes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: sa.Engine = open_engine(url)
        self._tables: dict[str, OrdersTable] = {}

    def table(self, replication_key: str) -> OrdersTable:
        """The table, read by one of its change columns."""
        if replication_key not in self._tables:
            columns = ["order_id", "notes", replication_key, "invoice_no"]
            config = {"orders_table": "orders", "replication_key": replication_key, "columns": columns}
            with reading(self.engine) as connection:
                self._tables[replication_key] = find_orders_table(self.engine, connection, config)
        return self._tables[replication_key]


class Wakeup(PollWakeup):
    """The pauses of a tap that follows, by the simulated clock."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._event = SimEvent(scheduler)
        self.stopped = False

    def stop(self) -> None:
        """End the pause, and all pauses to come."""
        self.stopped = True
        self._event.set()

    def listen(self, engine: sa.Engine, table: str) -> None:
        """SQLite notifies of nothing."""

    def stop_listening(self) -> None:
        """As above."""

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most."""
        self._event.wait(seconds)
        return False


def announced_source(table: OrdersTable) -> AnnouncedSource:
    """What a SCHEMA says of where these orders are read."""
    key = key_columns_of(column.name for column in table.key)
    return AnnouncedSource(table=table.source_name, key=key, filter_mark=mark_of_text(table.filter))


def tap(
    source: Source,
    ledger_url: str,
    config: PairConfig,
    state: Mapping[str, Any],
    pipe: Pipe,
    set_up: SetUp,
    wakeup: Wakeup | None = None,
) -> None:
    """Read what is unsynced, as `TapLegacyOrders` and its stream do; `state` has the bookmarks by stream.

    With a `wakeup` it follows until that is stopped.
    """
    table, stream = set_up.table_of(source.table(config.column.name)), set_up.stream
    entry = catalog_entry(stream, table, None)
    ledger = Ledger.open(ledger_url)
    ledger.ensure_tables()
    release_uncreated(ledger, stream, watched_for=WHOLE)
    with ledger.connect() as connection:
        read_since = ledger.now(connection)
        read_after = runs_so_far(connection, ledger.tables.run, stream, WHOLE)
    keys = [column.name for column in table.key]
    own_state = StreamState(BookmarkScope.of(stream, table), ledger, LOGGER)
    columns, zone = in_byte_order(table.columns), config.column.zone
    form, document = form_of(columns, None, zone), dict(state.get(stream, {}))
    bookmark = own_state.start(document, read_since, full_table=False)
    announced = Announcement(
        read_after,
        content_form=form,
        ledger_id=ledger.ledger_id,
        stream=stream,
        source=announced_source(table),
        marks_end=True,
    )
    named, properties = set_up.alias or stream, entry["schema"]["properties"]
    announced = Announcement() if set_up.drops_keywords else announced
    pipe.write(("SCHEMA", named, properties, entry["schema"]["required"], keys, announced))
    orders = OrdersSource(
        engine=source.engine,
        table=table,
        columns=columns,
        ledger=ledger,
        stream=stream,
        settings=ReadingSettings(
            page_size=config.page_size,
            lookback=timedelta(seconds=config.lookback),
            lookback_count=LOOKBACK_COUNT,
            min_age=timedelta(seconds=2),
            zone=zone,
            ledger_beside_orders=ledger_url == source.url,
            find_deleted=False,
        ),
        logger=LOGGER,
    )

    def send_state(moved_to: str | None) -> None:
        if moved_to is not None:
            own_state.move(document, moved_to)
        if document:
            pipe.write(("STATE", {stream: dict(document)}))

    encoder, frame, padding = _encoder(columns, zone), record_message(named, EXTRACTED), Padding.of(columns, None)
    contents = Contents(form, lambda page: encoder.lines(page.columns), orders.content_form, LOGGER, padding=padding)
    for page in _pages(orders, contents, bookmark, wakeup, send_state, own_state):
        for block in encoder.blocks(page.columns, page.count, frame, page.marks):
            pipe.write(("RECORDS", block.splitlines()))
        if page.bookmark is not None:
            send_state(page.bookmark)
    mark_end(document)
    send_state(None)


def _pages(
    orders: OrdersSource,
    contents: Contents,
    bookmark: str | None,
    wakeup: Wakeup | None,
    send_state: Callable[[str | None], None],
    comparison: StreamState,
) -> Iterator[Page]:
    if wakeup is None:
        return UnsyncedOrders(orders, contents=contents).pages(bookmark, comparison.since)
    following = Following(
        FollowedOrders(orders, contents),
        lambda pages: pages,
        wakeup,
        poll_interval=POLL_SECONDS,
        forget_connections=lambda: None,
        send_state=send_state,
        comparison=comparison,
        logger=LOGGER,
    )
    return following.pages(bookmark)


def _encoder(columns: Sequence[Column], zone: tzinfo) -> LineEncoder:
    converters = [converter(column, zone, LOGGER.warning) for column in columns]
    names = [*(column.name for column in columns), KEY_PROPERTY, VERSION_PROPERTY]
    return LineEncoder(names, [*converters, _as_is, _as_is])


def _as_is(values: Any) -> Any:
    return values


class TargetRun:
    """One run of the target, as `TargetZohoCRM` and its sink lead it."""

    def __init__(
        self, settings: Settings, pipe: Pipe, on_state: Callable[[TargetRun, Any], None], change_column: str
    ) -> None:
        """`on_state` is told each STATE that goes out."""
        self._settings = settings
        self._change_column = change_column
        self._pipe = pipe
        self._on_state = on_state
        self._sent: list[tuple[str, str, int]] = []
        self._before: dict[int, int] = {}
        self._states = 0
        self.run: Run | None = None
        self.terminated = False
        self.opened = False
        """Whether it holds the stream's lock."""
        self.how_ended = "killed"

    def records_before(self, state: Mapping[str, Any]) -> list[tuple[str, str, int]]:
        """Key and version of each record that was read before a STATE, and the tick at which it was."""
        return self._sent[: self._before[state["number"]]]

    def terminate(self) -> None:
        """SIGTERM. A run that lasts gets some seconds to settle what it has."""
        self.terminated = True
        if self.run is not None and self._settings.continuous:
            scheduler, process = STAGE.scheduler, self._process
            scheduler.spawn(process, self._stop_later, "timer")
        elif self.run is not None:
            self.run.stop.set()

    def _stop_later(self) -> None:
        STAGE.scheduler.sleep(SETTLING_SECONDS)
        if self.run is not None:
            self.run.stop.set()

    def work(self) -> None:
        """From the first message to the end."""
        self._process = STAGE.scheduler.current.process
        run = self.run = Run(self._settings, lambda state: self._on_state(self, state))
        try:
            self._listen(run)
        except Killed:
            raise
        except (ZohoError, DatabaseError, IncompleteError, SpoolError, _TerminatedError) as error:
            run.abort("failed")
            self.how_ended = f"{type(error).__name__}: {error}"
        except BaseException:
            run.abort("failed")
            raise

    def _listen(self, run: Run) -> None:
        delivery = None
        reader: RowReader | None = None
        lasts, end_of_input = self._settings.continuous, EndOfInput()
        pause = WAKE_SECONDS if lasts else None
        while (message := self._pipe.read(pause)) is not None:
            if self.terminated and not lasts:
                raise _TerminatedError
            run.check()
            if lasts:
                pause = min(run.flush_aged(input_pending=message is not NOTHING) or WAKE_SECONDS, WAKE_SECONDS)
            if message is NOTHING:
                if self.terminated:
                    break
            elif message[0] == "SCHEMA":
                _, named, properties, required, keys, announced = message
                stream = run.open_stream(StreamRequest(named, properties, keys, announced))
                self.opened = True
                end_of_input.begin(named, announced)
                delivery, sources = stream.delivery, [column.source for column in stream.mapping.columns]
                reader = RowReader(
                    properties,
                    required=required,
                    key_properties=keys,
                    replication_key=self._change_column,
                    sources=sources,
                )
            elif message[0] == "RECORDS":
                assert reader is not None
                assert delivery is not None
                rows: Rows = reader.read_lines(message[1])
                self._sent += zip(rows.keys, rows.versions, itertools.repeat(HOOKS.tick()), strict=False)
                delivery.add(rows)
            else:
                self._states += 1
                self._before[self._states] = len(self._sent)
                run.state_gate.hold(end_of_input.read({"bookmarks": message[1], "number": self._states}))
        if self.terminated and not lasts:
            raise _TerminatedError
        self._end(run, end_of_input, [delivery] if delivery is not None else [])
        self.how_ended = "finished"

    def _end(self, run: Run, end_of_input: EndOfInput, deliveries: Sequence[Delivery]) -> None:
        """As `TargetZohoCRM.process_endofpipe`."""
        if not self.terminated and end_of_input.complaint is None:
            run.end_input()
        for delivery in deliveries:
            delivery.flush()
        run.finish(None if self.terminated else end_of_input.complaint)


class _TerminatedError(Exception):
    """A signal asked the run to end."""


def start(
    scheduler: Scheduler,
    processes: tuple[Process, Process],
    work: tuple[Callable[[], None], Callable[[], None]],
    pipe: Pipe,
) -> tuple[Task, Task]:
    """Start both programs; each closes its end of the pipe, however it ends."""

    def closing(program: Callable[[], None], *, reader: bool) -> Callable[[], None]:
        def run() -> None:
            try:
                program()
            except (TapSyncError, BrokenPipeError, DatabaseError):
                if reader:
                    raise
            finally:
                pipe.close(reader=reader)

        return run

    return (
        scheduler.spawn(processes[0], closing(work[0], reader=False), "tap"),
        scheduler.spawn(processes[1], closing(work[1], reader=True), "target"),
    )
