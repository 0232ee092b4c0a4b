"""The settings of tap and target, from where these get them.

That is, for each: the config file that was named; else the Meltano project that the command stands in; else, where
there is none, the variables of the environment and of `.env`. A plugin's own variables (`TARGET_ZOHO_CRM_MODULE`) go
before the common ones below, as they do for the plugins themselves.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from singer_sdk.exceptions import ConfigValidationError

from orders_sync.config_sources.project import Plugin, PluginName, Project, surroundings
from sync_ledger.saved_plans import PlannedOrder
from tap_legacy_orders.planned_orders import PlannedOrdersTap
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.target import TargetZohoCRM

TAP, TAP_PREFIX = "tap-legacy-orders", "TAP_LEGACY_ORDERS_"
TARGET, TARGET_PREFIX = "target-zoho-crm", "TARGET_ZOHO_CRM_"
TAP_VARIABLES = {
    "sqlalchemy_url": "LEGACY_DATABASE_URL",
    "orders_table": "LEGACY_ORDERS_TABLE",
    "ack_url": "LEDGER_DATABASE_URL",
}
TARGET_VARIABLES = {
    "data_center": "ZOHO_DATA_CENTER",
    "client_id": "ZOHO_CLIENT_ID",
    "client_secret": "ZOHO_CLIENT_SECRET",
    "refresh_token": "ZOHO_REFRESH_TOKEN",
    "ack_url": "LEDGER_DATABASE_URL",
}
PLACES = ("data_center", "accounts_url", "api_url")
"""One of these says where Zoho's side is; else it would be the target's default, whoever's the credentials are."""


Named = Path | PluginName | None
"""What the command line names for the settings of a plugin: a config file, or a plugin of the project."""


@dataclass(frozen=True)
class ConfigFiles:
    """Where the settings of both plugins are."""

    tap: Named
    target: Named


@dataclass(frozen=True)
class Given:
    """What is set of one plugin's settings, before its own defaults; and where each stands."""

    config: Mapping[str, Any]
    origins: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    """The variable that would set a setting."""
    by_environment: bool = False
    """Whether the plugin reads its own variables too."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """What the variables of these hold, where it reads them."""


def open_tap(files: ConfigFiles) -> TapLegacyOrders:
    """The tap with its settings; connects to nothing.

    Raises:
        TapConfigError, ConfigurationError: a setting is missing or of no use.
    """
    return make_tap(given_to_tap(files))


def open_target(files: ConfigFiles) -> TargetZohoCRM:
    """The target with its settings; connects to nothing.

    Raises:
        ConfigValidationError, ConfigurationError: a setting is missing or of no use.
    """
    given = given_to_target(files)
    try:
        with own_signals():
            return TargetZohoCRM(config=dict(given.config), parse_env_config=given.by_environment)
    except ConfigValidationError as error:
        error.errors = [_with_variables(each, given.variables) for each in error.errors]
        raise


def target_with(config: Mapping[str, Any]) -> TargetZohoCRM:
    """The target with these settings and no others; connects to nothing.

    Raises:
        ConfigValidationError, ConfigurationError: a setting is missing or of no use.
    """
    with own_signals():
        return TargetZohoCRM(config=dict(config), parse_env_config=False)


def make_tap(given: Given) -> TapLegacyOrders:
    """The tap with these settings; connects to nothing.

    Raises:
        TapConfigError: a setting is missing or of no use.
    """
    with _setting_up(given) as options:
        return TapLegacyOrders(**options, setup_mapper=False)


def make_planned_tap(given: Given, orders: Mapping[str, PlannedOrder]) -> PlannedOrdersTap:
    """The tap with these settings for these orders alone; looks at their table.

    Raises:
        TapConfigError, TapSyncError: a setting is missing or of no use, or the database does not answer.
    """
    with _setting_up(given) as options:
        return PlannedOrdersTap(orders=orders, **options)


@contextmanager
def _setting_up(given: Given) -> Iterator[dict[str, Any]]:
    try:
        with own_signals():
            yield {"config": dict(given.config), "parse_env_config": given.by_environment}
    except TapConfigError as error:
        raise TapConfigError(_with_variables(str(error), given.variables)) from error


def given_to_tap(files: ConfigFiles) -> Given:
    """What is set of the tap's settings.

    Raises:
        ConfigurationError: nothing is, or it is not clear which tap is meant.
    """
    return _given(files.tap, TAP, TAP_PREFIX, TAP_VARIABLES, lambda project, named: project.tap(named))


def given_to_taps(files: ConfigFiles) -> list[Given]:
    """What is set of the settings of each tap that may be meant: a project can have several.

    Raises:
        ConfigurationError: nothing is set.
    """
    project = None if isinstance(files.tap, Path) else surroundings().project
    if project is None:
        return [given_to_tap(files)]
    return [_of_plugin(each) for each in project.taps(files.tap if isinstance(files.tap, PluginName) else None)]


def given_to_target(files: ConfigFiles) -> Given:
    """What is set of the target's settings.

    Raises:
        ConfigurationError: nothing is, or it is not clear which target is meant; or credentials are, and not whose.
    """
    tap = files.tap if isinstance(files.tap, PluginName) else None

    def chosen(project: Project, named: str | None) -> Plugin:
        return _with_its_place(project.target(named, tap), project)

    given = _given(files.target, TARGET, TARGET_PREFIX, TARGET_VARIABLES, chosen)
    if given.by_environment:
        _check_place(given)
    return given


def _given(
    named: Named,
    plugin: str,
    prefix: str,
    variables: Mapping[str, str],
    of_project: Callable[[Project, str | None], Plugin],
) -> Given:
    if isinstance(named, Path):
        config = read_config_file(named)
        return _noted(Given(config, dict.fromkeys(config, str(named))))
    project = surroundings().project
    if project is not None:
        return _of_plugin(of_project(project, named))
    if named is not None:
        raise ConfigurationError(
            OwnCode.NO_SETTINGS, f"{named} is to be a plugin of a Meltano project, and there is none here."
        )
    origins = of_environment(prefix, variables)
    if not origins:
        names = ", ".join(variables.values())
        raise ConfigurationError(
            OwnCode.NO_SETTINGS,
            f"there are no settings for {plugin}: set {names} in the environment or in .env, or give a config file",
        )
    config = {name: os.environ[variable] for name, variable in origins.items() if variable == variables.get(name)}
    texts = {name: os.environ[variable] for name, variable in origins.items()}
    found = {name: f"variable {each}" for name, each in origins.items()}
    return _noted(Given(config, found, variables, by_environment=True, texts=texts))


def of_environment(prefix: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The variable that sets each setting: of a plugin's own and of the common ones, the former first."""
    own = {each.removeprefix(prefix).lower(): each for each in os.environ if each.startswith(prefix)}
    return {name: each for name, each in {**variables, **own}.items() if os.environ.get(each)}


