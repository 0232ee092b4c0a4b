"""The target's settings as types; their schema stands in `config_schema.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs

from sync_processes.private_folders import private_folder
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.data_centers import Endpoints, endpoints
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.batch import Channel
from target_zoho_crm.config_schema import CONFIG, FOLLOWED_MAX_AGE_SECONDS
from target_zoho_crm.history_keeping import HistorySettings
from target_zoho_crm.lines.line_settings import LinesSettings, read_lines
from target_zoho_crm.mapping.field_settings import FieldSettings, read_fields
from target_zoho_crm.mapping.value_tables import with_value_tables
from target_zoho_crm.org_profile import OrgProfile, read_profile
from target_zoho_crm.stream_policy import ContactMode, OnRejection, OnUnmapped
from target_zoho_crm.write_settings import WriteSettings
from target_zoho_crm.writing.delete_settings import DeleteSettings
from target_zoho_crm.writing.routing import ChildRows, ChildRowsPer


@dataclass(frozen=True)
class StreamSettings:
    """One stream's own settings over the common ones."""

    module: str
    key_field: str
    shares_module: bool
    fields: Mapping[str, FieldSettings]
    writes: WriteSettings
    lines: LinesSettings | None
    deletes: DeleteSettings


@dataclass(frozen=True)
class Settings:
    """The settings as types; made from a validated config."""

    credentials: Credentials
    endpoints: Endpoints
    ack_url: str | None
    ack_schema: str | None
    sync_flag_column: str | None
    orders_url: str | None
    channel: Channel
    bulk_threshold: int | None
    bulk_rows: int
    child_rows: ChildRows
    taxes_in_cells: bool
    """Whether a CSV holds the taxes of line items, by their names; only a profile knows."""
    max_connections: int
    max_jobs: int
    job_wait_seconds: float
    callback_url: str | None
    credit_budget: int | None
    credit_reserve: int
    max_age_seconds: float | None
    """How long a record may wait for others to go with; None: until a batch is full, or the input ends."""
    max_attempts: int
    on_rejection: OnRejection
    on_unmapped: OnUnmapped
    first_contact: ContactMode
    skip_unchanged: bool
    keys_by_hash: bool
    timezone: tzinfo
    validate: bool
    history: HistorySettings
    config: Mapping[str, Any]

    @classmethod
    def read(cls, config: Mapping[str, Any], *, follows: bool = False) -> Settings:
        """Turn a config into types; `follows`: the tap goes on after the last order.

        Raises:
            ConfigurationError: a value that the schema allows and that still is of no use.
        """
        profile = profile_of(config)
        config = with_profile(with_value_tables(config), profile)
        urls = {name: config.get(name) for name in ("accounts_url", "api_url", "upload_url")}
        return cls(
            credentials=Credentials(config["client_id"], config["client_secret"], config["refresh_token"]),
            endpoints=endpoints(config["data_center"], config["environment"], urls, config.get("download_hosts") or ()),
            ack_url=config.get("ack_url"),
            ack_schema=config.get("ack_schema"),
            sync_flag_column=config.get("sync_flag_column"),
            orders_url=config.get("orders_url"),
            channel=Channel(config["channel"]),
            bulk_threshold=config.get("bulk_threshold"),
            bulk_rows=config["bulk_rows"],
            child_rows=ChildRows(config["child_rows"], ChildRowsPer(config["child_rows_per"])),
            taxes_in_cells=profile.positions.get("line_tax_cells") == "names",
            max_connections=config["max_connections"],
            max_jobs=config["max_jobs"],
            job_wait_seconds=float(config["job_wait_seconds"]),
            callback_url=config.get("callback_url"),
            credit_budget=config.get("credit_budget"),
            credit_reserve=config["credit_reserve"],
            max_age_seconds=_max_age(config.get("max_age_seconds"), follows=follows),
            max_attempts=config["max_attempts"],
            on_rejection=OnRejection(config["on_rejection"]),
            on_unmapped=OnUnmapped(config["on_unmapped"]),
            first_contact=ContactMode(config["first_contact"]),
            skip_unchanged=config["skip_unchanged"],
            keys_by_hash=config["on_missing_key"] == "hash",
            timezone=_zone(config["timezone"]),
            validate=config["validate"],
            history=HistorySettings.read(config),
            config=config,
        )

    @property
    def continuous(self) -> bool:
        """Whether the run is to last: what fails in passing is tried until it works, as no next run would do it."""
        return self.max_age_seconds is not None

    @property
    def flags_url(self) -> str:
        """Where the orders' table lies whose flags are set: in the ledger's database, unless said otherwise."""
        return self.orders_url or self.ack_url or ""

    def stream(self, name: str) -> StreamSettings:
        """The settings of one stream."""
        own: Mapping[str, Any] = (self.config.get("streams") or {}).get(name, {})

        def setting(option: str) -> Any:
            return own[option] if own.get(option) is not None else self.config.get(option)

        return StreamSettings(
            module=setting("module"),
            key_field=setting("key_field"),
            shares_module=bool(setting("shares_module")),
            fields=read_fields(setting("fields") or {}),
            writes=WriteSettings.read(setting),
            lines=read_lines(setting("lines")),
            deletes=DeleteSettings.read(setting),
        )


_OF_PROFILE = {"bulk_rows": "max_rows", "child_rows": "child_rows", "child_rows_per": "child_rows_per"}
"""The settings that a profile knows better than their defaults, and the questions that it has them from."""


def profile_of(config: Mapping[str, Any]) -> OrgProfile:
    """The profile that the config names; an empty one where it names none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    return read_profile(Path(config["profile"])) if config.get("profile") else OrgProfile()


def with_profile(config: Mapping[str, Any], profile: OrgProfile) -> Mapping[str, Any]:
    """The config with what the profile that it names has found, where it says nothing but the default.

    Raises:
        ConfigurationError: the profile cannot be used.
    """
    described = CONFIG["properties"]
    found = {name: profile.positions[of] for name, of in _OF_PROFILE.items() if of in profile.positions}
    left = {name: value for name, value in found.items() if config[name] == described[name].get("default")}
    for name, value in left.items():
        if not _fits(described[name], value):
            raise configuration_error(OwnCode.BAD_PROFILE, f"{config['profile']}: {value!r} is nothing for `{name}`.")
    return {**config, **left}


def _fits(described: Mapping[str, Any], value: Any) -> bool:
    if "enum" in described:
        return value in described["enum"]
    return type(value) is int and described["minimum"] <= value <= described["maximum"]


def default_ledger_url() -> str:
    """Where the ledger lies when no `ack_url` is given: a file of this user's."""
    folder = private_folder(Path(platformdirs.user_data_dir("target-zoho-crm")))
    return f"sqlite:///{folder / 'ledger.sqlite'}"


def _max_age(seconds: float | None, *, follows: bool) -> float | None:
    if seconds is None:
        return FOLLOWED_MAX_AGE_SECONDS if follows else None
    return float(seconds)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise configuration_error(OwnCode.INVALID_TIMEZONE, f"`timezone` {name!r} is not known.") from error
