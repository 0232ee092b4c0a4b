"""Runs taps and targets and measures them: alone, joined by a pipe, and by `meltano run`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contenders import Pair, Plugin
from benchmarks.measured import Usage, measured, read_usage, run_measured
from benchmarks.meltano_project import MELTANO, Script, make_project

Usages = Mapping[str, Usage]
"""What each process used by its role, tap or target; and the seconds of the "whole" where there are two."""


class BenchmarkError(RuntimeError):
    """A measured process failed, or did not do what it was measured for."""


class Processes:
    """Runs commands in a folder of its own, where their settings, logs and usages lie."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "process.log"

    def command(self, role: str, plugin: Plugin, url: str) -> list[str]:
        """The command line of a plugin, with its settings for this database."""
        settings = self._folder / f"{role}-settings.json"
        settings.write_text(json.dumps(plugin.settings(url)), encoding="utf-8")
        return [*plugin.command, "--config", str(settings)]

    def tap_command(self, tap: Plugin, url: str) -> list[str]:
        """The command line of a tap that has been given a catalog, as Meltano gives one."""
        return [*self.command("tap", tap, url), "--catalog", str(self._catalog(tap, url))]

    def alone(self, role: str, command: Sequence[str], *, source: Path | None = None, into: Path) -> Usages:
        """One plugin, with its input from a file or none, and its output into one."""
        with (source or Path(os.devnull)).open("rb") as given, into.open("wb") as taken, self._log.open("wb") as log:
            usage = run_measured(command, stdin=given, stdout=taken, stderr=log)
        return {role: self._succeeded(role, usage)}

    def pipe(self, tap: Sequence[str], target: Sequence[str]) -> Usages:
        """Both, joined by the shell's pipe."""
        usages = {role: self._folder / f"{role}-usage.json" for role in ("tap", "target")}
        ends = [shlex.join(measured(command, usages[role])) for role, command in (("tap", tap), ("target", target))]
        return self._whole(["sh", "-c", f"{ends[0]} | {ends[1]}"], usages)

    def meltano(self, project: Path, pair: Pair, url: str, run: str) -> Usages:
        """Both by `meltano run`, in a project of their own and with no state from before."""
        usages = {role: project / f"{role}-usage.json" for role in ("tap", "target")}
        meltano = [MELTANO, f"--cwd={project}"]
        if not project.exists():
            project.mkdir()
            scripts = {
                role: Script(f'exec {shlex.join(measured(plugin.command, usages[role]))} "$@"', plugin.settings(url))
                for role, plugin in (("tap", pair.tap), ("target", pair.target))
            }
            make_project(project, {"tap": scripts["tap"]}, {"target": scripts["target"]})
            # Meltano makes its database at the first command, and keeps the catalog of the first run: neither belongs
            # to how fast orders go.
            self._run([*meltano, "invoke", "--dump=catalog", "tap"])
        return self._whole([*meltano, "run", f"--state-id-suffix={run}", "tap", "target"], usages)

    def _catalog(self, plugin: Plugin, url: str) -> Path:
        """Discover the orders and select them: a SQL tap of the SDK reads nothing that is not selected."""
        path = self._folder / "catalog.json"
        with path.open("wb") as found:
            self._run([*self.command("tap", plugin, url), "--discover"], stdout=found)
        catalog = json.loads(path.read_text(encoding="utf-8"))
        streams = [stream for stream in catalog["streams"] if stream["tap_stream_id"].endswith("orders")]
        for stream in streams:
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = True
        path.write_text(json.dumps({"streams": streams}), encoding="utf-8")
        return path

    def _whole(self, command: Sequence[str], usages: Mapping[str, Path]) -> Usages:
        for path in usages.values():
            path.unlink(missing_ok=True)
        began = time.perf_counter()
        self._run(command)
        seconds = time.perf_counter() - began
        used = {role: read_usage(path) for role, path in usages.items()}
        return {
            "whole": Usage(0, seconds, 0.0, 0.0),
            **{role: self._succeeded(role, each) for role, each in used.items()},
        }

    def _succeeded(self, role: str, usage: Usage) -> Usage:
        if usage.exit_code != 0:
            raise BenchmarkError(self._last_words(f"the {role} ended with exit code {usage.exit_code}"))
        return usage

    def _run(self, command: Sequence[str], **streams: Any) -> None:
        with self._log.open("wb") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams}
            done = subprocess.run(command, check=False, stderr=log, **streams)
        if done.returncode != 0:
            raise BenchmarkError(self._last_words(f"{shlex.join(command)} ended with exit code {done.returncode}"))

    def _last_words(self, what: str) -> str:
        said = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        return "\n  ".join([what, *said])


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for what is used up."""
    with tempfile.TemporaryDirectory(prefix="orders-sync-bench-") as folder:
        yield Path(folder)
