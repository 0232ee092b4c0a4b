"""The findings of `orders-sync doctor`, check by check: what is in order, what is not, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from singer_sdk.exceptions import ConfigValidationError

from orders_sync.config_sources.project import surroundings
from sync_databases.database_errors import DatabaseError
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError
from target_zoho_crm.api.codes import CODES
from target_zoho_crm.api.errors import ZohoError

EXPECTED = (TapConfigError, TapSyncError, DatabaseError, ZohoError, ConfigValidationError)
"""What tap, target and ledger raise for a wrong set-up; anything else is a defect of ours."""


class Result(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `remedy` is empty where `message` names it, or where nothing is to be done."""

    subject: str
    result: Result
    message: str
    remedy: str = ""


_T = TypeVar("_T")


def error_message(error: Exception) -> str:
    """The message of an error; singer-sdk's own says of a config only that something is wrong with it."""
    return "; ".join(error.errors) if isinstance(error, ConfigValidationError) else str(error)


@dataclass
class Findings:
    """The findings so far, in the order in which they were made."""

    all: list[Finding] = field(default_factory=list)

    def check(self, subject: str, function: Callable[[], tuple[str, _T]]) -> _T | None:
        """Make one check: `function` returns a message and a value; None, and an error is noted, where it fails."""
        try:
            message, value = function()
        except EXPECTED as error:
            self.add_error(subject, error)
            return None
        self.add(subject, Result.OK, message)
        return value

    def add_error(self, subject: str, error: Exception) -> None:
        """Note an error that was raised."""
        remedy = ""
        message = error_message(error)
        if isinstance(error, ConfigValidationError):
            remedy = (
                "Set what is missing in the environment, in .env or in the config file; `orders-sync login` does so "
            )
            remedy += "for client and token."
        if isinstance(error, ZohoError) and error.code in CODES:
            remedy = error.remedy or CODES[error.code].remedy
            message = message.removesuffix(remedy).strip()
        around = surroundings()
        self.add(subject, Result.ERROR, around.with_places(message), around.with_places(remedy))

    def add(self, subject: str, result: Result, message: str, remedy: str = "") -> None:
        """Note a finding."""
        self.all.append(Finding(subject, result, " ".join(message.split()), remedy))

    def skip(self, subjects: Iterable[str], because: str) -> None:
        """Note checks that could not be made."""
        for subject in subjects:
            self.add(subject, Result.NOT_CHECKED, because)

    @property
    def ok(self) -> bool:
        """Whether nothing prevents a run."""
        return not any(finding.result is Result.ERROR for finding in self.all)
