"""The target's settings: their schema for Singer, and their values as types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from singer_sdk import typing as th

from target_zoho_crm.auth import Credentials
from target_zoho_crm.data_centers import DATA_CENTERS, ENVIRONMENTS, Endpoints, endpoints
from target_zoho_crm.destination import OnRejection
from target_zoho_crm.errors import ConfigurationError
from target_zoho_crm.limits import UPSERTS_AT_ONCE
from target_zoho_crm.routing import Channel

BULK_ROWS_MOST = 25_000
"""Zoho's limit for the rows of one CSV."""

DEFAULT_MODULE = "Orders"
DEFAULT_KEY_FIELD = "parent_id"
TRIGGERS = ("workflow", "approval", "blueprint", "pathfinder", "orchestration")

_STREAM = th.ObjectType(
    th.Property("module", th.StringType, description="API name of the stream's module."),
    th.Property("key_field", th.StringType, description="API name of the stream's unique key field."),
    th.Property("fields", th.ObjectType(additional_properties=th.StringType), description="As `fields`."),
    th.Property("trigger", th.ArrayType(th.StringType), description="As `trigger`."),
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
        th.ObjectType(additional_properties=th.StringType),
        description="Field API name by property, where the names do not tell.",
    ),
    th.Property(
        "streams",
        th.ObjectType(additional_properties=_STREAM),
        description="Overrides by stream: module, key_field, fields, trigger.",
    ),
    th.Property(
        "ack_url",
        th.StringType,
        secret=True,
        description="SQLAlchemy URL of the ledger's database; a local SQLite file if absent.",
    ),
    th.Property("ack_schema", th.StringType, description="Schema of the ledger's tables."),
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
        description="Most API calls at once.",
    ),
    th.Property(
        "max_jobs",
        th.IntegerType(minimum=1, maximum=50),
        default=2,
        description="Most bulk write jobs in flight; each takes some megabytes of memory.",
    ),
    th.Property(
        "job_wait_seconds",
        th.NumberType(minimum=0),
        default=3600,
        description="How long a run waits for one job; a job that takes longer is left to the next run.",
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
        "trigger",
        th.ArrayType(th.StringType(allowed_values=list(TRIGGERS))),
        description="Automations that upserts run: absent all, `[]` none.",
    ),
    th.Property(
        "on_missing_key",
        th.StringType,
        default="fail",
        allowed_values=["fail", "hash"],
        description="What to do with a stream that names no key: `hash` takes a hash of each record for its key, "
        "so a changed record is a new one in the CRM.",
    ),
    th.Property(
        "timezone", th.StringType, default="UTC", description="Zone of times that carry no offset, e.g. Europe/Berlin."
    ),
).to_dict()


@dataclass(frozen=True)
class StreamSettings:
    """One stream's own settings over the common ones."""

    module: str
    key_field: str
    fields: Mapping[str, str]
    trigger: Sequence[str] | None


@dataclass(frozen=True)
class Settings:
    """The settings as types; made from a validated config."""

    credentials: Credentials
    endpoints: Endpoints
    ack_url: str | None
    ack_schema: str | None
    channel: Channel
    bulk_threshold: int | None
    bulk_rows: int
    max_connections: int
    max_jobs: int
    job_wait_seconds: float
    max_attempts: int
    on_rejection: OnRejection
    keys_by_hash: bool
    timezone: tzinfo
    config: Mapping[str, Any]

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Settings:
        """Turn a config into types.

        Raises:
            ConfigurationError: a value that the schema allows and that still is of no use.
        """
        urls = {name: config.get(name) for name in ("accounts_url", "api_url", "upload_url")}
        return cls(
            credentials=Credentials(config["client_id"], config["client_secret"], config["refresh_token"]),
            endpoints=endpoints(config["data_center"], config["environment"], urls),
            ack_url=config.get("ack_url"),
            ack_schema=config.get("ack_schema"),
            channel=Channel(config["channel"]),
            bulk_threshold=config.get("bulk_threshold"),
            bulk_rows=config["bulk_rows"],
            max_connections=config["max_connections"],
            max_jobs=config["max_jobs"],
            job_wait_seconds=float(config["job_wait_seconds"]),
            max_attempts=config["max_attempts"],
            on_rejection=OnRejection(config["on_rejection"]),
            keys_by_hash=config["on_missing_key"] == "hash",
            timezone=_zone(config["timezone"]),
            config=config,
        )

    def stream(self, name: str) -> StreamSettings:
        """The settings of one stream."""
        own: Mapping[str, Any] = (self.config.get("streams") or {}).get(name, {})

        def setting(option: str) -> Any:
            return own[option] if own.get(option) is not None else self.config.get(option)

        return StreamSettings(
            module=setting("module"),
            key_field=setting("key_field"),
            fields=setting("fields") or {},
            trigger=setting("trigger"),
        )


def default_ledger_url() -> str:
    """Where the ledger lies when no `ack_url` is given: a file of this user's."""
    folder = Path(platformdirs.user_data_dir("target-zoho-crm"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'ledger.sqlite'}"


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError("INVALID_TIMEZONE", f"timezone {name!r} is not known; e.g. Europe/Berlin") from error
