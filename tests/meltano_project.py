"""A stranger's Meltano project: made by `meltano init`, its plugins installed from our wheel by their definitions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from sync_databases.engines import ENGINES

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
MELTANO_SECONDS = 900
"""For hangs alone: a loaded machine is slower, and may have to fetch packages first."""
KINDS = {"tap-legacy-orders": "extractors", "target-zoho-crm": "loaders", "orders-sync": "utilities"}
FOUND_BY_UV = str(Path.home() / ".cache" / "uv")
"""The tests' own home is new for each test; packages should not be fetched for each."""
OURS = ("TAP_LEGACY_ORDERS", "TARGET_ZOHO_CRM", "ZOHO_", "LEGACY_", "LEDGER_", "MELTANO_", "VIRTUAL_ENV", "PYTHONPATH")


@cache
def wheels() -> Path:
    """The folder of our wheel, built from the checkout as it is; gone at the end of the tests."""
    folder = TemporaryDirectory(prefix="wheels-")
    _KEPT.append(folder)
    command = [BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", folder.name, ROOT]
    subprocess.run(command, check=True, env=os.environ | {"UV_CACHE_DIR": FOUND_BY_UV})
    return Path(folder.name)


_KEPT: list[TemporaryDirectory[str]] = []


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it and its children wrote."""

    code: int
    out: str


@dataclass
class Project:
    """One project in a folder of its own; nothing of this process's environment reaches the plugins' settings."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)

    @classmethod
    def begun(cls, parent: Path) -> Project:
        """As `meltano init` makes it."""
        project = cls(parent / "project")
        made = project.run("meltano", "init", str(project.folder), "--no-usage-stats", folder=parent)
        assert made.code == 0, made.out
        return project

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return {
            **inherited,
            "PATH": f"{BIN}{os.pathsep}{inherited.get('PATH', '')}",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "UV_CACHE_DIR": FOUND_BY_UV,
            "UV_FIND_LINKS": str(wheels()),
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            **self.variables,
        }

    def run(self, *words: str, folder: Path | None = None, answers: str = "") -> Said:
        """Run one command in the project's folder."""
        self.typed.append(" ".join(words))
        ended = subprocess.run(
            words,
            cwd=folder or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            input=answers,
            text=True,
            timeout=MELTANO_SECONDS,
            check=False,
        )
        return Said(ended.returncode, ended.stdout)

    def meltano(self, *words: str, code: int = 0) -> str:
        """Run `meltano` and expect it to end so; returns what was written."""
        said = self.run("meltano", *words)
        assert said.code == code, said.out
        return said.out

    def add(self, name: str) -> str:
        """Add one of our plugins by its definition, as it stands in the repository."""
        kind = KINDS[name].removesuffix("s") if name != "orders-sync" else "utility"
        definition = str(ROOT / "plugins" / f"{name}.yml")
        return self.meltano("add", "--plugin-type", kind, "--from-ref", definition, name)

    @property
    def settings(self) -> dict[str, Any]:
        """meltano.yml as it stands."""
        settings: dict[str, Any] = yaml.safe_load((self.folder / "meltano.yml").read_text(encoding="utf-8"))
        return settings

    def plugin(self, name: str) -> dict[str, Any]:
        """What meltano.yml has of a plugin."""
        found: dict[str, Any] = next(each for each in self.settings["plugins"][KINDS[name]] if each["name"] == name)
        return found

    def write_env(self, values: Mapping[str, str]) -> None:
        """Write the file `.env` anew."""
        (self.folder / ".env").write_text("".join(f"{name}={value!r}\n" for name, value in values.items()))


def installed(project: Project, name: str) -> set[str]:
    """The distributions in a plugin's own environment."""
    site = next((project.folder / ".meltano" / KINDS[name] / name / "venv" / "lib").glob("python*/site-packages"))
    return {each.name.partition("-")[0] for each in site.glob("*.dist-info")}


def drivers() -> set[str]:
    """The modules of the drivers of all engines."""
    return {engine.driver for engine in ENGINES if engine.driver}
