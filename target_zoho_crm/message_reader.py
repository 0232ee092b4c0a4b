"""Reads Singer messages in blocks: a run of RECORD lines of one stream goes to its sink as one block.

Lines of other kinds, and records of streams whose sink asks for it (stream maps, flattening), take the SDK's way.
"""

from __future__ import annotations

import re
import select
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerReader, SingerMessageType
from singer_sdk.singerlib.exceptions import InvalidInputLine

from sync_databases.exact_numbers import exact_number
from target_zoho_crm.lenient_json import read_leniently
from target_zoho_crm.messages import check_message

BLOCK_BYTES = 1 << 18
LINE_BYTES_MOST = 256 * 1024 * 1024
"""No message is longer; without a bound an input without line ends would fill the memory."""

_RECORD = re.compile(rb'\{"type": ?"RECORD", ?"stream": ?"([^"\\]+)", ?"record": ?(?=\{)')
_json = msgspec.json.Decoder(float_hook=exact_number)

BlockTaker = Callable[[list[bytes]], None]


class BlockSource(Protocol):
    """Whoever knows which streams take blocks: the target."""

    def block_taker(self, stream: str) -> BlockTaker | None:
        """What takes a block of RECORD lines of `stream`; None where each record goes the SDK's way."""

    def between_messages(self) -> bool:
        """Called after each block of input: the place to act on a signal. False: no more is to be read."""

    def at_rest(self) -> float:
        """Called when no more input is there, and again after so many seconds as it returns."""


class BlockReader(GenericSingerReader[bytes]):
    """The SDK's message reader with a fast lane for records."""

    default_input = sys.stdin  # type: ignore[assignment] # its binary buffer is taken when reading begins

    def __init__(self) -> None:
        """Start without a source: the SDK makes readers without arguments."""
        super().__init__()
        self._source: BlockSource | None = None
        self._line_number = 0
        self._ended = False

    def attach(self, source: BlockSource) -> None:
        """Ask this source from now on which streams take blocks."""
        self._source = source

    def process_lines(
        self, file_input: IO[Any] | None, callbacks: dict[str, Callable[[dict[str, Any]], None]]
    ) -> Counter[str]:
        """Read until the input ends; text streams are accepted too.

        Raises:
            InvalidInputLine: a line is no Singer message, and the text names its number, not its contents; or there is
                no line at all.
        """
        stats: Counter[str] = Counter()
        for lines in self._line_blocks(file_input or self.default_input):
            start = 0
            while start < len(lines):
                start += self._process_run(lines, start, callbacks, stats)
            if self._source is not None and not self._source.between_messages():
                break
        else:
            # Who ended the tap may have asked the target to end as well.
            goes_on = self._source is None or self._source.between_messages()
            if goes_on and self._line_number == 0:
                raise InvalidInputLine(
                    "it is empty: the program before this one sent not even a SCHEMA; if it failed, its log says why"
                )
        return stats

    @staticmethod
    def assert_line_requires(line_dict: dict[str, Any], requires: set[str]) -> None:
        """Check that a message is whole; the text names what is missing and shows nothing of what is there."""
        missing = requires - set(line_dict)
        if missing:
            raise InvalidInputLine(f"a {line_dict.get('type')} message lacks {', '.join(sorted(missing))}")

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Decode one message; numbers with a point become Decimal."""
        try:
            message = _json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._no_json(error) from None
        if not isinstance(message, dict):
            raise InvalidInputLine(f"line {self._line_number} of the input is no Singer message")
        return message

    def read_record(self, line: bytes) -> Any:
        """Decode a line that surely is of a record; its odd values are its own trouble, which its sink names.

        Raises:
            InvalidInputLine: it is no JSON.
        """
        try:
            return _json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            try:
                return read_leniently(line)
            except ValueError:
                raise self._no_json(error) from None

    def _read_message(self, line: bytes) -> dict[str, Any]:
        try:
            return self.deserialize_json(line)
        except InvalidInputLine:
            try:
                message = read_leniently(line)
            except ValueError:
                message = None
            if not isinstance(message, dict) or message.get("type") != SingerMessageType.RECORD.value:
                raise
            if not str(message.get("stream")).isprintable():
                raise  # whose record it is nobody knows
            return message

    def _no_json(self, error: Exception) -> InvalidInputLine:
        return InvalidInputLine(f"line {self._line_number} of the input is no JSON: {error}")

    def _process_run(
        self,
        lines: list[bytes],
        start: int,
        callbacks: dict[str, Callable[[dict[str, Any]], None]],
        stats: Counter[str],
    ) -> int:
        """Process one message, or all RECORD lines of one stream that follow each other; returns how many."""
        head = _RECORD.match(lines[start])
        taker = None
        if head is not None and self._source is not None:
            taker = self._source.block_taker(head[1].decode(errors="surrogateescape"))
        if head is None or taker is None:
            self._process_one(lines[start], callbacks, stats)
            return 1
        prefix = head[0]
        end = start + 1
        while end < len(lines) and lines[end].startswith(prefix):
            end += 1
        run = lines if end - start == len(lines) else lines[start:end]
        taker(run)
        stats[SingerMessageType.RECORD] += end - start
        self._line_number += end - start
        return end - start

    def _process_one(
        self, line: bytes, callbacks: dict[str, Callable[[dict[str, Any]], None]], stats: Counter[str]
    ) -> None:
        self._line_number += 1
        if not line.strip():
            return
        message = self._read_message(line)
        kind = message.get("type")
        callback = callbacks.get(str(kind))
        if callback is None:
            raise InvalidInputLine(f"line {self._line_number} of the input has no known message type")
        check_message(str(kind), message, self._line_number)
        callback(message)
        stats[str(kind)] += 1

    def _line_blocks(self, source: IO[Any]) -> Iterator[list[bytes]]:
        """Whole lines, as many as a read gives."""
        rest: list[bytes] = []  # joined once its line ends, so that a long line costs no more than its length
        size = 0
        for block in self._blocks(source):
            lines = block.split(b"\n")
            rest.append(lines.pop(0))
            size += len(rest[-1])
            if size > LINE_BYTES_MOST:
                raise InvalidInputLine(
                    f"line {self._line_number + 1} of the input or a later one is longer than {LINE_BYTES_MOST:,} bytes"
                )
            if lines:
                whole = [b"".join(rest), *lines]
                rest = [whole.pop()]
                size = len(rest[0])
                yield whole
        if size and not self._ended:
            yield [b"".join(rest)]

    def _wait_for_input(self, source: IO[Any]) -> bool:
        """Wait for a pipe to have something; meanwhile signals, failures of threads, and records' age are acted on.

        False: no more is to be read.
        """
        try:
            pipe = source.fileno()
        except (OSError, AttributeError):  # text in memory, as tests give it
            return True
        pause = 0.0
        while self._source is not None and not select.select([pipe], [], [], pause)[0]:
            if not self._source.between_messages():
                self._ended = True
                return False
            pause = self._source.at_rest()
        return True

    def _blocks(self, source: IO[Any]) -> Iterator[bytes]:
        binary = getattr(source, "buffer", source)
        read = getattr(binary, "read1", binary.read)
        while self._wait_for_input(binary):
            block = read(BLOCK_BYTES)
            if not block:
                return
            yield block.encode() if isinstance(block, str) else block
