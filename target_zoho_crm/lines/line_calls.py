"""What the two ways of writing lines by upsert calls have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import QuotaError, TransientError, blames_nobody
from target_zoho_crm.confirmation.outcomes import Outcome
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.lines.existing_lines import ExistingLines
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_move_lock import LineMoveLock
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.child_failures import LINES, ChildFailures


class LineCalls(ABC):
    """Writes the lines of orders that are in the CRM."""

    def __init__(
        self,
        policy: StreamPolicy,
        lines: CompiledLines,
        *,
        client: ZohoClient,
        ledger: StreamLedger,
        recorder: Recorder,
    ) -> None:
        """`policy` is that of the orders."""
        self._policy = policy
        self._lines = lines
        self._client = client
        self._ledger = ledger
        self._recorder = recorder
        self._existing = ExistingLines(client, lines)
        self.move_lock = LineMoveLock(client.stop)
        """Held by whoever writes or deletes lines."""

    @abstractmethod
    def write(self, outcomes: Sequence[Outcome], rows: LineRows, *, splits: bool = False) -> list[Outcome]:
        """Write the lines of the orders that are in the CRM; the orders' outcomes with those of their lines.

        `splits`: a call that fails and blames nobody is not repeated; its orders are sent again in parts.

        Raises:
            ZohoError: what ends the run.
        """

    def with_new(self, rows: LineRows) -> dict[str, dict[str, Any]]:  # noqa: ARG002 - of those that can
        """The lines of orders as fields of the call that makes these; nothing where lines are records of their own."""
        return {}

    @abstractmethod
    def delete_surplus(
        self, outcomes: Sequence[Outcome], rows: LineRows, failures: ChildFailures, *, splits: bool = False
    ) -> None:
        """Delete the lines that orders have in the CRM only; what is not deleted is added to `failures`."""

    def _failed(
        self, error: TransientError | QuotaError, orders: Iterable[str], failures: ChildFailures, *, splits: bool
    ) -> None:
        """Note a call that failed as a whole, or that our own budget has no credits for.

        Raises:
            QuotaError: nothing more can be sent, and not for our own budget.
        """
        if not (splits and blames_nobody(error)):
            self._recorder.call_failed(error, settled=blames_nobody(error))
        failures.of_error(error, orders, LINES)
