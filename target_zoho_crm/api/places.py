"""Places for what Zoho takes only so many of at once."""

from __future__ import annotations

import threading
from types import TracebackType

from sync_ledger.retry_schedules import CALL_STOP_CHECK_SECONDS
from target_zoho_crm.api.errors import stopped


class Places:
    """At most `most` are taken at a time, or as many as were granted last. Safe for threads.

    `asked` is set whenever a place is asked for.
    """

    def __init__(self, most: int, stop: threading.Event, changed: threading.Condition | None = None) -> None:
        """A wait for a place ends with `Stopped` once `stop` is set. `changed` is what waiting threads wait by."""
        self.most = most
        self.asked = threading.Event()
        self._granted = most
        self._taken = 0
        self._stop = stop
        self._changed = changed or threading.Condition()

    def take(self) -> bool:
        """Take a place if one is free."""
        self.asked.set()
        with self._changed:
            if self._taken >= self._granted:
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        """Leave a place."""
        with self._changed:
            self._taken -= 1
            self._changed.notify()

    def grant(self, number: int) -> None:
        """Let so many be taken from now on; what is taken already stays so."""
        with self._changed:
            self._granted = number
            self._changed.notify_all()

    @property
    def held(self) -> int:
        """How many others have to do without: those granted, and those taken that are not given back yet."""
        with self._changed:
            return max(self._granted, self._taken)

    @property
    def in_use(self) -> bool:
        """Whether any is taken."""
        with self._changed:
            return self._taken > 0

    def __enter__(self) -> None:
        """Wait for a place."""
        while not self.take():
            if self._stop.is_set():
                raise stopped()
            with self._changed:
                self._changed.wait(CALL_STOP_CHECK_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it."""
        self.give_back()
