"""Runs a plugin so that it stops itself (SIGSTOP) at a point of a call that writes, until somebody wakes it.

`stopped_at.py POINT:N SECONDS PROGRAM OPTIONS...`, a script of its own, so that the product holds no switch for tests.
POINT is one of `POINTS`, at the N-th such call, or `nowhere`. With STEP:N:FOLDER it waits there until another
process stops it (`sleeps/steps.py`). A lease that is silent for SECONDS is watched, for as long; all other times of the
lease are shorter by the same factor.
"""

from __future__ import annotations

import importlib
import itertools
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sleeps.steps import Waiter

from sync_ledger import leases, lock_waiting, retry_schedules, runs
from sync_ledger.retry_schedules import LEASE_SILENT_SECONDS

WRITES = ("upsert", "insert", "update", "delete", "create_job", "upload")
POINTS = {
    "connecting": "urllib3.connection.HTTPConnection.connect",
    "checked": "sync_ledger.sent_writes.SentWrite.check",
    "sending": "urllib3.connection.HTTPConnection.request",
}
"""Before the connection is made; after the lease was checked; after all checks, before the first byte."""

_thread = threading.local()
_stopped = threading.Lock()
_calls = itertools.count(1)
_beating = threading.Lock()
"""Nobody stops in a heartbeat, which would leave an SQLite ledger locked."""


def stop() -> None:
    """Stop, the first time only."""
    if getattr(_thread, "writes", False) and _stopped.acquire(blocking=False):
        with _beating:
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # before this thread runs on, whoever else does


def wrap(path: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    owner_path, _, method = path.rpartition(".")
    module_name, _, class_name = owner_path.rpartition(".")
    owner = getattr(importlib.import_module(module_name), class_name)
    setattr(owner, method, wrapper(getattr(owner, method)))


def writing(original: Callable[..., Any], number: int) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _thread.writes = next(_calls) == number
        if _thread.writes:
            for session in args[0]._transport._sessions:  # noqa: SLF001 - so that it has to connect
                session.close()
        try:
            return original(*args, **kwargs)
        finally:
            _thread.writes = False

    return wrapped


def beating(original: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _beating:
            return original(*args, **kwargs)

    return wrapped


def stopping_before(original: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        stop()
        return original(*args, **kwargs)

    return wrapped


def stopping_after(original: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        stop()
        return result

    return wrapped


def shorten(factor: float) -> None:
    """Shorten all times of the lease."""
    for module in (leases, lock_waiting, runs):
        for name in vars(retry_schedules):
            if name.startswith("LEASE_") and hasattr(module, name):
                setattr(module, name, getattr(retry_schedules, name) * factor)


def main() -> None:
    """Arm the point and run the program."""
    point, number, folder = [*sys.argv[1].split(":", 2), "", ""][:3]
    seconds, program = float(sys.argv[2]), sys.argv[3]
    del sys.argv[1:4]
    shorten(seconds / LEASE_SILENT_SECONDS)
    if point in POINTS:
        for name in WRITES:
            wrap(f"target_zoho_crm.api.client.ZohoClient.{name}", partial(writing, number=int(number)))
        wrap("sync_ledger.leases.Lease.beat", beating)
        wrap(POINTS[point], stopping_after if point == "checked" else stopping_before)
    elif folder:
        Waiter(point, int(number), Path(folder), program).arm()
    if program == "tap-legacy-orders":
        from tap_legacy_orders.tap import TapLegacyOrders as plugin  # noqa: N813, PLC0415
    else:
        from target_zoho_crm.target import TargetZohoCRM as plugin  # type: ignore[assignment]  # noqa: N813, PLC0415
    plugin.cli()


if __name__ == "__main__":
    main()
