"""What `doctor --settings` displays: each setting of tap and target, and where it was found; no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.console import Console
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import TAP, TARGET, ConfigFiles, Given, given_to_tap, given_to_target
from orders_sync.config_sources.project import surroundings
from orders_sync.output import line, new_table, row
from sync_databases.engines import find_engine
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.target import TargetZohoCRM

HIDDEN = "*****"
DEFAULT = "default"
_KINDS: tuple[tuple[str, Any, Callable[[ConfigFiles], Given]], ...] = (
    (TAP, TapLegacyOrders.config_jsonschema, given_to_tap),
    (TARGET, TargetZohoCRM.config_jsonschema, given_to_target),
)


@dataclass(frozen=True)
class FoundSetting:
    """One setting; `found` says where, and is `default` where nobody has set it."""

    plugin: str
    name: str
    value: str
    found: str


@dataclass(frozen=True)
class FoundSettings:
    """Those of both plugins; `missing` holds, by plugin, why its settings are not known."""

    place: str
    settings: list[FoundSetting]
    missing: dict[str, str]


def find_settings(files: ConfigFiles) -> FoundSettings:
    """Find the settings of both plugins, and connect to nothing."""
    settings: list[FoundSetting] = []
    missing: dict[str, str] = {}
    for plugin, schema, given_to in _KINDS:
        try:
            given = given_to(files)
        except EXPECTED as error:
            missing[plugin] = error_message(error)
        else:
            settings += sorted(_settings(plugin, schema, given), key=lambda each: (each.found == DEFAULT, each.name))
    return FoundSettings(_place(), settings, missing)


def _place() -> str:
    try:
        project = surroundings().project
    except EXPECTED:  # which is among the missing already
        project = None
    if project is None:
        return "no Meltano project with a plugin of ours"
    return f"the Meltano project at {project.root}, environment {project.environment or 'none'}"


def _settings(plugin: str, schema: Any, given: Given) -> Iterator[FoundSetting]:
    for name, each in schema["properties"].items():
        value = given.texts.get(name, given.config.get(name, each.get("default")))
        if value is not None:
            shown = _shown(value, secret=bool(each.get("secret")))
            yield FoundSetting(plugin, name, shown, given.origins.get(name, DEFAULT))


def _shown(value: Any, *, secret: bool) -> str:
    if not secret:
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    try:
        url = make_url(str(value))
    except (ArgumentError, ValueError):
        return HIDDEN
    known = find_engine(url.get_backend_name()) is not None  # an https address has its secret in its path
    return url.render_as_string(hide_password=True) if known else HIDDEN


def display_settings(console: Console, found: FoundSettings) -> None:
    """Print them for a person."""
    line(console, f"Settings: {found.place}")
    for plugin, _, _ in _KINDS:
        if plugin in found.missing:
            line(console, f"{plugin}: {found.missing[plugin]}", style="red")
            continue
        table = new_table(plugin, "Value", "From")
        for each in found.settings:
            if each.plugin == plugin:
                row(table, each.name, each.value, each.found)
        console.print(table)