def read_config_file(file: Path) -> dict[str, Any]:
    """The settings in a config file.

    Raises:
        ConfigurationError: it cannot be read, or is no JSON object.
    """
    try:
        config = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(OwnCode.NO_SETTINGS, f"{file} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(OwnCode.NO_SETTINGS, f"{file} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise ConfigurationError(OwnCode.NO_SETTINGS, f"{file} holds no JSON object")
    return config


def _of_plugin(plugin: Plugin) -> Given:
    """As Meltano would start it.

    Raises:
        ConfigurationError: Meltano would not.
    """
    if plugin.error is not None:
        raise ConfigurationError(OwnCode.NO_SETTINGS, f"{plugin.name}: {plugin.error}")
    origins = {name: str(each) for name, each in plugin.settings.items() if not each.is_default}
    return _noted(Given(plugin.config, origins, {name: each.own_variable for name, each in plugin.settings.items()}))


def _noted(given: Given) -> Given:
    surroundings().note(given.origins)
    return given


def _with_its_place(plugin: Plugin, project: Project) -> Plugin:
    """Refuse credentials whose place stands only in environments of the project that are not active."""
    settings = plugin.settings
    placed = any(name in settings and not settings[name].is_default for name in PLACES)
    if project.environment is None and plugin.environments and plugin.config.get("client_secret") and not placed:
        names = ", ".join(plugin.environments)
        raise ConfigurationError(
            OwnCode.NO_SETTINGS,
            f"{plugin.name} has credentials, no environment of the project is active, and nothing says where Zoho's "
            f"side is; the environments {names} have settings for it.",
            remedy="Choose one: `meltano --environment=NAME invoke orders-sync ...`, `orders-sync --environment NAME "
            "...`, or MELTANO_ENVIRONMENT.",
        )
    return plugin


def _check_place(given: Given) -> None:
    """Refuse credentials of the environment that would go to a data centre that nobody named."""
    if "client_secret" in given.origins and not any(name in given.origins for name in PLACES):
        raise ConfigurationError(
            OwnCode.NO_SETTINGS,
            f"the environment has credentials ({given.origins['client_secret']}), and nothing says where Zoho's side "
            "is.",
            remedy=f"Set {TARGET_VARIABLES['data_center']}, e.g. to eu; or give the target's config file; or start the "
            "command in the folder of the Meltano project.",
        )


def _with_variables(message: str, variables: Mapping[str, str]) -> str:
    """Add to each setting that is missing the variable that sets it, where one does."""
    for name, variable in variables.items():
        missing = f"'{name}' is a required property"
        message = message.replace(missing, f"{missing}: set {variable}")
    return message


@contextmanager
def own_signals() -> Iterator[None]:
    """Give the signals back: singer-sdk's plugins take them over in the main thread, to end a run between two lines."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
