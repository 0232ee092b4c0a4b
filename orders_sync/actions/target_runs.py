"""The target itself, run by a command: in this process, on lines that are made as it reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orders_sync.config_sources.configs import own_signals
from orders_sync.config_sources.project import surroundings
from sync_processes.exit_codes import ExitCode
from target_zoho_crm.command import EXPECTED_ERRORS, error_lines, exit_code_of
from target_zoho_crm.target import TargetZohoCRM


class _MessageSource:
    """Lines as a file to read from, made as they are read."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        """Read these lines."""
        self._lines = lines

    def read(self, size: int) -> bytes:
        """The next bytes, about `size` of them; none at the end."""
        parts, length = [], 0
        while length < size and (line := next(self._lines, None)) is not None:
            parts.append(line)
            length += len(line)
        return b"".join(parts)


class _QuietTarget(TargetZohoCRM):
    """The target of a command: nobody keeps its STATE, and no later run goes on from it."""

    def _write_state_message(self, state: Mapping[str, Any]) -> None:
        """Leave the output to the command."""


def run_target(config: Mapping[str, Any], lines: Iterator[bytes]) -> tuple[Sequence[str], int]:
    """Run it to its end; returns what it complains of, and how it would end. `config` comes with its defaults."""
    given = {name: value for name, value in config.items() if value is not None}
    try:
        with own_signals():
            _QuietTarget(config=given, parse_env_config=False).listen(_MessageSource(lines))
    except EXPECTED_ERRORS as error:
        return list(map(surroundings().with_places, error_lines(error))), exit_code_of(error)
    return (), ExitCode.OK
