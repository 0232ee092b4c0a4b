"""The target's settings as a JSON schema: what Singer and Meltano are told, and what a config is checked against.

A theme that has settings of its own keeps their properties beside the code that reads them.
"""

from __future__ import annotations

from singer_sdk import typing as th

from target_zoho_crm import batch_file_reader, write_settings
from target_zoho_crm.api.data_centers import DATA_CENTERS, ENVIRONMENTS
from target_zoho_crm.api.limits import UPSERTS_AT_ONCE
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation import sync_flags
from target_zoho_crm.lines.line_settings import LINES
from target_zoho_crm.mapping.field_settings import FIELDS
from target_zoho_crm.stream_policy import OnRejection
from target_zoho_crm.writing import delete_settings

BULK_ROWS_MOST = 25_000
"""Zoho's limit for the rows of one CSV."""

DEFAULT_MODULE = "Orders"
DEFAULT_KEY_FIELD = "parent_id"

_STREAM = th.ObjectType(
    th.Property("module", th.StringType, description="API name of the stream's module."),
    th.Property("key_field", th.StringType, description="API name of the stream's unique key field."),
    th.Property("fields", FIELDS, description="As `fields`."),
    *write_settings.STREAM_PROPERTIES,
    th.Property("lines", LINES, description="As `lines`."),
    *delete_settings.STREAM_PROPERTIES,
)

CONFIG = th.PropertiesList(
    th.Property("client_id", th.StringType, required=True, secret=True, description="OAuth client id."),
    th.Property("client_secret", th.StringType, required=True, secret=True, description="OAuth client secret."),
    th.Property("refresh_token", th.StringType, required=True, secret=True, description="OAuth refresh token."),
    th.Property(
        "data_center",
        th.StringType,
        default="us",
        allowed_values=list(DATA_CENTERS),
        description="Zoho data centre where the org lives.",
    ),
    th.Property(
        "environment",
        th.StringType,
        default="production",
        allowed_values=list(ENVIRONMENTS),
        description="Org environment.",
    ),
    th.Property("accounts_url", th.StringType, description="Own base URL for tokens."),
    th.Property("api_url", th.StringType, description="Own base URL for the API."),
    th.Property("upload_url", th.StringType, description="Own base URL for bulk write uploads."),
    th.Property("module", th.StringType, default=DEFAULT_MODULE, description="API name of the module."),
    th.Property(
        "key_field",
        th.StringType,
        default=DEFAULT_KEY_FIELD,
        description="API name of the unique field that holds the order's key.",
    ),
    th.Property(
        "fields",
        FIELDS,
        description="Field API name by property, where the names do not tell; or options by field API name "
        "(docs/mapping.md).",
    ),
    th.Property(
        "lines",
        LINES,
        description="How an order's lines are written (docs/lines.md); if absent, they are not.",
    ),
    th.Property(
        "streams",
        th.ObjectType(additional_properties=_STREAM),
        description="Overrides by stream: module, key_field, fields, triggers, deletions, lines.",
    ),
    th.Property(
        "ack_url",
        th.StringType,
        secret=True,
        description="SQLAlchemy URL of the ledger's database; a local SQLite file if absent.",
    ),
    th.Property("ack_schema", th.StringType, description="Schema of the ledger's tables."),
    *sync_flags.PROPERTIES,
    th.Property(
        "channel",
        th.StringType,
        default=Channel.AUTO.value,
        allowed_values=[channel.value for channel in Channel],
        description="How records are written; `auto` takes what costs fewer credits.",
    ),
    th.Property(
        "bulk_threshold",
        th.IntegerType(minimum=1),
        description="Records from which a bulk write job is made, whatever it costs.",
    ),
    th.Property(
        "bulk_rows",
        th.IntegerType(minimum=1, maximum=BULK_ROWS_MOST),
        default=BULK_ROWS_MOST,
        description="Most rows in one bulk write job.",
    ),
    th.Property(
        "max_connections",
        th.IntegerType(minimum=1, maximum=25),
        default=UPSERTS_AT_ONCE,
        description="Most API calls at once. Fewer go where Zoho refuses so many.",
    ),
    th.Property(
        "max_jobs",
        th.IntegerType(minimum=1, maximum=50),
        default=8,
        description="Most bulk write jobs that Zoho has at a time; each takes less than a megabyte of memory here.",
    ),
    th.Property(
        "job_wait_seconds",
        th.NumberType(minimum=0),
        default=3600,
        description="How long a run waits for one job; a job that takes longer is left to the next run.",
    ),
    th.Property(
        "callback_url",
        th.StringType,
        secret=True,
        description="Where Zoho says that a job has ended: the public address of `orders-sync callback`, with a secret "
        "at the end of its path. Jobs are asked for more rarely then.",
    ),
    th.Property(
        "credit_budget",
        th.IntegerType(minimum=1),
        description="Most API credits that one run spends; what they do not suffice for is left to the next run.",
    ),
    th.Property(
        "credit_reserve",
        th.IntegerType(minimum=0),
        default=0,
        description="Credits of the org's day that are left to people and other programs.",
    ),
    th.Property(
        "max_age_seconds",
        th.NumberType(minimum=0),
        description="How long a record may wait for others, if the tap never ends (`follow`); see docs/operating.md.",
    ),
    th.Property(
        "max_attempts",
        th.IntegerType(minimum=1),
        default=12,
        description="Tries of an order whose refusal passes by itself, before it is parked.",
    ),
    th.Property(
        "on_rejection",
        th.StringType,
        default=OnRejection.SKIP.value,
        allowed_values=[each.value for each in OnRejection],
        description="`skip` ends 0 with a warning, `fail` ends 1, `fail_fast` stops at the first.",
    ),
    th.Property(
        "skip_unchanged",
        th.BooleanType,
        default=False,
        description="Whether an order whose mapped columns hold what was last written is acknowledged without a call.",
    ),
    *write_settings.PROPERTIES,
    *delete_settings.PROPERTIES,
    th.Property(
        "on_missing_key",
        th.StringType,
        default="fail",
        allowed_values=["fail", "hash"],
        description="What to do with a stream that names no key: `hash` takes a hash of each record for its key, "
        "so a changed record is a new one in the CRM.",
    ),
    batch_file_reader.PROPERTY,
    th.Property(
        "timezone", th.StringType, default="UTC", description="Zone of times that carry no offset, e.g. Europe/Berlin."
    ),
    th.Property(
        "validate",
        th.BooleanType,
        default=True,
        description="Refuse before sending what the module's metadata rules out; false leaves that to Zoho.",
    ),
).to_dict()
