"""The options of commands that read the settings of tap and target, and ask the orders' table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orders_sync.health import Age

_FILE = click.Path(dir_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])

tap_config_option = click.option("--tap-config", type=_FILE, help="The tap's config file (JSON); else the environment.")
target_config_option = click.option(
    "--target-config", type=_FILE, help="The target's config file (JSON); else the environment."
)


def within_option(default: str) -> Callable[[_Command], _Command]:
    """Add the option for how long the orders' table may take to answer."""
    return click.option(
        "--within",
        type=Age(),
        default=default,
        show_default=True,
        help="How long counting in the orders' table may take.",
    )
