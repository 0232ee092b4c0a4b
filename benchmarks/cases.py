"""What is measured: each pair's tap alone, target alone on a file, and both by `meltano run`."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measured import Usage, run_measured
from zoho_crm_emulator.control import EmulatorProcess

PROJECT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PLAIN = [sys.executable, "-m", "benchmarks.plain"]


class BenchmarkError(RuntimeError):
    """A measured process failed, or did not do what it was measured for."""


@dataclass(frozen=True)
class Pair:
    """A tap and a target with their settings."""

    name: str
    label: str
    tap: list[str]
    target: list[str]
    tap_settings: Mapping[str, Any]
    target_settings: Mapping[str, Any]
    tap_of: str
    """The pair whose tap this is; it is measured there."""
    confirms: bool
    """Whether the target writes to the emulator, which then must hold every order."""


@dataclass(frozen=True)
class Bench:
    """The work directory, the emulator, and the orders of one size."""

    folder: Path
    emulator: EmulatorProcess
    rows: int

    @property
    def source(self) -> Path:
        """The database that every run gets a copy of, so that no run meets another's ledger."""
        return self.folder / f"orders-{self.rows}.sqlite"

    @property
    def database(self) -> Path:
        """The copy that is used up."""
        return self.folder / "run.sqlite"

    def pairs(self) -> list[Pair]:
        """The baselines first."""
        url = f"sqlite:///{self.database}"
        plain = {"sqlalchemy_url": url}
        base = self.emulator.base_url
        ours = {
            "client_id": self.emulator.client_id,
            "client_secret": self.emulator.client_secret,
            "refresh_token": self.emulator.refresh_token,
            "accounts_url": base,
            "api_url": base,
            "upload_url": base,
            "ack_url": url,
        }
        tap, target, lax = [*PLAIN, "tap"], [*PLAIN, "target"], {"validate_records": False}
        return [
            Pair("plain", "plain, validating", tap, target, plain, {}, "plain", confirms=False),
            Pair("plain-lax", "plain, not validating", tap, target, plain, lax, "plain", confirms=False),
            Pair(
                "orders-sync",
                "orders-sync",
                [str(BIN / "tap-legacy-orders")],
                [str(BIN / "target-zoho-crm")],
                {"sqlalchemy_url": url, "orders_table": "orders"},
                ours,
                "orders-sync",
                confirms=True,
            ),
        ]

    def singer_file(self, pair: Pair) -> Path:
        """What the pair's tap writes."""
        return self.folder / f"{pair.tap_of}-{self.rows}.singer"

    def tap_alone(self, pair: Pair) -> dict[str, Usage]:
        """The tap into a file, with a catalog as Meltano would give it."""
        self._fresh()
        path = self.singer_file(pair)
        command = [*pair.tap, "--config", self._settings(pair.tap_settings)]
        command += ["--catalog", self._catalog(pair, command)]
        with _opened(path, self._log) as (output, log):
            usage = _succeeded(run_measured(command, stdout=output, stderr=log), command, self._log)
        read = _records(path)
        if read != self.rows:
            raise BenchmarkError(f"{pair.label}: the tap wrote {read} of {self.rows} records")
        return {"tap": usage}

    def target_alone(self, pair: Pair) -> dict[str, Usage]:
        """The target from the tap's file."""
        self._fresh()
        command = [*pair.target, "--config", self._settings(pair.target_settings)]
        with self.singer_file(pair).open("rb") as source, _opened(Path(os.devnull), self._log) as (nowhere, log):
            usage = run_measured(command, stdin=source.fileno(), stdout=nowhere, stderr=log)
        _succeeded(usage, command, self._log)
        self._check(pair)
        return {"target": usage}

    def meltano(self, pair: Pair, run: str) -> dict[str, Usage]:
        """Both by `meltano run`, in a project of their own and with no state from before."""
        self._fresh()
        project = self.folder / f"meltano-{pair.name}"
        usages = {role: project / f"{role}.json" for role in ("tap", "target")}
        _meltano_project(project, pair, usages)
        command = [str(BIN / "meltano"), f"--cwd={project}", "run", f"--state-id-suffix={run}", "tap", "target"]
        with _opened(self._log, self._log) as (output, log):
            whole = run_measured(command, stdout=output, stderr=log)
        _succeeded(whole, command, self._log)
        self._check(pair)
        measured = {role: Usage(**json.loads(path.read_text(encoding="utf-8"))) for role, path in usages.items()}
        return {"whole": whole, **measured}

    @property
    def _log(self) -> Path:
        """What the last process had to say."""
        return self.folder / "process.log"

    def _catalog(self, pair: Pair, command: list[str]) -> str:
        """Discover, and select what was found: a SQL tap of the SDK reads nothing that is not selected."""
        path = self.folder / f"{pair.name}-catalog.json"
        found = subprocess.run([*command, "--discover"], check=True, capture_output=True, text=True)
        catalog = json.loads(found.stdout)
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = True
        path.write_text(json.dumps(catalog), encoding="utf-8")
        return str(path)

    def _fresh(self) -> None:
        shutil.copyfile(self.source, self.database)
        for left in ("-wal", "-shm", "-journal"):
            self.database.with_name(self.database.name + left).unlink(missing_ok=True)
        self.emulator.admin.reset()

    def _check(self, pair: Pair) -> None:
        if pair.confirms:
            there = self.emulator.admin.stats()["modules"]["Orders"]
            if there != self.rows:
                raise BenchmarkError(f"{pair.label}: {there} of {self.rows} orders reached the CRM")

    def _settings(self, settings: Mapping[str, Any]) -> str:
        path = self.folder / "settings.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return str(path)


