"""Shutdown in time: a process that was asked to end does so within seconds, whatever it waits for just then.

Python's own signal handlers run when the main thread comes back from what it does, and a driver that waits for a
locked database, or a thread that waits for an answer, may not come back for minutes. Here a thread of its own receives
the signal and ends the process when time is up. Nothing is lost by that: a run may die anywhere.
"""

from __future__ import annotations

import _thread
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync_processes.exit_codes import SIGNALLED

GRACE_SECONDS = 8.0
"""How long a run may take to settle or hand over; orchestrators kill after 10 seconds."""

LAST_LINE_SECONDS = 0.5
"""How long the last line may take: whoever reads the log may have stopped reading."""

_ASKING = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def ending_in_time(log: Callable[[str], None]) -> Iterator[None]:
    """End the process by 128 + n when the block goes on for `GRACE_SECONDS` after SIGINT or SIGTERM.

    `log` writes the line that says so. What the signals' handlers do is left to them.
    """
    if threading.current_thread() is not threading.main_thread():  # signals belong to the main thread
        yield
        return
    receiver, sender = socket.socketpair()
    sender.settimeout(0)
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(receiver, log), name="ending-in-time", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sender.close()


def set_in_handler(event: threading.Event) -> None:
    """Set an event from a signal's handler.

    The handler runs in the main thread, amid whatever that does: where it is about to wait for this very event, it
    holds the event's lock, and the two would wait for each other. So another thread sets it, and Python's own lock of
    threads is not taken to start it.
    """
    _thread.start_new_thread(event.set, ())


def abandon_output() -> None:
    """Send to nowhere what Python still holds for a reader that has left, or it complains once more at the end."""
    try:
        out = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # no real descriptor behind stdout, so nothing left to complain
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out)
    os.close(nowhere)


def _watch(receiver: socket.socket, log: Callable[[str], None]) -> None:
    with receiver:
        number, ends = 0, 0.0
        while True:
            receiver.settimeout(max(0.01, ends - time.monotonic()) if number else None)
            try:
                received = receiver.recv(1)
            except TimeoutError:
                break
            if not received:
                return  # the block is over
            if not number and received[0] in _ASKING:
                number, ends = received[0], time.monotonic() + GRACE_SECONDS
    line = (
        f"ended by {signal.Signals(number).name} while something was still under way: a call without an answer, or a "
        "locked database; the next run goes on from here"
    )
    last_line = threading.Thread(target=log, args=(line,), daemon=True)
    last_line.start()
    last_line.join(LAST_LINE_SECONDS)
    os._exit(SIGNALLED + number)
