"""What the two ways of writing lines by upsert calls have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.confirmation.destination import Destination
from target_zoho_crm.confirmation.outcomes import Outcome
from target_zoho_crm.lines.existing_lines import ExistingLines
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_move_lock import LineTraffic
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.writing.child_failures import Faults, of_error


class LinesByCalls(ABC):
    """Writes the lines of orders that are in the CRM."""

    def __init__(self, destination: Destination, lines: CompiledLines) -> None:
        """`destination` is that of the orders."""
        self._to = destination
        self.lines = lines
        self.traffic = LineTraffic(destination.stop)
        self._existing = ExistingLines(destination.client, lines)

    @abstractmethod
    def write(self, outcomes: Sequence[Outcome], rows: LineRows) -> list[Outcome]:
        """Write the lines of the orders that are in the CRM; the orders' outcomes with those of their lines.

        Raises:
            ZohoError: what ends the run.
        """

    @abstractmethod
    def take_away(self, outcomes: Sequence[Outcome], rows: LineRows, faults: Faults) -> None:
        """Delete the lines that orders have in the CRM only; what fails is added to `faults`."""

    def failed(self, error: TransientError | QuotaError, orders: Iterable[str], faults: Faults) -> None:
        """Note a call that failed as a whole, or that our own budget has no credits for.

        Raises:
            QuotaError: nothing more can be sent, and not for our own budget.
        """
        self._to.call_failed(error)
        for order in orders:
            faults.setdefault(order, []).append(of_error(error))
