"""What can go wrong for the tap, as one line: what, where, and what to do.

The command line turns these into that line and an exit code; no traceback, no password.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

import sqlalchemy as sa
from singer_sdk.exceptions import ConfigurationError, SyncError
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
