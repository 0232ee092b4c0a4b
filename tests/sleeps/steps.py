"""Steps of a plugin's process, each a thing that it does with the outside; it waits at one of them for whoever asked.

Runs inside the process, by way of `stopped_at.py`, so that the product holds no switch for tests.
"""

from __future__ import annotations

import importlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

TAP, TARGET = "tap-legacy-orders", "target-zoho-crm"
LOOK_SECONDS = 0.01


class Step(StrEnum):
    """Named as results show them."""

    BEFORE_STATEMENT = "before a statement"
    AFTER_STATEMENT = "after a statement"
    BEFORE_COMMIT = "before a commit"
    AFTER_COMMIT = "after a commit"
    BEFORE_RECORDS = "before a block of records"
    BEFORE_CONNECTING = "before connecting"
    BEFORE_SENDING = "before a request"
    AFTER_SENDING = "after a request"
    AFTER_ANSWER = "after an answer"
    BEFORE_STATE = "before a STATE"

    @property
    def most(self) -> int:
        """About how many of them a run has."""
        return {"statement": 60, "commit": 12, "request": 12, "answer": 12}.get(self.value.rpartition(" ")[2], 4)


STEPS = {
    TAP: (Step.BEFORE_STATEMENT, Step.AFTER_STATEMENT, Step.BEFORE_RECORDS),
    TARGET: tuple(step for step in Step if step is not Step.BEFORE_RECORDS),
}
"""Those that a run of each has, certainly: the tap commits nothing."""
CALLS = {
    "sqlalchemy.engine.base.Connection._commit_impl": (Step.BEFORE_COMMIT, Step.AFTER_COMMIT),
    "sqlalchemy.engine.base.Connection._execute_context": (Step.BEFORE_STATEMENT, Step.AFTER_STATEMENT),
    "urllib3.connection.HTTPConnection.connect": (Step.BEFORE_CONNECTING, None),
    "urllib3.connection.HTTPConnection.request": (Step.BEFORE_SENDING, Step.AFTER_SENDING),
    "urllib3.connection.HTTPConnection.getresponse": (None, Step.AFTER_ANSWER),
    "tap_legacy_orders.output.BlockWriter.write_block": (Step.BEFORE_RECORDS, None),
    "target_zoho_crm.target.TargetZohoCRM._write_state_message": (Step.BEFORE_STATE, None),
}


class Waiter:
    """Waits at one step, once."""

    def __init__(self, step: str, number: int, folder: Path, program: str) -> None:
        self._step, self._number, self._folder, self._program = step, number, folder, program
        self._lock = threading.Lock()
        self._seen = itertools.count(1)

    def at(self, step: Step | None) -> None:
        """Come to a step: say so, and wait, if it is the one."""
        if step is None or step.value != self._step:
            return
        with self._lock:
            if next(self._seen) != self._number:
                return
        (self._folder / "reached").touch()
        while not (self._folder / "go").exists():
            time.sleep(LOOK_SECONDS)

    def arm(self) -> None:
        """Say which process this is, and wrap what makes the steps."""
        (self._folder / f"{self._program}.pid").write_text(str(os.getpid()))
        for path, around in CALLS.items():
            module, class_name, method = path.rsplit(".", 2)
            if self._step in around:
                owner = getattr(importlib.import_module(module), class_name)
                setattr(owner, method, self._around(getattr(owner, method), *around))

    def _around(self, original: Callable[..., Any], before: Step | None, after: Step | None) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.at(before)
            result = original(*args, **kwargs)
            self.at(after)
            return result

        return wrapped
