"""A Meltano project whose plugins are shell scripts, so that what starts a plugin can be anything."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MELTANO = str(Path(sys.executable).parent / "meltano")


@dataclass(frozen=True)
class Script:
    """A plugin: what the shell runs, with the plugin's arguments in `$@`, and its settings."""

    body: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def make_project(folder: Path, taps: Mapping[str, Script], targets: Mapping[str, Script]) -> None:
    """Write the scripts and meltano.yml (as JSON, which YAML contains) into a folder, with the plugins by name."""
    document = {
        "default_environment": "bench",
        "send_anonymous_usage_stats": False,
        "project_id": "bench",
        "environments": [{"name": "bench"}],
        "plugins": {
            "extractors": [_plugin(folder, *each, ["catalog", "discover", "state"]) for each in taps.items()],
            "loaders": [_plugin(folder, *each, []) for each in targets.items()],
        },
    }
    (folder / "meltano.yml").write_text(json.dumps(document, indent=1), encoding="utf-8")


def _plugin(folder: Path, name: str, script: Script, capabilities: list[str]) -> dict[str, Any]:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script.body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {
        "name": name,
        "namespace": name,
        "executable": str(path),
        "capabilities": capabilities,
        "config": dict(script.settings),
        "settings": [{"name": setting} for setting in script.settings],
    }
