"""The target's settings as a JSON schema: what Singer and Meltano read, and what a config is checked against.

A theme that has settings of its own keeps their properties beside the code that reads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from singer_sdk import typing as th

from target_zoho_crm import batch_file_reader, history_keeping, write_settings
from target_zoho_crm.api.costs import CALLS_AT_ONCE, CHILD_ROWS, JOB_ROWS, UPSERTS_AT_ONCE
from target_zoho_crm.api.data_centers import DATA_CENTERS, ENVIRONMENTS
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation import sync_flags
from target_zoho_crm.lines.line_settings import LINES
from target_zoho_crm.mapping.field_settings import FIELDS
from target_zoho_crm.setting_schema import Setting, counted
from target_zoho_crm.stream_policy import ContactMode, OnRejection, OnUnmapped
from target_zoho_crm.writing import delete_settings
from target_zoho_crm.writing.routing import ChildRowsPer

FOLLOWED_MAX_AGE_SECONDS = 0.5
"""How long a record waits for others where the tap says that it follows: long enough for those saved together."""

DEFAULT_MODULE = "Orders"
DEFAULT_KEY_FIELD = "parent_id"

_STREAM = th.ObjectType(
    Setting("module", th.StringType, in_payload=True, description="API name of the stream's module."),
    Setting("key_field", th.StringType, in_payload=True, description="API name of the stream's unique key field."),
    Setting("shares_module", th.BooleanType, in_payload=False, description="As `shares_module`."),
    Setting("fields", FIELDS, in_payload=True, description="As `fields`."),
    *write_settings.STREAM_PROPERTIES,
    Setting("lines", LINES, in_payload=True, description="As `lines`."),
    *delete_settings.STREAM_PROPERTIES,
)

CONFIG = th.PropertiesList(
    Setting("client_id", th.StringType, in_payload=False, required=True, secret=True, description="OAuth client id."),
    Setting(
        "client_secret", th.StringType, in_payload=False, required=True, secret=True, description="OAuth client secret."
    ),
    Setting(
        "refresh_token", th.StringType, in_payload=False, required=True, secret=True, description="OAuth refresh token."
    ),
    Setting(
        "data_center",
        th.StringType,
        in_payload=True,
        default="us",
        allowed_values=list(DATA_CENTERS),
        description="Zoho data centre where the org lives.",
    ),
    Setting(
        "environment",
        th.StringType,
        in_payload=True,
        default="production",
        allowed_values=list(ENVIRONMENTS),
        description="Org environment.",
    ),
    Setting("accounts_url", th.StringType, in_payload=True, description="Own base URL for tokens."),
    Setting("api_url", th.StringType, in_payload=True, description="Own base URL for the API."),
    Setting("upload_url", th.StringType, in_payload=True, description="Own base URL for bulk write uploads."),
    Setting(
        "download_hosts",
        th.ArrayType(th.StringType),
        in_payload=False,
        description="Further hosts that a link to a job's result may lead to; Zoho's own are known.",
    ),
    Setting("module", th.StringType, in_payload=True, default=DEFAULT_MODULE, description="API name of the module."),
    Setting(
        "key_field",
        th.StringType,
        in_payload=True,
        default=DEFAULT_KEY_FIELD,
        description="API name of the unique field that holds the order's key.",
    ),
    Setting(
        "shares_module",
        th.BooleanType,
        in_payload=False,
        default=False,
        description="Whether other streams of this ledger may write to the module too; each of them must say so.",
    ),
    Setting(
        "fields",
        FIELDS,
        in_payload=True,
        description="Field API name by property, where the names do not match; or options by field API name "
        "(docs/mapping.md).",
    ),
    Setting(
        "lines",
        LINES,
        in_payload=True,
        description="How an order's lines are written (docs/whole-orders.md); if absent, they are not.",
    ),
    Setting(
        "streams",
        th.ObjectType(additional_properties=_STREAM),
        in_payload=True,
        description="Overrides by stream: module, key_field, fields, triggers, deletions, lines.",
    ),
    Setting(
        "ack_url",
        th.StringType,
        in_payload=False,
        secret=True,
        description="SQLAlchemy URL of the ledger's database; a local SQLite file if absent.",
    ),
    Setting("ack_schema", th.StringType, in_payload=False, description="Schema of the ledger's tables."),
    *sync_flags.PROPERTIES,
    Setting(
        "channel",
        th.StringType,
        in_payload=False,
        default=Channel.AUTO.value,
        allowed_values=[channel.value for channel in Channel],
        description="How records are written; `auto` takes what costs fewer credits.",
    ),
    Setting(
        "bulk_threshold",
        th.IntegerType(minimum=1),
        in_payload=False,
        description="Records from which a bulk write job is made, whatever it costs.",
    ),
    Setting(
        "bulk_rows",
        th.IntegerType(minimum=1, maximum=JOB_ROWS),
        in_payload=False,
        default=JOB_ROWS,
        description="Most rows in one bulk write job.",
    ),
    Setting(
        "child_rows",
        th.IntegerType(minimum=1, maximum=JOB_ROWS),
        in_payload=False,
        default=CHILD_ROWS,
        description="Most rows of a subform in a bulk write job, as Zoho limits them.",
    ),
    Setting(
        "child_rows_per",
        th.StringType,
        in_payload=False,
        default=ChildRowsPer.FILE.value,
        allowed_values=[each.value for each in ChildRowsPer],
        description="What `child_rows` is for: a `file`, each `parent` record, or a file in one `zip` with these.",
    ),
    Setting(
        "profile",
        th.StringType,
        in_payload=False,
        description="File of `orders-sync probe`, for `bulk_rows`, `child_rows` and `child_rows_per` where they have "
        "their defaults.",
    ),
    Setting(
        "max_connections",
        th.IntegerType(minimum=1, maximum=CALLS_AT_ONCE),
        in_payload=False,
        default=UPSERTS_AT_ONCE,
        description="Most API calls at once. Fewer go where Zoho refuses so many.",
    ),
    Setting(
        "max_jobs",
        th.IntegerType(minimum=1, maximum=50),
        in_payload=False,
        default=8,
        description="Most bulk write jobs that Zoho has at a time, of all runs of this ledger; each takes 1 MB here.",
    ),
    Setting(
        "job_wait_seconds",
        th.NumberType(minimum=0),
        in_payload=False,
        default=3600,
        description="How long a run waits for one job; a job that takes longer is left to the next run.",
    ),
    Setting(
        "callback_url",
        th.StringType,
        in_payload=False,
        secret=True,
        description="Where Zoho says that a job has ended: the public address of `orders-sync callback`, with a secret "
        "at the end of its path. Jobs are asked for more rarely then.",
    ),
    Setting(
        "credit_budget",
        th.IntegerType(minimum=1),
        in_payload=False,
        description="Most API credits that one run spends; what they do not suffice for is left to the next run.",
    ),
    Setting(
        "credit_reserve",
        th.IntegerType(minimum=0),
        in_payload=False,
        default=0,
        description="Credits of the org's day that are left to people and other programs.",
    ),
    Setting(
        "max_age_seconds",
        th.NumberType(minimum=0),
        in_payload=False,
        description="How long a record may wait for others, if the tap never ends: "
        f"{FOLLOWED_MAX_AGE_SECONDS} where ours follows. Another tap does not say so; see docs/running.md.",
    ),
    Setting(
        "max_attempts",
        th.IntegerType(minimum=1),
        in_payload=False,
        default=12,
        description="Tries of an order whose refusal passes by itself, before it is parked.",
    ),
    Setting(
        "on_rejection",
        th.StringType,
        in_payload=False,
        default=OnRejection.SKIP.value,
        allowed_values=[each.value for each in OnRejection],
        description="`skip` ends 0 with a warning, `fail` ends 1, `fail_fast` stops at the first.",
    ),
    Setting(
        "on_unmapped",
        th.StringType,
        in_payload=False,
        default=OnUnmapped.WARN.value,
        allowed_values=[each.value for each in OnUnmapped],
        description="What columns that no field takes do: `warn` names them, `fail` ends 2 before the first write.",
    ),
    Setting(
        "first_contact",
        th.StringType,
        in_payload=False,
        default=ContactMode.CAREFUL.value,
        allowed_values=[each.value for each in ContactMode],
        description="`careful` reads the first ten orders of a stream back, and stops where the CRM holds something "
        "else; docs/running.md.",
    ),
    Setting(
        "skip_unchanged",
        th.BooleanType,
        in_payload=False,
        default=False,
        description="Whether an order whose mapped columns hold what was last written is acknowledged without a call.",
    ),
    *write_settings.PROPERTIES,
    *delete_settings.PROPERTIES,
    Setting(
        "on_missing_key",
        th.StringType,
        in_payload=True,
        default="fail",
        allowed_values=["fail", "hash"],
        description="What to do with a stream that names no key: `hash` takes a hash of each record for its key, "
        "so a changed record is a new one in the CRM.",
    ),
    batch_file_reader.PROPERTY,
    *history_keeping.PROPERTIES,
    Setting(
        "timezone",
        th.StringType,
        in_payload=True,
        default="UTC",
        description="Zone of times that carry no offset, e.g. Europe/Berlin.",
    ),
    Setting(
        "validate",
        th.BooleanType,
        in_payload=True,
        default=True,
        description="Refuse before sending what the module's metadata rules out; false leaves that to Zoho.",
    ),
).to_dict()

WITHOUT_EFFECT = ("add_record_metadata", "load_method", "batch_size_rows", "validate_records")
"""Settings that the SDK would add, and that say nothing here: the ledger knows when a record was read, records are
always matched by key, batches follow credits, and each record is held to its schema. They are not offered; a config
that has them is taken as if it had not."""

OF_THE_SDK: Mapping[str, bool] = {
    **dict.fromkeys(WITHOUT_EFFECT, False),
    "batch_config": False,
    "stream_maps": True,
    "stream_map_config": True,
    "faker_config": True,
    "flattening_enabled": True,
    "flattening_max_depth": True,
    "flattening_max_key_length": True,
    "flattening_separator": True,
}
"""The settings that the SDK adds to ours, and whether they count for payload hashes: all that change records do."""

_COUNTED_ONCE = {"delete_batch_files": False, "load_method": "append-only", "validate_records": True}
"""Defaults of settings that no longer count. They stay in the hash, so that those of ledgers in use stay true."""


def payload_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config, all defaults filled in, that counts for payload hashes."""
    ours = {name: value for name, value in config.items() if OF_THE_SDK.get(name, True)}
    return {**counted(ours, CONFIG), **_COUNTED_ONCE}


def settings_mark(config: Mapping[str, Any]) -> str:
    """A fingerprint of a config, all defaults filled in, without secrets: 16 hexadecimal digits."""
    described = CONFIG["properties"]
    public = {name: value for name, value in config.items() if not described.get(name, {}).get("secret")}
    return hashlib.sha256(msgspec.json.encode(public, order="deterministic")).hexdigest()[:16]
