"""The options of commands that read the settings of tap and target, and ask the orders' table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orders_sync.health import Age
from orders_sync.project import PluginName

FILE = click.Path(dir_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])


def tap_config_option(command: _Command) -> _Command:
    """Add the options for the tap's settings; the command gets one value, `tap_config`."""
    return _config_options(command, "tap")


def target_config_option(command: _Command) -> _Command:
    """Add the options for the target's settings; the command gets one value, `target_config`."""
    return _config_options(command, "target")


def _config_options(command: _Command, plugin: str) -> _Command:
    """A config file, or the name of a plugin of the project: `ConfigFiles` takes either."""

    @functools.wraps(command)
    def with_one_value(**options: Any) -> Any:
        file, name = options.pop(f"{plugin}_config"), options.pop(plugin)
        if file is not None and name is not None:
            raise click.UsageError(f"--{plugin}-config and --{plugin} exclude each other")
        options[f"{plugin}_config"] = PluginName(name) if name is not None else file
        return command(**options)

    named = click.option(
        f"--{plugin}", metavar="NAME", help=f"The {plugin} that is meant, where the Meltano project has several."
    )
    by_file = click.option(
        f"--{plugin}-config", type=FILE, help=f"The {plugin}'s config file (JSON); else the project, or variables."
    )
    return by_file(named(with_one_value))  # type: ignore[return-value]


def within_option(default: str) -> Callable[[_Command], _Command]:
    """Add the option for how long the orders' table may take to answer."""
    return click.option(
        "--within",
        type=Age(),
        default=default,
        show_default=True,
        help="How long counting in the orders' table may take.",
    )
