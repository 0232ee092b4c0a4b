"""The pipe between tap and target."""

from __future__ import annotations

from collections import deque
from typing import Any

from simulation.scheduler import Scheduler, Task

NOTHING = ("NOTHING",)
"""What is read from a pipe in which there is nothing for now."""


class Pipe:
    """What the tap writes and the target reads."""

    def __init__(self, scheduler: Scheduler, room: int) -> None:
        """Hold up to `room` messages."""
        self._scheduler = scheduler
        self._room = room
        self._messages: deque[Any] = deque()
        self._waiting: list[Task] = []
        self.reader_gone = False
        self.writer_gone = False

    def write(self, message: Any) -> None:
        """Write one, when there is room."""
        while len(self._messages) >= self._room and not self.reader_gone:
            self._waiting.append(self._scheduler.current)
            self._scheduler.block()
        if self.reader_gone:
            raise BrokenPipeError
        self._messages.append(message)
        self._rouse()

    def read(self, seconds: float | None = None) -> Any:
        """The next one, or nothing within so many `seconds`; None at the end."""
        while not self._messages:
            if self.writer_gone:
                return None
            self._waiting.append(self._scheduler.current)
            if not self._scheduler.block(seconds) and seconds is not None and not self._messages:
                return NOTHING
        message = self._messages.popleft()
        self._rouse()
        return message

    def close(self, *, reader: bool) -> None:
        """One side is gone."""
        if reader:
            self.reader_gone = True
        else:
            self.writer_gone = True
        self._rouse()

    def _rouse(self) -> None:
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            self._scheduler.wake(task)
