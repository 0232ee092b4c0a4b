"""What the two plugins say of themselves: `--about --format=json`, as any user of theirs gets it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.target import TargetZohoCRM

OWN_SETTINGS: Mapping[str, Sequence[str]] = {
    plugin.name: tuple(plugin.config_jsonschema["properties"]) for plugin in (TapLegacyOrders, TargetZohoCRM)
}
"""The settings that a plugin declares itself; the SDK adds others."""

KINDS = {"boolean": "boolean", "integer": "integer", "number": "decimal", "array": "array", "object": "object"}
"""JSON schema's types to Meltano's kinds; a text is a string, and so is what may be a text or something else."""


@dataclass(frozen=True)
class Setting:
    """One setting as its schema describes it."""

    name: str
    label: str
    kind: str
    description: str
    default: Any
    required: bool
    sensitive: bool
    options: Sequence[str]
    own: bool


@dataclass(frozen=True)
class Plugin:
    """One plugin and its settings."""

    name: str
    description: str
    capabilities: Sequence[str]
    settings: Sequence[Setting]

    @property
    def required(self) -> list[str]:
        """Names of the settings without which the plugin does nothing."""
        return [setting.name for setting in self.settings if setting.required]


def ask(name: str) -> Plugin:
    """Ask a plugin of this environment what it is."""
    command = [str(Path(sys.executable).parent / name), "--about", "--format=json"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    about = json.loads(answer.stdout)
    required = about["settings"].get("required", [])
    return Plugin(
        name=name,
        description=about["description"],
        capabilities=about["capabilities"],
        settings=[
            _setting(key, schema, required=key in required, own=key in OWN_SETTINGS[name])
            for key, schema in about["settings"]["properties"].items()
        ],
    )


def _setting(name: str, schema: Mapping[str, Any], *, required: bool, own: bool) -> Setting:
    types = schema.get("type", "string")
    kind = next(each for each in ([types] if isinstance(types, str) else types) if each != "null")
    options = schema.get("enum", [])
    return Setting(
        name=name,
        label=schema.get("title") or _label(name),
        kind="options" if options else KINDS.get(kind, "string"),
        description=" ".join(schema.get("description", "").split()),
        default=schema.get("default"),
        required=required,
        sensitive=bool(schema.get("secret")),
        options=[option for option in options if option is not None],
        own=own,
    )


def _label(name: str) -> str:
    """The setting's name as words: `ack_url` becomes `Ack URL`."""
    return " ".join("URL" if word == "url" else word for word in name.capitalize().split("_"))
