"""What is kept of a run, and how long: the history of its orders, its group, its last line; and the pruning."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from singer_sdk import typing as th

from sync_databases.database_errors import DatabaseError
from sync_ledger.history import PRUNED_AT_A_TIME, prune
from sync_ledger.ledger import Ledger
from sync_ledger.tables import RUN_GROUP_LENGTH
from target_zoho_crm.setting_schema import Setting

PRUNED_EVERY_SECONDS = 3600.0
"""How often a run that lasts looks for what is too old."""

PORTIONS_AT_THE_END = 100
"""Most transactions in which a run prunes at its end: half a million rows, of which the next run takes the rest."""

PROPERTIES = (
    Setting(
        "history_days",
        th.NumberType(minimum=0),
        in_payload=False,
        default=90,
        description="How long the ledger keeps what became of each order, run by run (`orders-sync history`).",
    ),
    Setting(
        "history_rows",
        th.IntegerType(minimum=0),
        in_payload=False,
        default=5_000_000,
        description="Most rows of that history; the oldest go first. Orders that one call or job made are one row.",
    ),
    Setting(
        "run_group",
        th.StringType(max_length=RUN_GROUP_LENGTH),
        in_payload=False,
        description="A name for runs that belong together, such as a backfill's; the ledger keeps it with each run.",
    ),
    Setting(
        "summary_file",
        th.StringType,
        in_payload=False,
        description="A file to which each run adds one line of JSON when it ends: what the log's last line says.",
    ),
)

logger = logging.getLogger("target-zoho-crm")


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """The settings as types."""

    days: float
    rows: int
    run_group: str | None
    summary_file: str | None

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> HistorySettings:
        """From a validated config."""
        return cls(
            float(config["history_days"]), config["history_rows"], config.get("run_group"), config.get("summary_file")
        )


class HistoryPruning:
    """Deletes what is too old, in portions, and never at the expense of orders."""

    def __init__(self, settings: HistorySettings, ledger: Ledger) -> None:
        """Prune this ledger; not before the first hour is over, or the run is."""
        self._settings = settings
        self._ledger = ledger
        self._next = ledger.clock.seconds() + PRUNED_EVERY_SECONDS

    def in_time(self) -> None:
        """Delete one portion when the time has come, and the next one when this is called again, until none is left."""
        if self._ledger.clock.seconds() >= self._next and not self._portion():
            self._next = self._ledger.clock.seconds() + PRUNED_EVERY_SECONDS

    def at_end(self) -> None:
        """Delete what is too old, or a good part of it."""
        for _ in range(PORTIONS_AT_THE_END):
            if not self._portion():
                return

    def _portion(self) -> bool:
        """Delete one portion; returns whether there may be more. What fails is left to the next run."""
        try:
            return prune(self._ledger, days=self._settings.days, rows=self._settings.rows) >= PRUNED_AT_A_TIME
        except DatabaseError as error:
            logger.warning("Old outcomes were not deleted from the ledger, the next run does it: %s", error)
            return False
