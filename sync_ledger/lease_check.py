"""Whether a run still holds its lease, for what is sent and leaves nothing to note."""

from __future__ import annotations

from sync_ledger.leases import Lease


class LeaseCheck:
    """The check alone: what is sent so changes no order."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def check(self) -> None:
        """Make sure that the run still holds its lease.

        Raises:
            LeaseLostError: it does not.
        """
        self._lease.ledger.with_retries(self._lease.beat)

    def over(self, *, known: bool) -> None:
        """Do nothing: what became of it is not asked."""
