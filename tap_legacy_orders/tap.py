"""The Singer tap: its settings, its catalog, and what its command line does with errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta, timezone, tzinfo
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import sqlalchemy as sa
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.singerlib import Catalog
from singer_sdk.sql import SQLTap

from sync_databases.columns import Column
from sync_databases.drivers import database_url
from sync_ledger.absent_ledger import AbsentLedger
from sync_ledger.ledger import Ledger
from sync_processes.given_settings import read_as_given
from tap_legacy_orders import (
    change_detection,
    change_guard,
    changed_at,
    columns_setting,
    following,
    lock_setting,
    partition_setting,
    sync_flag,
    window_settings,
)
from tap_legacy_orders.catalog import add_new_columns, catalog_entry, columns_at_discovery, complete
from tap_legacy_orders.command import OneLineErrors
from tap_legacy_orders.connections import find_acks_by_index, open_engine, open_ledger, reading
from tap_legacy_orders.order_lines import DEFAULT_NAME, LinesTable, find_lines_table
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.orders_table import OrdersTable, find_orders_table
from tap_legacy_orders.output import BlockWriter
from tap_legacy_orders.pages import ReadingSettings
from tap_legacy_orders.poll_wakeup import PollWakeup
from tap_legacy_orders.rendering import Rendering
from tap_legacy_orders.state_and_catalog import check_catalog, check_state
from tap_legacy_orders.state_file import StateFile
from tap_legacy_orders.stream import UnsyncedOrdersStream
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError

if TYPE_CHECKING:
    from singer_sdk.streams.core import Stream

PAGE_SIZE = 10_000
"""Enough that a page's own statement costs nothing by the row; two of them are held at a time."""

LONGEST_SECONDS = 10 * 366 * 86_400

LINES = th.ObjectType(
    th.Property("table", th.StringType, description="The table or view with one row a line; may be schema.table"),
    th.Property(
        "parent_key",
        th.StringType,
        description="The column that holds the order's key, or a list of columns; by default those of the key's names",
    ),
    th.Property(
        "key_column",
        th.StringType,
        description="The column that identifies a line, or a list of columns; the primary key by default",
    ),
    *columns_setting.OF_LINES,
    th.Property("filter", th.StringType, description="An SQL condition that lines must meet, used as it stands"),
    th.Property("replication_key", th.StringType, description="The column that says when a line changed"),
    th.Property(
        "numbered",
        th.BooleanType,
        description="Whether lines are known by their order and their place in it, for tables where an edit of an "
        "order gives its lines other numbers",
    ),
    th.Property("name", th.StringType, description=f"The property that holds the lines; `{DEFAULT_NAME}` by default"),
)


