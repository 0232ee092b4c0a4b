"""Writing Singer messages: whole lines only, in blocks, whatever signal arrives and however little a pipe takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from singer_sdk.singerlib.encoding.simple import Message, SimpleSingerWriter, StateMessage

from sync_processes.shutdown import abandon_output
from tap_legacy_orders.tap_errors import OutputClosedError, StoppedBySignal, TapSyncError, log_stops_without_traceback


class BlockWriter(SimpleSingerWriter):
    """Writes to standard output as it is at the time of writing."""

    def __init__(self) -> None:
        super().__init__()
        self._writing = False
        self._signal: int | None = None

    def stop(self, signum: int) -> None:
        """End the run: at once, or when the block that is being written is out.

        A second signal does not wait: whoever reads us may have stopped reading for good.
        """
        first = self._signal is None
        self._signal = signum
        if self._writing and first:
            return
        log_stops_without_traceback()
        raise StoppedBySignal(signum)

    def write_message(self, message: Message) -> None:
        """Write one message; STATE, and whatever came before it, leaves at once."""
        self.write_block(self.format_message(message).encode() + b"\n")
        if isinstance(message, StateMessage):
            self._guarded(_flush)

    def write_block(self, block: bytes) -> None:
        """Write whole lines.

        Raises:
            OutputClosedError: the reader has ended.
            TapSyncError: what takes the output does not take it.
            StoppedBySignal: a signal came meanwhile; the block was written.
        """
        self._guarded(_write_all, block)

    def _guarded(self, write: Callable[..., None], *arguments: Any) -> None:
        self._writing = True
        try:
            write(*arguments)
        except BrokenPipeError as error:
            abandon_output()
            if self._signal is not None:  # the reader was asked to end as well, and was quicker
                raise StoppedBySignal(self._signal) from None
            raise OutputClosedError(
                "the program that reads this tap's output has ended; see its messages, then run again"
            ) from error
        except OSError as error:
            abandon_output()
            raise TapSyncError(
                f"the output cannot be written: {error.strerror or error}; see to what takes it, then run again"
            ) from error
        finally:
            self._writing = False
        if self._signal is not None:
            raise StoppedBySignal(self._signal)


def _write_all(block: bytes) -> None:
    out = getattr(sys.stdout, "buffer", None)
    if out is None:
        sys.stdout.write(block.decode())
        return
    rest = memoryview(block)
    while rest:
        # An unbuffered stdout (PYTHONUNBUFFERED) may take less than it is given.
        rest = rest[out.write(rest) or 0 :]


def _flush() -> None:
    sys.stdout.flush()
