"""Keeps a line that moves from one order to another from being deleted as a line that its old order has no more.

Many may write lines at once; deleting takes turns with them, and reads again whose the lines are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync_ledger.retry_schedules import LINES_STOP_CHECK_SECONDS
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import Stopped


class LineMoveLock:
    """Writing, by any number of threads, or deleting, by one."""

    def __init__(self, stop: threading.Event) -> None:
        """When `stop` is set, every wait ends with `Stopped`."""
        self._stop = stop
        self._turn = threading.Condition()
        self._writing = 0
        self._deleting = False
        self._waiting_to_delete = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write lines within the block."""
        with self._turn:
            self._wait(lambda: not self._deleting and not self._waiting_to_delete)
            self._writing += 1
        try:
            yield
        finally:
            with self._turn:
                self._writing -= 1
                self._turn.notify_all()

    @contextmanager
    def deleting(self) -> Iterator[None]:
        """Delete lines within the block; nobody writes any meanwhile."""
        with self._turn:
            self._waiting_to_delete += 1
            try:
                self._wait(lambda: not self._deleting and not self._writing)
            finally:
                self._waiting_to_delete -= 1
                self._turn.notify_all()
            self._deleting = True
        try:
            yield
        finally:
            with self._turn:
                self._deleting = False
                self._turn.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if self._stop.is_set():
                raise Stopped(OwnCode.STOPPED, "the run was asked to stop while lines waited for their turn")
            self._turn.wait(LINES_STOP_CHECK_SECONDS)
