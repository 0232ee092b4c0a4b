"""Builds meltano.yml: the hand-written head, and the plugins of this checkout with every setting of their schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from scripts.plugin_definitions import DISTRIBUTION, commands, setting_definition, tests
from scripts.plugins import Plugin

TEMPLATE = Path(__file__).with_name("meltano.template.yml")
PLUGINS_HERE = "# PLUGINS\n"
LINE_WIDTH = 110


def meltano_project(tap: Plugin, target: Plugin) -> str:
    """The text of meltano.yml."""
    plugins = {
        "plugins": {
            "extractors": [_definition(tap)],
            "loaders": [_definition(target)],
            "utilities": [{**_names(DISTRIBUTION), "commands": commands()}],
        }
    }
    text = yaml.safe_dump(plugins, sort_keys=False, allow_unicode=True, width=LINE_WIDTH)
    return TEMPLATE.read_text(encoding="utf-8").replace(PLUGINS_HERE, text)


def _definition(plugin: Plugin) -> dict[str, Any]:
    return {
        **_names(plugin.name),
        "label": plugin.name,
        "description": plugin.description,
        "commands": tests(),
        "capabilities": list(plugin.capabilities),
        "settings_group_validation": [plugin.required],
        "settings": [setting_definition(setting) for setting in plugin.settings],
    }


def _names(plugin: str) -> dict[str, str]:
    return {"name": plugin, "namespace": plugin.replace("-", "_"), "executable": f".venv/bin/{plugin}"}
