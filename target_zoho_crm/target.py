"""The Singer target: config, messages and signals; what it does with records stands in `run.py` and `delivery/`."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, ClassVar

import click
import msgspec
from singer_sdk import Target
from singer_sdk.helpers.capabilities import TargetCapabilities
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.exceptions import InvalidInputLine

from sync_databases.displayed_text import escape_log_lines
from sync_ledger.early_versions import TEST_STREAM
from sync_ledger.stream_contract import (
    KEY_PROPERTY,
    VERSION_PROPERTY,
    Announcement,
    AnnouncementError,
    read_announcement,
)
from sync_processes.given_settings import read_as_given
from sync_processes.library_warnings import keep_library_warnings_out
from sync_processes.setting_places import places_of_plugin, with_places
from sync_processes.shutdown import abandon_output, ending_in_time, set_in_handler
from target_zoho_crm import malloc
from target_zoho_crm.api.errors import Stopped
from target_zoho_crm.batch_file_reader import BatchFiles
from target_zoho_crm.command import (
    EXPECTED_ERRORS,
    TEST_OPTION,
    OutputError,
    ReadableConfig,
    TerminatedError,
    error_lines,
    exit_code_of,
)
from target_zoho_crm.config_schema import CONFIG, WITHOUT_EFFECT
from target_zoho_crm.end_of_input import EndOfInput
from target_zoho_crm.meltano_test import look_at_set_up
from target_zoho_crm.message_reader import BlockReader, BlockTaker
from target_zoho_crm.run import Run
from target_zoho_crm.run_report import TRIED
from target_zoho_crm.settings import Settings
from target_zoho_crm.sink import ZohoSink

WAKE_SECONDS = 0.5
"""How long the wait for input goes on without a check of what else has happened."""

SETTLING_SECONDS = 5.0
"""How long a run that lasts goes on after a signal; containers are killed after 10 seconds."""

GC_THRESHOLDS = (10_000, 10, 100)
"""Rows are many and without cycles: looking for some after every 700 finds nothing. Calls leave some behind, and what
they hold is a megabyte by the hundredth job if they are looked for only after 100,000."""

_encode = msgspec.json.Encoder(decimal_format="number").encode

logger = logging.getLogger("target-zoho-crm")


class TargetZohoCRM(Target):
    """Writes records to a Zoho CRM module, and what became of each to the ledger."""

    name = "target-zoho-crm"
    package_name = "orders-sync"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG
    capabilities: ClassVar = [each for each in Target.capabilities if each != TargetCapabilities.VALIDATE_RECORDS]
    default_sink_class = ZohoSink
    message_reader_class = BlockReader

    def __init__(self, **options: Any) -> None:
        """As the SDK makes targets; nothing is opened before the first SCHEMA message."""
        super().__init__(**options)
        # singer-sdk 0.54 gives the logger of metrics a level of its own, which Meltano's --log-level does not reach.
        self.metrics_logger.setLevel(logging.NOTSET)
        self.max_parallelism = 1  # sinks share the run's threads; the SDK's own would only fight for them
        self._run: Run | None = None
        self._follows = False
        self._early_states: list[Mapping[str, Any]] = []
        self._batch_files: BatchFiles | None = None
        self._end_of_input = EndOfInput()
        self._replication_keys: dict[str, str] = {}
        self._plain_sinks: dict[str, ZohoSink | None] = {}
        self._signal: int | None = None
        self._output = threading.Lock()
        if isinstance(self.message_reader, BlockReader):
            self.message_reader.attach(self)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the SDK's settings, but for those that would have no effect."""
        super().append_builtin_config(config_jsonschema)
        for name in WITHOUT_EFFECT:
            config_jsonschema["properties"].pop(name, None)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        read_as_given(self._config, self.config_jsonschema)
        return super()._validate_config(raise_errors=raise_errors)

    @property
    def run(self) -> Run:
        """The run, begun on first use."""
        if self._run is None:
            self._run = Run(Settings.read(self.config, follows=self._follows), self._write_state_message)
        return self._run

    @property
    def read_record(self) -> Callable[[bytes], Any]:
        """What decodes a line that surely is of a record."""
        reader = self.message_reader
        return reader.read_record if isinstance(reader, BlockReader) else reader.deserialize_json

    def replication_key(self, stream: str) -> str | None:
        """The stream's replication key, as its SCHEMA message names it."""
        return self._replication_keys.get(stream)

    # Messages

    def listen(self, file_input: Any = None) -> None:  # type: ignore[misc] # final in the SDK; this only wraps it
        """Read to the end of the input, and leave nothing open whatever happens."""
        try:
            super().listen(file_input)
        except BaseException as error:
            continuous = False
            if self._run is not None:
                run, self._run = self._run, None
                continuous = run.settings.continuous
                why = "; ".join(error_lines(error)) if isinstance(error, EXPECTED_ERRORS) else type(error).__name__
                run.abort("failed" if self._signal is None else "terminated", why)
            if self._signal is None or not isinstance(error, Stopped):
                raise
            if not continuous:
                raise TerminatedError(self._signal) from None
            self.logger.info("What is not settled yet is handed over: the next run sends it, or adopts its jobs")
        finally:
            if self._batch_files is not None:
                self._batch_files.close()

    def try_set_up(self) -> None:
        """Ask ledger and CRM what a run needs of them; only reads.

        Raises:
            ZohoError, LedgerError: something stands in the way of a run.
        """
        try:
            look_at_set_up(self.run)
        finally:
            self.run.abort(TRIED)
            self._run = None

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        bookmarks = message_dict.get("bookmark_properties") or []
        stream = message_dict.get("stream", "")
        if stream == TEST_STREAM:
            look_at_set_up(self.run)
            self.logger.info("Stream %r is Meltano's own test, whose record is never written", TEST_STREAM)
            return
        if bookmarks:
            self._replication_keys[stream] = bookmarks[0]
        self._plain_sinks.clear()
        announced = _announced(message_dict["schema"])
        self._follows |= announced.follows  # before the run begins, which goes by it
        self._let_early_states_in()
        super()._process_schema_message(message_dict)
        self._end_of_input.begin(stream, announced)
        own = {KEY_PROPERTY, VERSION_PROPERTY} & message_dict["schema"]["properties"].keys()
        for stream_map in self.mapper.stream_maps[stream]:
            if stream_map.stream_alias == TEST_STREAM:
                raise InvalidInputLine(
                    f"the stream map of {stream!r} calls it {TEST_STREAM!r}, which is Meltano's test stream and "
                    "is never written; choose another name"
                )
            lost = own - stream_map.transformed_schema["properties"].keys()
            if lost:
                raise InvalidInputLine(
                    f"the stream map of {stream!r} drops {', '.join(sorted(lost))}, without which orders cannot be "
                    f"confirmed; keep {KEY_PROPERTY} and {VERSION_PROPERTY} in it"
                )
            sink = self._sinks_active.get(stream_map.stream_alias)
            if isinstance(sink, ZohoSink):
                sink.open(announced)

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Take a record as the stream's maps make it, for each of the streams that they make of it."""
        stream = message_dict["stream"]
        if stream == TEST_STREAM:
            return
        if stream not in self.mapper.stream_maps:
            self._assert_sink_exists(stream)
        for stream_map in self.mapper.stream_maps[stream]:
            sink = self._sinks_active.get(stream_map.stream_alias)
            if isinstance(sink, ZohoSink):
                sink.take_mapped(stream_map, message_dict)

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        """Read the files as if their records had come by the pipe, stream maps and all."""
        stream = message_dict["stream"]
        if stream == TEST_STREAM:
            return
        self._assert_sink_exists(stream)
        sink = self._plain_sink(stream)
        if self._batch_files is None:
            self._batch_files = BatchFiles(self.config, self.run.state_gate)
        for url in message_dict["manifest"]:
            for lines in self._batch_files.lines(url, message_dict["encoding"]):
                if sink is not None:
                    sink.take_bare_lines(lines)
                else:
                    for record in map(self.read_record, lines):
                        self._process_record_message({"type": "RECORD", "stream": stream, "record": record})
                self._look_around()

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        if message_dict["stream"] == TEST_STREAM:
            return
        self._assert_sink_exists(message_dict["stream"])
        super()._process_activate_version_message(message_dict)

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Hold the state until all that was read before it is settled."""
        self._assert_line_requires(message_dict, requires={"value"})
        self._early_states.append(self._end_of_input.read(message_dict["value"]))
        if self._run is not None:  # else the SCHEMA that follows says how the run goes
            self._let_early_states_in()

    def _let_early_states_in(self) -> None:
        states, self._early_states = self._early_states, []
        for state in states:
            self.run.state_gate.hold(state)

    def _write_state_message(self, state: Mapping[str, Any]) -> None:
        """Write one state line; threads that settle records call this too.

        Raises:
            OutputError: nobody takes it any more. What it speaks of is settled all the same.
        """
        with self._output:
            try:
                sys.stdout.write(f"{_encode(state).decode()}\n")
                sys.stdout.flush()
            except OSError as error:
                abandon_output()
                raise OutputError(
                    f"STATE cannot be written to this target's output: {error.strerror or error}; see to the program "
                    "or the file that takes it, then run again; what was settled is not sent again"
                ) from error

    def process_endofpipe(self) -> None:
        """Send what is buffered, wait for its outcomes, and sum up."""
        if self._run is not None and self._signal is None and self._end_of_input.complaint is None:
            self._run.end_input()
        super().process_endofpipe()
        self._let_early_states_in()
        # A run that lasts has a signal for its end as well.
        self.run.finish(None if self._signal is not None else self._end_of_input.complaint)
        self._run = None

    # The fast lane

    def block_taker(self, stream: str) -> BlockTaker | None:
        """What takes blocks of the stream's RECORD lines; None where the SDK must see each record."""
        sink = self._plain_sink(stream)
        return None if sink is None else sink.take_lines

    def _plain_sink(self, stream: str) -> ZohoSink | None:
        """The sink that takes the stream's records as they are; None where the SDK must see each."""
        if stream not in self._plain_sinks:
            self._plain_sinks[stream] = self._find_plain_sink(stream)
        return self._plain_sinks[stream]

    def _find_plain_sink(self, stream: str) -> ZohoSink | None:
        maps = self.mapper.stream_maps.get(stream, [])
        if len(maps) != 1 or not isinstance(maps[0], SameRecordTransform) or maps[0].flattening_enabled:
            return None
        sink = self._sinks_active.get(stream)
        return sink if isinstance(sink, ZohoSink) else None

    def between_messages(self) -> bool:
        """Act on a signal, where nothing is half done; and on records that have waited too long.

        A run that lasts takes a signal for the end of its input.
        """
        if self._signal is not None and self._run is not None and self._run.settings.continuous:
            return False
        self._look_around()
        return True

    def _look_around(self) -> None:
        run = self._run
        continuous = run is not None and run.settings.continuous
        if self._signal is not None and not continuous:
            raise TerminatedError(self._signal)
        if run is not None:
            run.check()
        if continuous and run is not None:
            run.flush_aged(input_pending=True)
        else:
            self._handle_max_record_age()

    def at_rest(self) -> float:
        """Send records of age, where the run lasts; returns after how many seconds to check again."""
        pause = None if self._run is None else self._run.flush_aged(input_pending=False)
        return WAKE_SECONDS if pause is None else min(pause, WAKE_SECONDS)

    # Signals and the command line

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note the signal, to be acted on between blocks: the SDK's own handler drains amid whatever runs.

        A run that lasts gets some seconds to settle what it has; a second signal takes them away.
        """
        first, self._signal = self._signal is None, signum
        if self._run is None:
            return
        set_in_handler(self._run.asked_to_end)
        if first and self._run.settings.continuous:
            self.logger.info("%s: settling what has been read", signal.Signals(signum).name)
            timer = threading.Timer(SETTLING_SECONDS, self._run.stop.set)
            timer.daemon = True
            timer.start()
        else:
            set_in_handler(self._run.stop)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Give the SDK's command, with one line for a config file that cannot be read."""
        plain = super().get_singer_command()
        return ReadableConfig(
            name=plain.name,
            callback=plain.callback,
            params=[*plain.params, TEST_OPTION],
            help=plain.help,
            context_settings=plain.context_settings,
            logger=cls.logger,
        )

    @classmethod
    def invoke(cls, *, test: bool = False, config: Any = None, **options: Any) -> None:
        """Run from the command line: one clear line for a user's mistake, and an exit code that means something.

        With `test` nothing is read from the input: ledger and CRM are asked whether a run would find what it needs.
        """
        gc.set_threshold(*GC_THRESHOLDS)
        gc.freeze()  # what starting has made lives to the end
        malloc.return_freed_memory()
        escape_log_lines(cls.logger)
        keep_library_warnings_out()
        with ending_in_time(cls.logger.error):
            try:
                if test:
                    cls(config=config.config, parse_env_config=config.parse_env).try_set_up()
                else:
                    super().invoke(config=config, **options)
            except EXPECTED_ERRORS as error:
                places = places_of_plugin(cls.name, "MELTANO_LOADER_NAME", sys.argv[1:], os.environ)
                for line in error_lines(error):  # they say it all; a traceback is for our own defects
                    cls.logger.error(with_places(line, places))  # noqa: TRY400
                sys.exit(exit_code_of(error))


def _announced(schema: Mapping[str, Any]) -> Announcement:
    try:
        return read_announcement(schema)
    except AnnouncementError as error:
        raise InvalidInputLine(str(error)) from None
