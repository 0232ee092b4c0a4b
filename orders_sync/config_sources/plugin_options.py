"""The options of commands that read the settings of tap and target, and ask the orders' table."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orders_sync.config_sources.project import PluginName

FILE = click.Path(dir_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
if TYPE_CHECKING:
    _ParamType = click.ParamType[timedelta]
else:
    _ParamType = click.ParamType  # generic in its stubs only before click 8.2


class TimeOption(click.ParamType[datetime]):
    """A time of ISO 8601, in UTC unless it says its own offset; becomes naive UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it, or say what a time looks like."""
        try:
            time = datetime.fromisoformat(str(value))
            return time.astimezone(timezone.utc).replace(tzinfo=None) if time.tzinfo else time
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time such as 2026-01-31 or 2026-01-31T08:00:00+01:00", param, ctx)


class Age(_ParamType):
    """A length of time such as 90s, 15m, 2h or 1d."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a number and a unit."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d+)([smhd])", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no age; expected e.g. 90s, 15m, 2h or 1d", param, ctx)
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


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