class TapLegacyOrders(SQLTap):
    """Streams the orders of a SQL table that Zoho CRM does not have yet, or not in their newest version."""

    name = "tap-legacy-orders"
    package_name = "orders-sync"
    default_stream_class = UnsyncedOrdersStream
    message_writer_class = BlockWriter

    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "sqlalchemy_url",
            th.StringType,
            required=True,
            secret=True,
            title="Database URL",
            description="The orders' database, e.g. postgresql://user:password@host:5432/database",
        ),
        th.Property(
            "orders_table",
            th.StringType,
            required=True,
            title="Orders table",
            description="The table or view with one row an order; may be schema.table",
        ),
        th.Property(
            "stream_name",
            th.StringType,
            title="Stream name",
            description="Name of the stream, in Singer messages and in the ledger; the table's name by default",
        ),
        th.Property(
            "key_column",
            th.StringType,
            title="Key column",
            description="The column that identifies an order, or a list of columns; the primary key by default",
        ),
        th.Property(
            "replication_key",
            th.StringType,
            title="Replication key",
            description="The column that grows with each change, or a list of columns, of which the latest counts; one "
            "named like updated_at by default",
        ),
        th.Property(
            "version_column",
            th.StringType,
            title="Version column",
            description="A column that differs after each change, if the replication key can stay the same",
        ),
        *columns_setting.PROPERTIES,
        th.Property(
            "filter",
            th.StringType,
            title="Filter",
            description="An SQL condition that orders must meet, used as it stands: it must be trusted",
        ),
        th.Property(
            "lines",
            LINES,
            title="Order lines",
            description="The table with the orders' lines, which go into each order's record; see docs/whole-orders.md",
        ),
        th.Property(
            "find_deleted",
            th.BooleanType,
            default=False,
            title="Find deleted orders",
            description="Whether orders in the CRM that were deleted from the table are sent as deleted; see "
            "docs/crm.md",
        ),
        th.Property(
            "ack_url",
            th.StringType,
            secret=True,
            title="Ledger URL",
            description="The ledger's database; the orders' database by default",
        ),
        th.Property(
            "ack_schema",
            th.StringType,
            title="Ledger schema",
            description="The schema of the ledger's tables; the connection's own by default",
        ),
        *sync_flag.PROPERTIES,
        *following.PROPERTIES,
        partition_setting.PROPERTY,
        lock_setting.PROPERTY,
        th.Property(
            "page_size",
            th.IntegerType(minimum=1, maximum=1_000_000),
            default=PAGE_SIZE,
            title="Page size",
            description="Orders read by one query; a server reads the next ones while these are written",
        ),
        *change_detection.PROPERTIES,
        changed_at.PROPERTY,
        *change_guard.PROPERTIES,
        *window_settings.PROPERTIES,
        th.Property(
            "timezone",
            th.StringType,
            default="UTC",
            title="Time zone",
            description="Where times without an offset belong, e.g. Europe/Berlin",
        ),
    ).to_dict()

    # What the SDK asks

    def __init__(self, *, catalog: Any = None, state: Any = None, **options: Any) -> None:
        """Check catalog and state, which the SDK takes as they are, then go on as it does."""
        if catalog is not None and not isinstance(catalog, Catalog):
            catalog = check_catalog(catalog)
        self._discovered = columns_at_discovery(None if isinstance(catalog, Catalog) else catalog)
        super().__init__(catalog=catalog, state=None if state is None else dict(check_state(state)), **options)
        # singer-sdk 0.54 gives the logger of metrics a level of its own, which Meltano's --log-level does not reach.
        self.metrics_logger.setLevel(logging.NOTSET)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the SDK's settings, but not `use_singer_decimal`: decimals are exact numbers here already."""
        super(SQLTap, cls).append_builtin_config(config_jsonschema)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        read_as_given(self._config, self.config_jsonschema)
        # Declared as text, since the SDK cannot read "text or list" from the environment.
        _write_lists_as_text(self._config, ("key_column", "replication_key"))
        if isinstance(self._config.get("lines"), dict):
            self._config["lines"] = dict(self._config["lines"])
            _write_lists_as_text(self._config["lines"], ("parent_key", "key_column"))
        if isinstance(self._config.get("changes_in"), list):
            self._config["changes_in"] = changed_at.with_keys_as_text(self._config["changes_in"])
        try:
            return super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            raise TapConfigError("settings: " + "; ".join(map(self._without_secrets, error.errors))) from None

    def _without_secrets(self, text: str) -> str:
        for name in ("sqlalchemy_url", "ack_url"):
            value = self._config.get(name)
            if value is not None:
                text = text.replace(repr(value), "its value")
        return text

    def setup_mapper(self) -> None:
        """Complete a catalog that was given before anything reads it."""
        if self.input_catalog is not None:
            complete(self.input_catalog, self.stream_name, self.lines_table, find_deleted=self.find_deleted)
            add_new_columns(self.input_catalog, self.stream_name, self.orders_table, self._discovered, self.logger)
        super().setup_mapper()

    @property
    def catalog_dict(self) -> dict[str, Any]:
        """Discover the one stream, or take the catalog that was given."""
        if self._catalog_dict is None:
            if self.input_catalog is not None:
                entry = self.input_catalog[self.stream_name].to_dict()
            else:
                entry = catalog_entry(
                    self.stream_name, self.orders_table, self.lines_table, find_deleted=self.find_deleted
                )
            self._catalog_dict = {"streams": [entry]}
        return self._catalog_dict

    def discover_streams(self) -> Sequence[Stream]:
        """Make the stream."""
        return [UnsyncedOrdersStream(self, entry, self.tap_connector) for entry in self.catalog_dict["streams"]]

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End between lines, and never as if the run were complete.

        Where the tap follows, a signal is how a run ends; only a second one cuts it short.
        """
        if self.follows and not self.wakeup.stopped:
            self.wakeup.stop()
        else:
            cast("BlockWriter", self.message_writer).stop(signum)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Give the SDK's command, with errors as one line."""
        command = super().get_singer_command()
        command.__class__ = OneLineErrors
        next(each for each in command.params if each.name == "state").type = StateFile()
        return command

    # Our own

    @property
    def stream_name(self) -> str:
        """The stream's name in Singer messages and in the ledger."""
        table: str = self.config["orders_table"]
        return self.config.get("stream_name") or table.rpartition(".")[2]

    @property
    def find_deleted(self) -> bool:
        """Whether orders are sent that were deleted from the table."""
        return bool(self.config["find_deleted"])

    @property
    def follows(self) -> bool:
        """Whether the tap goes on after the last order."""
        return bool(self.config.get("follow"))

    @cached_property
    def wakeup(self) -> PollWakeup:
        """What ends the pauses of follow mode early."""
        return PollWakeup()

    @cached_property
    def zone(self) -> tzinfo:
        """Where times without an offset belong."""
        name: str = self.config["timezone"]
        if name.upper() == "UTC":
            return timezone.utc
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise TapConfigError(f"timezone: there is no zone {name!r}; expected e.g. Europe/Berlin or UTC") from error

    @cached_property
    def engine(self) -> sa.Engine:
        """The orders' database."""
        return open_engine(self.config["sqlalchemy_url"], ping=not self.follows)  # following outlives a lost connection

    @cached_property
    def orders_table(self) -> OrdersTable:
        """The orders' table, as the database has it now."""
        try:
            with reading(self.engine) as connection:
                return find_orders_table(self.engine, connection, self.config)
        except TapSyncError as error:  # nothing could be read yet: the settings are to blame
            raise TapConfigError(str(error)) from error

    @cached_property
    def lines_table(self) -> LinesTable | None:
        """The table with the orders' lines, as the database has it now; None where no lines are set up."""
        config = self.config.get("lines")
        if not config:
            return None
        try:
            with reading(self.engine) as connection:
                return find_lines_table(self.engine, connection, config, self.orders_table)
        except TapSyncError as error:
            raise TapConfigError(str(error)) from error

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger; orders of jobs that dead runs never created are due again."""
        url = self.config.get("ack_url") or self.config["sqlalchemy_url"]
        ledger = open_ledger(
            url,
            self.config.get("ack_schema"),
            self.stream_name,
            self.logger,
            partition=self.orders_table.partition,
            lock_wait=self._seconds(lock_setting.NAME).total_seconds(),
        )
        if self.ledger_beside_orders and not isinstance(ledger, AbsentLedger):
            find_acks_by_index(self.engine, ledger)
        return ledger

    def orders_source(
        self,
        stream: str,
        columns: Sequence[Column],
        limit: int | None,
        rendering: Rendering | None = None,
        ledger: Ledger | None = None,
    ) -> OrdersSource:
        """Get ready to read; `limit` is the SDK's limit of records, if it set one.

        With a `rendering`, pages come in its form, as long as the database can. `ledger` is read in place of the tap's.
        """
        page_size = self.config["page_size"]
        settings = ReadingSettings(
            page_size=page_size if limit is None else min(page_size, limit + 1),
            lookback=self._seconds("lookback_seconds"),
            lookback_count=self.config["lookback_count"],
            min_age=self._seconds("settle_seconds"),
            zone=self.zone,
            ledger_beside_orders=self.ledger_beside_orders,
            find_deleted=self.find_deleted,
            compares_any_number=change_detection.asks_for_content(self.config),
        )
        return OrdersSource(
            engine=self.engine,
            table=self.orders_table,
            columns=columns,
            ledger=ledger or self.ledger,
            stream=stream,
            settings=settings,
            logger=self.logger,
            rendering=rendering,
        )

    def _seconds(self, setting: str) -> timedelta:
        seconds = float(self.config[setting])  # the SDK gives a fraction as a Decimal
        if not 0 <= seconds <= LONGEST_SECONDS:  # nor NaN, which Python's reader of JSON lets through
            raise TapConfigError(f"{setting}: {seconds} is no time between 0 and {LONGEST_SECONDS:,} seconds")
        return timedelta(seconds=seconds)

    @property
    def ledger_beside_orders(self) -> bool:
        """Whether orders and acks can be joined."""
        url = self.config.get("ack_url")
        return not url or database_url(url) == database_url(self.config["sqlalchemy_url"])


def _write_lists_as_text(config: dict[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if isinstance(config.get(name), list):
            config[name] = json.dumps(config[name])
