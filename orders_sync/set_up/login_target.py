"""The target that a login is for: what is set of it already, and the variables by which it takes what is new."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orders_sync.config_sources.configs import TARGET, TARGET_PREFIX, TARGET_VARIABLES, of_environment
from orders_sync.config_sources.env_file import NAME as ENV_FILE
from orders_sync.config_sources.project import Plugin, Project, surroundings
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import ConfigurationError

CREDENTIALS = ("client_id", "client_secret", "refresh_token")


@dataclass(frozen=True)
class LoginTarget:
    """A target by its name, and where it reads its settings."""

    name: str
    found: Mapping[str, Any]
    """What somebody has set already."""
    variables: Mapping[str, str]
    env_file: Path
    found_stays: bool = False
    """Whether that is kept by the project; a variable of the environment may be that of one shell."""
    hints: tuple[str, ...] = ()
    """What to know about these variables, a line each."""

    def known(self, setting: str) -> str | None:
        """What somebody has set."""
        return str(self.found[setting]) if self.found.get(setting) else None

    def to_write(self, values: Mapping[str, str]) -> dict[str, str]:
        """The variables of these settings; what stays set so is left out, but for the credentials."""
        return {
            self.variables.get(name, f"{TARGET_PREFIX}{name.upper()}"): value
            for name, value in values.items()
            if name in CREDENTIALS or not self.found_stays or self.found.get(name) != value
        }


def login_target(named: str | None) -> LoginTarget:
    """The target of the project, or the one that reads the variables of the environment where there is none.

    Raises:
        ConfigurationError: the project has several, or none.
    """
    project = surroundings().project
    if project is not None:
        return _of_project(project, project.target(named, None))
    if named is not None:
        raise ConfigurationError(
            OwnCode.NO_SETTINGS, f"{named} is to be a plugin of a Meltano project, and there is none here."
        )
    found = of_environment(TARGET_PREFIX, TARGET_VARIABLES)
    texts = {name: os.environ[variable] for name, variable in found.items()}
    return LoginTarget(TARGET, texts, TARGET_VARIABLES, Path(ENV_FILE))


def _of_project(project: Project, plugin: Plugin) -> LoginTarget:
    settings = plugin.settings
    variables = {name: each.reference or each.own_variable for name, each in settings.items()}
    credentials = [name for name in CREDENTIALS if name in settings]
    hints = [
        f"{variables[name]} is set in the environment too, which goes before the file."
        for name in credentials
        if os.environ.get(variables[name])
    ]
    if len(project.environments) > 1 and any(settings[name].reference is None for name in credentials):
        hints.append(
            "These hold in every environment of the project. Where each has an org of its own, let meltano.yml name "
            "variables, such as `refresh_token: $PROD_REFRESH_TOKEN` in the environment prod, and log in once in each."
        )
    found = {name: plugin.config[name] for name in plugin.config if name in settings and not settings[name].is_default}
    return LoginTarget(plugin.name, found, variables, project.root / ENV_FILE, found_stays=True, hints=tuple(hints))
