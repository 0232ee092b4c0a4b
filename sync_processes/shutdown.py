"""Ending in time: a process that was asked to end does so within seconds, whatever it waits for at that moment.

Python's own signal handlers run when the main thread comes back from what it does, and a driver that waits for a
locked database, or a thread that waits for an answer, may not come back for minutes. Here a thread of its own hears of
the signal and ends the process when time is up. Nothing is lost by that: a run may die anywhere.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_SECONDS = 8.0
"""How long a run may take to settle or hand over; orchestrators kill after 10 seconds."""

EXIT_BASE = 128
"""A process ended by signal n is known to shells by exit code 128 + n."""

TELL_SECONDS = 0.5
"""How long the last line may take: whoever reads the log may have stopped reading."""

_ASKING = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def ending_in_time(tell: Callable[[str], None]) -> Iterator[None]:
    """End the process by 128 + n when the block goes on for `GRACE_SECONDS` after SIGINT or SIGTERM.

    `tell` writes the line that says so. What the signals' handlers do is left to them.
    """
    if threading.current_thread() is not threading.main_thread():  # signals belong to the main thread
        yield
        return
    hears, told = socket.socketpair()
    told.settimeout(0)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(hears, tell), name="ending-in-time", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()


def abandon_output() -> None:
    """Send to nowhere what Python still holds for a reader that is gone, or it complains once more at the end."""
    try:
        out = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # no real descriptor behind stdout, so nothing left to complain
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out)
    os.close(nowhere)


def _watch(hears: socket.socket, tell: Callable[[str], None]) -> None:
    with hears:
        number, ends = 0, 0.0
        while True:
            hears.settimeout(max(0.01, ends - time.monotonic()) if number else None)
            try:
                heard = hears.recv(1)
            except TimeoutError:
                break
            if not heard:
                return  # the block is over
            if not number and heard[0] in _ASKING:
                number, ends = heard[0], time.monotonic() + GRACE_SECONDS
    line = (
        f"ended by {signal.Signals(number).name} while something was still under way: a call without an answer, or a "
        "locked database; the next run goes on from here"
    )
    telling = threading.Thread(target=tell, args=(line,), daemon=True)
    telling.start()
    telling.join(TELL_SECONDS)
    os._exit(EXIT_BASE + number)
