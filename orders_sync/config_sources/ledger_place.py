"""Where the ledger lies by the settings of the plugins: the target's, or the tap's where the target names none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from orders_sync.config_sources.configs import (
    TAP_PREFIX,
    TAP_VARIABLES,
    TARGET_PREFIX,
    TARGET_VARIABLES,
    ConfigFiles,
    of_environment,
    read_config_file,
)
from orders_sync.config_sources.database_urls import display_url, place_of
from orders_sync.config_sources.project import Plugin, Project, surroundings
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import ConfigurationError


class LedgerPlace(NamedTuple):
    """The ledger's database, None for the target's local file; and the schema of its tables."""

    url: str | None
    schema: str | None


def ledger_place(named: ConfigFiles) -> LedgerPlace:
    """Find the ledger.

    Raises:
        ConfigurationError: the settings name several, or cannot be read.
    """
    if isinstance(named.tap, Path) or isinstance(named.target, Path):
        target = read_config_file(named.target) if isinstance(named.target, Path) else {}
        tap = read_config_file(named.tap) if isinstance(named.tap, Path) else {}
        return _of_target(target) or _of_tap(tap) or LedgerPlace(None, None)
    project = surroundings().project
    if project is not None:
        return _of_project(project, named.tap, named.target)
    if named.tap is not None or named.target is not None:
        _refuse("--tap and --target name plugins of a Meltano project, and there is none here.")
    target, tap = _values(TARGET_PREFIX, TARGET_VARIABLES), _values(TAP_PREFIX, TAP_VARIABLES)
    return _of_target(target) or _of_tap(tap) or LedgerPlace(None, None)


def _of_target(config: Mapping[str, Any]) -> LedgerPlace | None:
    return LedgerPlace(config["ack_url"], config.get("ack_schema")) if config.get("ack_url") else None


def _of_tap(config: Mapping[str, Any]) -> LedgerPlace | None:
    url = config.get("ack_url") or config.get("sqlalchemy_url")
    return LedgerPlace(url, config.get("ack_schema")) if url else None


def _values(prefix: str, variables: Mapping[str, str]) -> dict[str, Any]:
    return {name: os.environ[variable] for name, variable in of_environment(prefix, variables).items()}


def _of_project(project: Project, tap: str | None, target: str | None) -> LedgerPlace:
    """The one ledger of the targets that may be meant, else of the taps."""
    kinds: tuple[tuple[str, Callable[[], list[Plugin]], Callable[[Mapping[str, Any]], LedgerPlace | None]], ...] = (
        ("target", lambda: project.targets(target, tap) if project.has_targets else [], _of_target),
        ("tap", lambda: project.taps(tap) if project.has_taps else [], _of_tap),
    )
    for kind, plugins, place in kinds:
        found: dict[object, LedgerPlace] = {}
        for plugin in plugins():
            if plugin.error is not None:
                _refuse(f"{plugin.name}: {plugin.error}")
            each = place(plugin.config)
            if each is not None:
                found.setdefault(place_of(*each), each)
        if len(found) > 1:
            ledgers = "; ".join(display_url(*each) for each in found.values())
            _refuse(f"the {kind}s of the project have several ledgers: {ledgers}.", f"Name one {kind} by --{kind}.")
        if found:
            return next(iter(found.values()))
    return LedgerPlace(None, None)


def _refuse(happened: str, remedy: str = "") -> NoReturn:
    raise ConfigurationError(OwnCode.NO_SETTINGS, happened, remedy=remedy)
