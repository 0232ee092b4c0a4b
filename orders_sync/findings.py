"""What an examination of a set-up found, check by check: what fits, what does not, why, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from singer_sdk.exceptions import ConfigValidationError

from sync_ledger.ledger import LedgerError
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError
from target_zoho_crm.api.codes import CODES
from target_zoho_crm.api.errors import ZohoError

EXPECTED = (TapConfigError, TapSyncError, LedgerError, ZohoError, ConfigValidationError)
"""What a faulty set-up makes tap, target and ledger say; anything else is a defect of ours."""


class Verdict(str, Enum):
    """How a check ended."""

    FITS = "fits"
    WARNING = "warning"
    FAULT = "fault"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `remedy` is empty where `says` tells what to do, or where nothing is to be done."""

    subject: str
    verdict: Verdict
    says: str
    remedy: str = ""


_T = TypeVar("_T")


def told(error: Exception) -> str:
    """What an error says; the SDK's own says of a config only that something is wrong with it."""
    return "; ".join(error.errors) if isinstance(error, ConfigValidationError) else str(error)


@dataclass
class Examination:
    """The findings so far, in the order in which they were made."""

    findings: list[Finding] = field(default_factory=list)

    def look(self, subject: str, check: Callable[[], tuple[str, _T]]) -> _T | None:
        """Make one check, which tells what it saw and gives a value; None, and a fault, where it fails."""
        try:
            says, value = check()
        except EXPECTED as error:
            self.fault(subject, error)
            return None
        self.add(subject, Verdict.FITS, says)
        return value

    def fault(self, subject: str, error: Exception) -> None:
        """Note what an error says."""
        remedy = ""
        says = told(error)
        if isinstance(error, ConfigValidationError):
            remedy = (
                "Set what is missing in the environment, in .env or in the config file; `orders-sync login` does so "
            )
            remedy += "for client and token."
        if isinstance(error, ZohoError) and error.code in CODES:
            remedy = CODES[error.code].remedy
            says = says.removesuffix(remedy).strip()
        self.add(subject, Verdict.FAULT, says, remedy)

    def add(self, subject: str, verdict: Verdict, says: str, remedy: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(subject, verdict, " ".join(says.split()), remedy))

    def skip(self, subjects: Iterable[str], because: str) -> None:
        """Note checks that could not be made."""
        for subject in subjects:
            self.add(subject, Verdict.NOT_CHECKED, because)

    @property
    def sound(self) -> bool:
        """Whether nothing stands in the way of a run."""
        return not any(finding.verdict is Verdict.FAULT for finding in self.findings)
