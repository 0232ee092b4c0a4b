"""The settings of tap and target, from where these get them: a `--config` file each, or the environment.

The variables are those that `meltano.yml` names in its environment `prod`; a plugin's own (`TARGET_ZOHO_CRM_MODULE`)
go before them, as they do for Meltano and for the plugins themselves.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from singer_sdk.exceptions import ConfigValidationError

from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.target import TargetZohoCRM

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


@dataclass(frozen=True)
class ConfigFiles:
    """The files that were named on the command line."""

    tap: Path | None
    target: Path | None


def open_tap(files: ConfigFiles) -> TapLegacyOrders:
    """The tap with its settings; connects to nothing.

    Raises:
        TapConfigError, ConfigurationError: a setting is missing or of no use.
    """
    config = _config("tap-legacy-orders", "TAP_LEGACY_ORDERS_", files.tap, TAP_VARIABLES)
    try:
        with _own_signals():
            return TapLegacyOrders(config=config, parse_env_config=files.tap is None, setup_mapper=False)
    except TapConfigError as error:
        raise TapConfigError(_with_variables(str(error), TAP_VARIABLES, files.tap)) from error


def open_target(files: ConfigFiles) -> TargetZohoCRM:
    """The target with its settings; connects to nothing.

    Raises:
        ConfigValidationError, ConfigurationError: a setting is missing or of no use.
    """
    config = _config("target-zoho-crm", "TARGET_ZOHO_CRM_", files.target, TARGET_VARIABLES)
    try:
        with _own_signals():
            return TargetZohoCRM(config=config, parse_env_config=files.target is None)
    except ConfigValidationError as error:
        error.errors = [_with_variables(each, TARGET_VARIABLES, files.target) for each in error.errors]
        raise


def _with_variables(message: str, variables: Mapping[str, str], file: Path | None) -> str:
    """Add to each setting that is missing the variable that sets it, where no file does."""
    if file is None:
        for name, variable in variables.items():
            missing = f"'{name}' is a required property"
            message = message.replace(missing, f"{missing}: set {variable}")
    return message


def _config(plugin: str, prefix: str, file: Path | None, variables: Mapping[str, str]) -> dict[str, Any]:
    if file is None:
        given = {name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)}
        if not given and not any(name.startswith(prefix) for name in os.environ):
            names = ", ".join(variables.values())
            raise ConfigurationError(
                OwnCode.NO_SETTINGS,
                f"there are no settings for {plugin}: set {names} in the environment or in .env, or give a config file",
            )
        return given
    try:
        config = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(OwnCode.NO_SETTINGS, f"{file} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(OwnCode.NO_SETTINGS, f"{file} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise ConfigurationError(OwnCode.NO_SETTINGS, f"{file} holds no JSON object")
    return config


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep Ctrl-C as it is: singer-sdk's plugins take the signals over, to end a run between two lines."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