def _meltano_project(project: Path, pair: Pair, usages: Mapping[str, Path]) -> None:
    """Write meltano.yml (as JSON, which YAML contains) and the scripts that measure the plugins."""
    project.mkdir(exist_ok=True)
    plugins = {}
    for role, kind, command, settings in (
        ("tap", "extractors", pair.tap, pair.tap_settings),
        ("target", "loaders", pair.target, pair.target_settings),
    ):
        script = project / role
        measured = [sys.executable, "-m", "benchmarks.measured", str(usages[role]), *command]
        script.write_text(
            f"#!/bin/sh\nPYTHONPATH='{PROJECT}' exec {' '.join(repr(word) for word in measured)} \"$@\"\n",
            encoding="utf-8",
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        plugins[kind] = [
            {
                "name": role,
                "namespace": role,
                "executable": str(script),
                "capabilities": ["catalog", "discover", "state"] if role == "tap" else [],
                "config": dict(settings),
                "settings": [{"name": name} for name in settings],
            }
        ]
    document = {
        "default_environment": "bench",
        "send_anonymous_usage_stats": False,
        "project_id": "bench",
        "environments": [{"name": "bench"}],
        "plugins": plugins,
    }
    (project / "meltano.yml").write_text(json.dumps(document, indent=1), encoding="utf-8")
    if not (project / ".meltano").exists():
        # The first command in a project makes Meltano's own database, which is nothing to measure.
        subprocess.run([str(BIN / "meltano"), f"--cwd={project}", "state", "list"], check=True, capture_output=True)


@contextmanager
def _opened(*paths: Path) -> Iterator[tuple[int, ...]]:
    """File descriptors to write to."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(path.open("wb")).fileno() for path in paths)


def _records(path: Path) -> int:
    """How many RECORD messages a file holds."""
    with path.open("rb") as lines:
        return sum(line[:20].replace(b" ", b"").startswith(b'{"type":"RECORD"') for line in lines)


def _succeeded(usage: Usage, command: list[str], log: Path) -> Usage:
    if usage.exit_code != 0:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        raise BenchmarkError("\n  ".join([f"{' '.join(command)} ended with exit code {usage.exit_code}", *said]))
    return usage
