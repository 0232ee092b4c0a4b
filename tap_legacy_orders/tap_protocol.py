"""What the stream needs of its tap: the tap makes streams, so these do not import it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Protocol

import sqlalchemy as sa

from sync_databases.columns import Column
from sync_ledger.ledger import Ledger
from tap_legacy_orders.order_lines import LinesTable
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.poll_wakeup import PollWakeup
from tap_legacy_orders.rendering import Rendering


class OrdersTap(Protocol):
    """The tap, as its stream sees it."""

    @property
    def config(self) -> dict[str, Any]:
        """The settings."""
        ...

    @property
    def engine(self) -> sa.Engine:
        """The orders' database."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        ...

    @property
    def orders_table(self) -> OrdersTable:
        """The orders' table."""
        ...

    @property
    def lines_table(self) -> LinesTable | None:
        """The table with the orders' lines."""
        ...

    @property
    def zone(self) -> tzinfo:
        """Where times without an offset belong."""
        ...

    @property
    def find_deleted(self) -> bool:
        """Whether orders are sent that were deleted from the table."""
        ...

    @property
    def follows(self) -> bool:
        """Whether the tap goes on after the last order."""
        ...

    @property
    def wakeup(self) -> PollWakeup:
        """What ends the pauses of follow mode early."""
        ...

    def orders_source(
        self,
        stream: str,
        columns: Sequence[Column],
        limit: int | None,
        rendering: Rendering | None = None,
        ledger: Ledger | None = None,
    ) -> OrdersSource:
        """Get ready to read."""
        ...
