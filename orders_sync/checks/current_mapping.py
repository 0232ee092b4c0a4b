"""The mapping that a run which began now would write by: the settings', with the module's fields of now."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import click

from orders_sync.checks.crm_checks import open_client
from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import (
    TAP_PREFIX,
    TAP_VARIABLES,
    TARGET_PREFIX,
    TARGET_VARIABLES,
    ConfigFiles,
    of_environment,
    open_tap,
    open_target,
)
from orders_sync.config_sources.project import PluginName, surroundings
from sync_ledger.written_mappings import WrittenMapping
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.lines.line_mapping import OrgDirectories
from target_zoho_crm.mapping.user_directory import UserDirectory
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_compiler import CompiledStream
from target_zoho_crm.stream_mapping import stream_lines, stream_mapping, written_mapping


def compile_now(
    tap: TapLegacyOrders, settings: Settings, stream: StreamSettings, credits_: CreditMeter
) -> CompiledStream:
    """Compile the mapping of the tap's orders, and of their lines; asks the CRM for the modules' fields, and for taxes.

    Raises:
        ConfigurationError, ZohoError: the settings do not fit the CRM, or it cannot be asked.
    """
    entry = tap.catalog_dict["streams"][0]
    properties = entry["schema"]["properties"]
    if stream.lines is not None and stream.lines.property not in properties:
        stream = replace(stream, lines=None)
    with open_client(settings, credits_) as client:
        fields_of, users = cache(partial(ModuleFields.fetch, client)), UserDirectory(client).users
        org = OrgDirectories.of(client, users)
        mapping = stream_mapping(
            settings, stream, properties, entry["key_properties"], fields_of=fields_of, users=users
        )
        return CompiledStream(mapping, stream_lines(settings, stream, properties, (), fields_of=fields_of, org=org))


def mapped_now(files: ConfigFiles, stream: str) -> WrittenMapping | str:
    """What orders of a stream would be written to; or, in words, why that is not known here.

    Raises:
        ClickException: there are settings, and they or the CRM are not in order.
    """
    if not _has_settings(files):
        return "no settings of tap and target are here"
    try:
        unnamed = _unnamed(files)
        if unnamed:
            return f"the project has several pairs, and no {' and no '.join(unnamed)} says which one is meant"
        tap, settings = open_tap(files), Settings.read(open_target(files).config)
        if tap.stream_name != stream:
            return f"the settings here are those of stream {tap.stream_name}"
        return written_mapping(compile_now(tap, settings, settings.stream(stream), CreditMeter()).mapping, None)
    except EXPECTED as error:
        raise click.ClickException(error_message(error)) from error


def stream_of_named_tap(files: ConfigFiles) -> str | None:
    """The stream of the tap that the command line names.

    Raises:
        ClickException: its settings are not in order.
    """
    try:
        return None if files.tap is None else open_tap(files).stream_name
    except EXPECTED as error:
        raise click.ClickException(error_message(error)) from error


def _unnamed(files: ConfigFiles) -> list[str]:
    """The options that would say which plugins are meant, where the project has several."""
    project = surroundings().project
    if project is None:
        return []
    tap = files.tap if isinstance(files.tap, PluginName) else None
    several = (
        ("--tap", files.tap is None and len(project.taps()) > 1),
        ("--target", files.target is None and len(project.targets(None, tap)) > 1),
    )
    return [option for option, unclear in several if unclear]


def _has_settings(files: ConfigFiles) -> bool:
    project = surroundings().project
    if project is not None:
        return (files.tap is not None or project.has_taps) and (files.target is not None or project.has_targets)
    return (files.tap is not None or "sqlalchemy_url" in of_environment(TAP_PREFIX, TAP_VARIABLES)) and (
        files.target is not None or "refresh_token" in of_environment(TARGET_PREFIX, TARGET_VARIABLES)
    )
