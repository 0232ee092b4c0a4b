"""Builds meltano.yml: the hand-written head, and the plugins with every setting of their schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from scripts.plugins import Plugin, Setting

TEMPLATE = Path(__file__).with_name("meltano.template.yml")
PLUGINS_HERE = "# PLUGINS\n"
LINE_WIDTH = 110


def meltano_project(tap: Plugin, target: Plugin) -> str:
    """The text of meltano.yml."""
    plugins = {"plugins": {"extractors": [_definition(tap)], "loaders": [_definition(target)]}}
    text = yaml.safe_dump(plugins, sort_keys=False, allow_unicode=True, width=LINE_WIDTH)
    return TEMPLATE.read_text(encoding="utf-8").replace(PLUGINS_HERE, text)


def _definition(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "namespace": plugin.name.replace("-", "_"),
        "label": plugin.name,
        "description": plugin.description,
        "executable": f".venv/bin/{plugin.name}",
        "capabilities": list(plugin.capabilities),
        "settings_group_validation": [plugin.required],
        "settings": [_setting(setting) for setting in plugin.settings],
    }


def _setting(setting: Setting) -> dict[str, Any]:
    definition: dict[str, Any] = {"name": setting.name, "label": setting.label, "kind": setting.kind}
    if setting.default is not None:
        definition["value"] = setting.default
    if setting.sensitive:
        definition["sensitive"] = True
    if setting.options:
        definition["options"] = [{"label": option, "value": option} for option in setting.options]
    definition["description"] = setting.description
    return definition
