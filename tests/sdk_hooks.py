"""What tap and target use of singer-sdk that it does not promise: each hook with its class and its parameters.

`test_sdk_hooks.py` holds the installed singer-sdk against this list, and the code of tap and target against it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a hook is used."""

    OVERRIDDEN = "overridden"
    """singer-sdk calls our method: it must pass exactly these parameters."""
    CALLED = "called"
    """We call its method with these parameters."""
    ATTRIBUTE = "attribute"
    """We read or set it, or give it in our class."""


@dataclass(frozen=True)
class Hook:
    """One hook. `parameters` are by name, without `self` or `cls`."""

    owner: str
    """Module and class of singer-sdk."""
    name: str
    kind: Kind
    parameters: tuple[str, ...] = ()
    by: str = ""
    """Module and class of ours, where that overrides it."""

    def __str__(self) -> str:
        return f"{self.owner.rpartition(':')[2]}.{self.name}"


PLUGIN = "singer_sdk.plugin_base:PluginBase"
TAP = "singer_sdk.tap_base:Tap"
SQL_TAP = "singer_sdk.sql:SQLTap"
STREAM = "singer_sdk.streams.core:Stream"
STATE_MANAGER = "singer_sdk.streams._state:StreamStateManager"
TARGET = "singer_sdk.target_base:Target"
SINK = "singer_sdk.sinks.core:Sink"
MAPPER = "singer_sdk.mapper:PluginMapper"
SAME = "singer_sdk.mapper:SameRecordTransform"
READER = "singer_sdk.singerlib.encoding.base:GenericSingerReader"
WRITER = "singer_sdk.singerlib.encoding.base:GenericSingerWriter"
COMMAND = "singer_sdk.plugin_base:SingerCommand"

OUR_TAP = "tap_legacy_orders.tap:TapLegacyOrders"
OUR_STREAM = "tap_legacy_orders.stream:UnsyncedOrdersStream"
OUR_RECORDS = "tap_legacy_orders.mapped_records:MappedRecords"
OUR_WRITER = "tap_legacy_orders.output:BlockWriter"
OUR_TARGET = "target_zoho_crm.target:TargetZohoCRM"
OUR_SINK = "target_zoho_crm.sink:ZohoSink"
OUR_READER = "target_zoho_crm.message_reader:BlockReader"


def overridden(owner: str, by: str, name: str, *parameters: str) -> Hook:
    """A method of singer-sdk that a class of ours has in its place."""
    return Hook(owner, name, Kind.OVERRIDDEN, parameters, by)


def called(owner: str, name: str, *parameters: str) -> Hook:
    """A method of singer-sdk that we call."""
    return Hook(owner, name, Kind.CALLED, parameters)


def attributes(owner: str, *names: str) -> tuple[Hook, ...]:
    """Attributes and properties of one class."""
    return tuple(Hook(owner, name, Kind.ATTRIBUTE) for name in names)


HOOKS = (
    # Both plugins
    overridden(PLUGIN, OUR_TAP, "_validate_config", "raise_errors"),
    overridden(PLUGIN, OUR_TARGET, "_validate_config", "raise_errors"),
    *attributes(PLUGIN, "_config", "metrics_logger", "mapper"),
    *attributes(COMMAND, "logger"),
    # Tap
    overridden(TAP, OUR_TAP, "_handle_termination", "signum", "frame"),
    overridden(TAP, OUR_TAP, "setup_mapper"),
    overridden(TAP, OUR_TAP, "get_singer_command"),
    overridden(SQL_TAP, OUR_TAP, "append_builtin_config", "config_jsonschema"),
    *attributes(TAP, "message_writer_class", "message_writer", "input_catalog"),
    *attributes(SQL_TAP, "_catalog_dict", "catalog_dict", "tap_connector"),
    overridden(WRITER, OUR_WRITER, "write_message", "message"),
    called(WRITER, "format_message", "message"),
    # Stream
    overridden(STREAM, OUR_STREAM, "_sync_records", "context", "write_messages"),
    overridden(STREAM, OUR_STREAM, "_increment_stream_state", "latest_record", "context"),
    overridden(STREAM, OUR_STREAM, "_write_starting_replication_value", "context"),
    overridden(STREAM, OUR_STREAM, "_generate_schema_messages"),
    overridden(STREAM, OUR_RECORDS, "_generate_record_messages", "record"),
    overridden(STREAM, OUR_STREAM, "get_replication_key_signpost", "context"),
    overridden(STREAM, OUR_STREAM, "apply_catalog", "catalog"),
    overridden(STREAM, OUR_STREAM, "get_batch_config", "config"),
    overridden(STREAM, OUR_STREAM, "get_batches", "batch_config", "context"),
    called(STREAM, "_finalize_state", "state"),
    called(STREAM, "_write_state_message"),
    called(STREAM, "get_record_counter"),
    called(STREAM, "get_sync_timer"),
    *attributes(STREAM, "_tap", "_singer_catalog_entry", "ABORT_AT_RECORD_COUNT", "TYPE_CONFORMANCE_LEVEL"),
    *attributes(STREAM, "state_manager", "stream_maps", "stream_state", "tap_state", "forced_replication_method"),
    *attributes(STATE_MANAGER, "is_flushed"),
    # Target
    overridden(TARGET, OUR_TARGET, "_handle_termination", "signum", "frame"),
    overridden(TARGET, OUR_TARGET, "_process_schema_message", "message_dict"),
    overridden(TARGET, OUR_TARGET, "_process_record_message", "message_dict"),
    overridden(TARGET, OUR_TARGET, "_process_batch_message", "message_dict"),
    overridden(TARGET, OUR_TARGET, "_process_activate_version_message", "message_dict"),
    overridden(TARGET, OUR_TARGET, "_process_state_message", "message_dict"),
    overridden(TARGET, OUR_TARGET, "_write_state_message", "state"),
    overridden(TARGET, OUR_TARGET, "listen", "file_input"),
    overridden(TARGET, OUR_TARGET, "process_endofpipe"),
    overridden(TARGET, OUR_TARGET, "get_singer_command"),
    called(TARGET, "_assert_sink_exists", "stream_name"),
    called(TARGET, "_assert_line_requires", "message_dict", "requires"),
    called(TARGET, "_handle_max_record_age"),
    *attributes(TARGET, "_sinks_active", "max_parallelism", "message_reader_class", "message_reader"),
    *attributes(MAPPER, "stream_maps"),
    *attributes(SAME, "flattening_enabled", "stream_alias", "transformed_schema"),
    overridden(READER, OUR_READER, "process_lines", "file_input", "callbacks"),
    overridden(READER, OUR_READER, "assert_line_requires", "line_dict", "requires"),
    overridden(READER, OUR_READER, "deserialize_json", "line"),
    *attributes(READER, "default_input"),
    # Sink
    overridden(SINK, OUR_SINK, "_remove_sdc_metadata_from_schema"),
    overridden(SINK, OUR_SINK, "_remove_sdc_metadata_from_record", "record"),
    overridden(SINK, OUR_SINK, "get_validator"),
    called(SINK, "tally_record_read", "count"),
    *attributes(SINK, "record_counter_metric", "include_sdc_metadata_properties", "is_full"),
)

PRIVATE_MODULES = {"singer_sdk.helpers._batch": {"BatchConfig", "BaseBatchFileEncoding"}}
"""Private modules of singer-sdk, and what is imported from them."""
