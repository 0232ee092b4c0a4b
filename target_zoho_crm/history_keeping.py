"""What is kept of a run, and how long: the history of its orders, its group, its last line; and the pruning."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from singer_sdk import typing as th

from sync_databases.database_errors import DatabaseError
from sync_ledger.before_values import prune_before
from sync_ledger.history import PRUNED_AT_A_TIME, prune
from sync_ledger.ledger import Ledger
from sync_ledger.saved_plans import prune_plans
from sync_ledger.tables import RUN_GROUP_LENGTH
from target_zoho_crm.setting_schema import Setting
from target_zoho_crm.writing.values_before import KeepBefore

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
        "keep_before",
        th.StringType,
        in_payload=False,
        default=KeepBefore.NONE.value,
        allowed_values=[each.value for each in KeepBefore],
        description="Which values records hold before a write the ledger keeps, encrypted, for `orders-sync undo`: "
        "`changed` those of the fields that are written, `all` of every field that can be; costs credits to read.",
    ),
    Setting(
        "keep_before_days",
        th.NumberType(minimum=0),
        in_payload=False,
        default=30,
        description="How long it keeps them.",
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
    keep_before: KeepBefore
    keep_before_days: float

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> HistorySettings:
        """From a validated config."""
        return cls(
            days=float(config["history_days"]),
            rows=config["history_rows"],
            run_group=config.get("run_group"),
            summary_file=config.get("summary_file"),
            keep_before=KeepBefore(config["keep_before"]),
            keep_before_days=float(config["keep_before_days"]),
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
            settings = self._settings
            outcomes = prune(self._ledger, days=settings.days, rows=settings.rows)
            before = prune_before(self._ledger, days=settings.keep_before_days)
            return max(outcomes, before, prune_plans(self._ledger)) >= PRUNED_AT_A_TIME
        except DatabaseError as error:
            logger.warning("Old outcomes were not deleted from the ledger, the next run does it: %s", error)
            return False
