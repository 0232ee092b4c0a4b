"""Runs target-zoho-crm so that it kills itself (SIGKILL) at one point: `before:module.Class.method[:n]` or `after:...`.

A script of its own, so that the product holds no switch for tests; the process dies as by `kill -9`, at the n-th call.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any


def arm(point: str) -> None:
    """Wrap the named method."""
    when, name, *number = point.split(":")
    path, _, method = name.rpartition(".")
    module_name, _, class_name = path.rpartition(".")
    owner = getattr(importlib.import_module(module_name), class_name)
    original: Callable[..., Any] = getattr(owner, method)
    calls, fatal = count(1), int(number[0]) if number else 1

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if next(calls) != fatal:
            return original(*args, **kwargs)
        if when == "after":
            original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    setattr(owner, method, wrapped)


if __name__ == "__main__":
    arm(sys.argv.pop(1))
    from target_zoho_crm.target import TargetZohoCRM

    TargetZohoCRM.cli()
