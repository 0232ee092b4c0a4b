"""Run by Meltano's own Python, not by ours: it answers with the settings of our plugins, as Meltano resolves them.

`python -c SOURCE ROOT ENVIRONMENT`; ENVIRONMENT may be empty. The answer is one line of JSON on standard output,
secrets among it, and nothing is written to a file. Meltano's command line gives one plugin a call, without the default
environment, and names no source in a form for programs; so the classes are asked that this command line asks too.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from meltano.core.db import project_engine
from meltano.core.error import MeltanoError
from meltano.core.plugin.base import PluginType
from meltano.core.plugin.project_plugin import ProjectPlugin
from meltano.core.plugin.settings_service import PluginSettingsService
from meltano.core.project import PROJECT_ENVIRONMENT_ENV, Project
from meltano.core.setting_definition import SettingValueJSONEncoder
from meltano.core.settings_store import SettingValueStore
from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

TAP = "tap-legacy-orders"
TARGET = "target-zoho-crm"
_REFERENCE = re.compile(r"\$(?P<name>[A-Za-z_]\w*)|\$\{(?P<braced>[A-Za-z_]\w*)\}")


def answer(root: str, named: str) -> dict[str, Any]:
    """What the project has of ours; a target's settings by the tap that it would run behind, as these may differ."""
    project = Project.find(root, activate=False)
    environment = named or os.environ.get(PROJECT_ENVIRONMENT_ENV) or project.dotenv_env.get(PROJECT_ENVIRONMENT_ENV)
    if not environment:
        environment = project.settings.get("default_environment")
    if environment and environment.lower() != "null":
        project.activate_environment(environment)
    session = _session(project)
    taps = _ours(project, PluginType.EXTRACTORS, TAP)
    targets = _ours(project, PluginType.LOADERS, TARGET)
    return {
        "environment": project.environment.name if project.environment else None,
        "environments": [each.name for each in project.meltano.environments],
        "taps": {tap.name: _described(project, tap, session, None) for tap in taps},
        "targets": {
            target.name: {tap.name if tap else "": _described(project, target, session, tap) for tap in (*taps, None)}
            for target in targets
        },
    }


def _session(project: Project) -> Session | None:
    """Meltano's own database, which may hold settings too; None where it is not there yet: asking makes none."""
    url = make_url(project.settings.get("database_uri"))
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return None  # `project_engine` would try to open it again and again
    engine, make = project_engine(project)
    return make() if inspect(engine).has_table("plugin_settings") else None


def _ours(project: Project, kind: PluginType, name: str) -> list[ProjectPlugin]:
    """The plugins that are ours by their own name, by that of one that they inherit from, or by what they start."""
    return [
        each
        for each in project.plugins.get_plugins_of_type(kind)
        if name in set(_names(each)) or Path(each.executable or "").name == name
    ]


def _names(plugin: Any) -> Iterator[str]:
    while plugin is not None:
        yield plugin.name
        plugin = getattr(plugin, "parent", None)


def _described(
    project: Project, plugin: ProjectPlugin, session: Session | None, tap: ProjectPlugin | None
) -> dict[str, Any]:
    """One plugin: its settings, each with its source; `error` where not all of them can be expanded."""
    behind: dict[str, str] = {}
    try:
        if tap is not None:  # as in `meltano run`, where a loader may speak of its extractor's variables
            behind = {**tap.info_env, **PluginSettingsService(project, tap).as_env(session=session)}
        service = PluginSettingsService(project, plugin, env_override=behind)
        config, error = service.as_dict(extras=False, process=True, session=session), None
    except MeltanoError as problem:
        error = str(problem)
        service = PluginSettingsService(project, plugin)
        config = dict(_expandable(service, session))
    found = service.config_with_metadata(extras=False, session=session, expand_env_vars=False)
    parent = plugin.parent
    return {
        "config": config,
        "error": error,
        "inherits": parent.name if isinstance(parent, ProjectPlugin) else None,
        "environments": [
            each.name
            for each in project.meltano.environments
            if any(
                name in {other.name for other in each.config.plugins.get(plugin.type, ())} for name in _names(plugin)
            )
        ],
        "settings": {name: _setting(service, name, metadata, session) for name, metadata in found.items()},
    }


def _expandable(service: PluginSettingsService, session: Session | None) -> Iterator[tuple[str, Any]]:
    """Those settings that can be expanded one by one, where not all can."""
    for definition in service.definitions(extras=False):
        with suppress(MeltanoError):
            value = service.get(definition.name, session=session)
            if value is not None:
                yield definition.name, value


def _setting(
    service: PluginSettingsService, name: str, metadata: dict[str, Any], session: Session | None
) -> dict[str, Any]:
    definition, source, value, of = metadata["setting"], metadata["source"], metadata["value"], service
    while source is SettingValueStore.INHERITED and of.inherited_settings_service is not None:
        of = of.inherited_settings_service
        value, metadata = of.get_with_metadata(name, session=session, expand_env_vars=False)
        source = metadata["source"]
    written = _REFERENCE.fullmatch(str(metadata.get("uncast_value", value)))
    return {
        "source": source.value,
        "label": source.label,
        "of": of.plugin.name if of is not service else None,
        "variable": metadata.get("env_var"),
        "own_variable": service.setting_env_vars(definition)[0].key,
        "reference": (written["name"] or written["braced"]) if written else None,
    }


def main() -> None:
    """Answer; whatever Meltano's libraries print goes to standard error."""
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        found = answer(sys.argv[1], sys.argv[2])
    except MeltanoError as error:
        found = {"error": str(error)}
    out.write(json.dumps(found, cls=SettingValueJSONEncoder))
    out.flush()


main()
