"""The Meltano project that a command stands in: our plugins in it, with the settings that Meltano resolves for a run.

Meltano is asked once a command, in a process of its own, and what it answers stays in memory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from orders_sync.config_sources.env_file import load_env_file
from sync_processes.setting_places import with_places
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import ConfigurationError

FILE = "meltano.yml"
ROOT_VARIABLE = "MELTANO_PROJECT_ROOT"
BY_FILES = "Or name the plugins' config files by --tap-config and --target-config."
_QUOTES = "Names in meltano.yml that look like numbers, as those of `values` do, need quotes."
_INTERPRETER = re.compile(
    r"""^\#!\s*(?P<plain>/\S*python[\d.]*)\s*$         # the usual first line
    |^'''exec'\ "?(?P<quoted>/[^"]*?python[\d.]*)"?\  # where that would be too long, or has blanks""",
    re.MULTILINE | re.VERBOSE,
)


class PluginName(str):
    """The name of a plugin of the project, where a config file could stand as well."""

    __slots__ = ()


class Setting(msgspec.Struct, frozen=True):
    """Where Meltano takes one setting of a plugin from."""

    source: str
    """Meltano's word: env, dotenv, meltano_environment, meltano_yml, db, default."""
    label: str
    of: str | None
    """The plugin that it is inherited from."""
    variable: str | None
    """The variable that holds it, if one does."""
    own_variable: str
    """The variable that Meltano reads before anything else."""
    reference: str | None
    """The variable that stands in meltano.yml in place of a value."""

    @property
    def is_default(self) -> bool:
        """Whether nobody has set it."""
        return self.source == "default"

    def __str__(self) -> str:
        what = [f"variable {self.variable} in" if self.variable else "", self.label.replace("`", "")]
        what += [f"as ${self.reference}" if self.reference else ""]
        return " ".join(filter(None, what)) + (f", inherited from {self.of}" if self.of else "")


class Plugin(msgspec.Struct, frozen=True):
    """A plugin of ours in the project, as a run in this environment would start it."""

    config: dict[str, Any]
    error: str | None
    """Why Meltano cannot resolve all of its settings; `config` lacks these then."""
    inherits: str | None
    environments: Sequence[str]
    """Those of the project's environments that have settings for it."""
    settings: Mapping[str, Setting]
    name: str = ""

    def has(self, required: Sequence[str]) -> bool:
        """Whether all of these settings are there; one whose settings cannot be resolved may have them."""
        return self.error is not None or all(self.config.get(each) is not None for each in required)


class _Answer(msgspec.Struct, frozen=True):
    error: str | None = None
    environment: str | None = None
    environments: Sequence[str] = ()
    taps: dict[str, Plugin] = {}
    targets: dict[str, dict[str, Plugin]] = {}


TAP_NEEDS = ("sqlalchemy_url", "orders_table")
TARGET_NEEDS = ("client_id", "client_secret", "refresh_token")


@dataclass(frozen=True)
class Project:
    """A Meltano project, in one of its environments."""

    root: Path
    environment: str | None
    environments: Sequence[str]
    _taps: Mapping[str, Plugin]
    _targets: Mapping[str, Mapping[str, Plugin]]
    """By name, then by the name of the tap before it; "" without one."""

    @property
    def has_taps(self) -> bool:
        """Whether a tap of ours is in it."""
        return bool(self._taps)

    @property
    def has_targets(self) -> bool:
        """Whether a target of ours is in it."""
        return bool(self._targets)

    def taps(self, named: str | None = None) -> list[Plugin]:
        """The taps that are meant: the one that is named, or all but those that only others inherit from.

        Raises:
            ConfigurationError: none is, or none has this name.
        """
        return _meant(self._taps, named, TAP_NEEDS, "tap", "tap-legacy-orders", self.root)

    def tap(self, named: str | None) -> Plugin:
        """The one tap that is meant.

        Raises:
            ConfigurationError: none is, or several are.
        """
        return _only(self.taps(named), "tap")

    def targets(self, named: str | None, tap: str | None) -> list[Plugin]:
        """The targets that are meant, as they run behind this tap.

        Raises:
            ConfigurationError: none is, or none has this name; or it depends on which tap it runs behind.
        """
        meant = self.taps(tap) if self._taps else []
        tap = meant[0].name if len(meant) == 1 else None
        behind = {name: _behind(name, by_tap, tap) for name, by_tap in self._targets.items()}
        return _meant(behind, named, TARGET_NEEDS, "target", "target-zoho-crm", self.root)

    def target(self, named: str | None, tap: str | None) -> Plugin:
        """The one target that is meant.

        Raises:
            ConfigurationError: none is, or several are.
        """
        return _only(self.targets(named, tap), "target")


def _meant(
    plugins: Mapping[str, Plugin], named: str | None, needs: Sequence[str], kind: str, ours: str, root: Path
) -> list[Plugin]:
    known = ", ".join(plugins) or "none"
    if named is not None:
        if named not in plugins:
            _refuse(f"the project at {root} has no {kind} {named!r} of ours; it has {known}.")
        return [plugins[named]]
    if not plugins:
        _refuse(f"the project at {root} has no plugin {ours}.", f"`meltano add` brings it. {BY_FILES}")
    parents = {each.inherits for each in plugins.values()}
    meant = [each for name, each in plugins.items() if name not in parents or each.has(needs)]
    return meant or list(plugins.values())


def _only(plugins: Sequence[Plugin], kind: str) -> Plugin:
    if len(plugins) != 1:
        names = ", ".join(each.name for each in plugins)
        _refuse(f"the project has several {kind}s of ours: {names}.", f"Name one by --{kind}.")
    return plugins[0]


def _behind(name: str, by_tap: Mapping[str, Plugin], tap: str | None) -> Plugin:
    """What the target is behind a tap; behind any of them, where that is the same."""
    if tap is not None and tap in by_tap:
        return by_tap[tap]
    ways = [each for before, each in by_tap.items() if before or len(by_tap) == 1]
    if any(each.config != ways[0].config for each in ways):
        _refuse(f"the settings of {name} depend on the tap that it runs behind.", "Name one by --tap.")
    return ways[0]


def _refuse(happened: str, remedy: str = "") -> NoReturn:
    raise ConfigurationError(OwnCode.NO_SETTINGS, happened, remedy=remedy)


@dataclass
class Surroundings:
    """What a command finds where it was started."""

    environment: str | None = None
    """The project's environment that was named; without one it is Meltano's choice."""
    _places: dict[str, dict[str, None]] = field(default_factory=dict)
    """Where each setting was found that the command has read so far; plugins may have it of several places."""

    def note(self, origins: Mapping[str, str]) -> None:
        """Keep where settings were found, for errors that are about their values."""
        for name, place in origins.items():
            self._places.setdefault(name, {})[place] = None

    def with_places(self, error: str) -> str:
        """The text of an error, with the place of each setting that it names."""
        return with_places(error, {name: ", ".join(found) for name, found in self._places.items()})

    @cached_property
    def root(self) -> Path | None:
        """The project's folder, found as Meltano does; a variable that is there and empty says that there is none."""
        given = os.environ.get(ROOT_VARIABLE)
        if given is not None:
            return Path(given) if given and (Path(given) / FILE).exists() else None
        here = Path.cwd()
        return next((each for each in (here, *here.parents) if (each / FILE).exists()), None)

    @cached_property
    def project(self) -> Project | None:
        """The project with its settings, if there is one that has a plugin of ours; asks Meltano, for some seconds.

        Raises:
            ConfigurationError: Meltano is not there, or cannot answer.
        """
        if self.root is None:
            return None
        found = ask_meltano(self.root, self.environment)
        if found.has_taps or found.has_targets:
            return found
        load_env_file()
        return None


def surroundings() -> Surroundings:
    """Those of the command that is running."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Surroundings) if context is not None else None
    return found if found is not None else Surroundings()


def ask_meltano(root: Path, environment: str | None) -> Project:
    """Ask the project's Meltano for the settings of our plugins.

    Raises:
        ConfigurationError: Meltano is not there, or cannot answer.
    """
    source = files(__package__).joinpath("meltano_answer.py").read_text(encoding="utf-8")
    command = [_meltanos_python(root), "-c", source, str(root), environment or ""]
    variables = {**os.environ, "PYTHONSAFEPATH": "1"}  # no file of the project's folder stands in for a module
    done = subprocess.run(command, capture_output=True, check=False, cwd=root, env=variables)  # noqa: S603
    try:
        answer = msgspec.json.decode(done.stdout, type=_Answer)
    except msgspec.DecodeError:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else "it says nothing"
        remedy = f"{_QUOTES} {BY_FILES}" if "expected str instance" in why else BY_FILES
        _refuse(f"Meltano does not answer for {root}: {why}.", remedy)
    if answer.error is not None:
        _refuse(f"Meltano cannot read the project at {root}: {answer.error}", BY_FILES)
    targets = {name: {tap: _named(name, each) for tap, each in ways.items()} for name, ways in answer.targets.items()}
    taps = {name: _named(name, each) for name, each in answer.taps.items()}
    return Project(root, answer.environment, answer.environments, taps, targets)


def _named(name: str, plugin: Plugin) -> Plugin:
    return msgspec.structs.replace(plugin, name=name)


def _meltanos_python(root: Path) -> str:
    """The Python that runs Meltano: its program's first lines name it.

    The program is the one that this project was last run by, then the first on the path, then the one beside us.
    """
    places: tuple[Callable[[], str | None], ...] = (
        lambda: str(root / ".meltano" / "run" / "bin"),
        lambda: shutil.which("meltano"),
        lambda: str(Path(sys.executable).parent / "meltano"),
    )
    for place in places:
        program = place()
        if program is None or not Path(program).is_file():
            continue
        first_lines = Path(program).read_bytes()[:1000].decode(errors="replace")
        found = _INTERPRETER.search(first_lines)
        if found is not None and Path(found["plain"] or found["quoted"]).is_file():
            return found["plain"] or found["quoted"]
    _refuse(
        f"{root} is a Meltano project, and no Meltano is found to read it.",
        f"Start the command by `meltano invoke orders-sync`, or put `meltano` on the PATH. {BY_FILES}",
    )
