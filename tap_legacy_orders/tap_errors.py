"""What can go wrong for the tap, as one line: what, where, and what to do.

The command line turns these into that line and an exit code; no traceback, no password.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence

import sqlalchemy as sa
from singer_sdk.exceptions import ConfigurationError, SyncError, SyncLifecycleSignal
from sqlalchemy.exc import DBAPIError

from sync_processes.exit_codes import SIGNALLED, ExitCode


class TapConfigError(ConfigurationError):
    """A setting is wrong, or what it names is not there."""

    exit_code: int = ExitCode.SET_UP


class TapSyncError(SyncError):
    """The run cannot go on."""

    exit_code: int = ExitCode.FAILED


class TapLockedError(TapSyncError):
    """Another run of these orders is live."""

    exit_code = ExitCode.LOCKED


class TooManyChangesError(TapSyncError):
    """More orders changed than the settings allow: a person should look first."""

    exit_code = ExitCode.LOOK_FIRST


class OutputClosedError(TapSyncError):
    """The program that read our output has ended."""


class StoppedBySignal(BaseException):
    """A signal asked the run to end. No Exception, so that no library on the way takes it for one and goes on."""

    def __init__(self, signum: int) -> None:
        super().__init__(
            f"stopped by {signal.Signals(signum).name}: the run is not complete; "
            "orders that are not acknowledged yet are read again by the next run"
        )
        self.exit_code = SIGNALLED + signum


def log_stops_without_traceback() -> None:
    """Keep our stop from looking like an error of whatever it interrupts, such as a pool that closes a connection."""
    for handler in logging.root.handlers:
        handler.addFilter(_is_no_stop)
    hook = sys.unraisablehook  # for a stop that met a destructor; the next block that is written ends the run
    sys.unraisablehook = lambda what: None if isinstance(what.exc_value, StoppedBySignal) else hook(what)


def _is_no_stop(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], StoppedBySignal))


def cause_of(error: BaseException, url: sa.URL) -> str:
    """The complaint of a database or its driver in one line, without the URL's password."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    texts = _texts(inner.args)
    lines = (texts[-1] if texts else str(inner)).strip().splitlines()
    line = lines[0].strip() if lines else type(inner).__name__
    password = url.password
    return line.replace(str(password), "***") if password else line


def _texts(arguments: Sequence[object]) -> list[str]:
    """Find the texts in an error's arguments: PyMySQL puts a number before, pymssql wraps bytes in a tuple."""
    texts: list[str] = []
    for argument in arguments:
        if isinstance(argument, tuple):
            texts += _texts(argument)
        elif isinstance(argument, bytes):
            texts += _texts((argument.decode("utf-8", "replace"),))
        elif isinstance(argument, str) and argument.strip():
            texts.append(argument)
    return texts


def where(url: sa.URL) -> str:
    """Name a database without its password."""
    return url.render_as_string(hide_password=True)


def is_not_reported_twice(record: logging.LogRecord) -> bool:
    """Drop the SDK's "unhandled error" where our own line follows, and where it stops itself at a record limit."""
    unhandled = record.levelno == logging.ERROR and isinstance(record.msg, str) and "unhandled error" in record.msg
    return not (unhandled and isinstance(sys.exc_info()[1], (TapConfigError, TapSyncError, SyncLifecycleSignal)))
