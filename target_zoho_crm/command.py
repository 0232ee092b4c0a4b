"""The target's command: its option `--test`, and how it ends where the SDK would print a traceback."""

from __future__ import annotations

import signal
import sys
from typing import Any

import click
from singer_sdk.exceptions import ConfigValidationError, MappingError, RecordsWithoutSchemaException
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib.exceptions import InvalidInputLine

from sync_databases.database_errors import DatabaseError, DatabaseUnavailableError
from sync_ledger.bindings import SetUpChangedError
from sync_ledger.leases import LeaseHeldError, LeaseLostError, OutdatedError
from sync_processes.exit_codes import SIGNALLED, ExitCode
from target_zoho_crm.api.errors import ConfigurationError, ZohoError
from target_zoho_crm.confirmation.recorder import RejectedError
from target_zoho_crm.delivery.contact_report import FirstContactError
from target_zoho_crm.run import IncompleteError
from target_zoho_crm.writing.spool import SpoolError


class TerminatedError(Exception):
    """A signal asked the run to end."""

    def __init__(self, signal_number: int) -> None:
        """Keep the signal, for the exit code."""
        super().__init__(f"ended by {signal.Signals(signal_number).name}; the next run goes on from here")
        self.signal_number = signal_number


class OutputError(Exception):
    """Standard output takes no STATE."""


TEST_OPTION = click.Option(
    ["--test"], is_flag=True, help="Ask ledger and CRM whether the set-up works; reads only, and takes no input."
)


class ReadableConfig(SingerCommand):
    """The SDK's command, which reads config files while it parses its arguments."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments."""
        try:
            return super().make_context(*args, **kwargs)
        except (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
            self.logger.error("--config: the file cannot be read: %s", error)  # noqa: TRY400 - a user's mistake
            sys.exit(ExitCode.SET_UP)


EXPECTED_ERRORS = (
    ConfigValidationError,
    MappingError,
    ZohoError,
    DatabaseError,
    RejectedError,
    FirstContactError,
    IncompleteError,
    InvalidInputLine,
    RecordsWithoutSchemaException,
    SpoolError,
    OutputError,
    TerminatedError,
)
"""What a user, a database or Zoho can bring about: a line each, and no traceback."""


def error_lines(error: Exception) -> list[str]:
    """What the log says of an expected error, a line each."""
    if isinstance(error, ConfigValidationError):
        return [f"Config: {problem}" for problem in error.errors]
    if isinstance(error, (SetUpChangedError, FirstContactError)):
        return error.lines
    if isinstance(error, MappingError):
        return [f"stream_maps: {error}"]
    return [f"Input: {error}" if isinstance(error, InvalidInputLine) else str(error)]


def exit_code_of(error: Exception) -> int:
    """How the process ends by an expected error."""
    if isinstance(error, TerminatedError):
        return SIGNALLED + error.signal_number
    if isinstance(error, (LeaseHeldError, OutdatedError)):
        return ExitCode.LOCKED
    if isinstance(error, (SetUpChangedError, FirstContactError)):
        return ExitCode.LOOK_FIRST
    if isinstance(error, (DatabaseUnavailableError, LeaseLostError)):
        return ExitCode.FAILED  # it may pass by itself; a URL, rights or tables that are of no use do not
    if isinstance(error, (ConfigurationError, ConfigValidationError, MappingError, DatabaseError)):
        return ExitCode.SET_UP
    return ExitCode.FAILED
