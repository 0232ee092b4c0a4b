"""Installs the wheel into environments of each Python, with the lowest and the newest dependencies, and tries it there.

`python -m scripts.version_matrix [PYTHON ...]` prints a table: what ran, and what could not be had, with the reason.
Needs uv, which Meltano brings. Ends 1 where something that could be had did not run.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.servers import NoServerError, mariadb_database, postgresql_database

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
TRY = ROOT / "scripts" / "try_installed.py"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("alerts", "callback", "emulator", "mcp", "metrics", "mssql", "mysql", "oracle", "postgres", "ui", "xlsx")
WAYS = {
    "lowest": ["--resolution", "lowest-direct"],
    "newest, SQLAlchemy 2.0": ["sqlalchemy<2.1"],
    "newest": [],
}
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"


@dataclass(frozen=True)
class Row:
    """One environment: what came of it."""

    python: str
    way: str
    result: str
    detail: str

    @property
    def failed(self) -> bool:
        """Whether it could be had and did not run."""
        return self.result == "FAILED"

    def __str__(self) -> str:
        return f"| {self.python} | {self.way} | {self.result} | {self.detail} |"


def interpreter(version: str) -> str | None:
    """An interpreter of this version: uv's, one of pyenv's, or one that uv can fetch; None where there is none."""
    for found in (*sorted(PYENV.glob(f"{version}.*/bin/python"), reverse=True), version):
        if _uv("python", "find", "--no-python-downloads", str(found)).returncode == 0:
            return str(found)
    return version if _uv("python", "install", version).returncode == 0 else None


def tried(python: str, version: str, way: str, wheel: Path, urls: Sequence[str]) -> Row:
    """Make an environment, install the wheel, and try it."""
    with TemporaryDirectory(prefix="matrix-") as folder:
        venv = Path(folder) / "venv"
        made = _uv("venv", "--quiet", "--python", python, str(venv))
        if made.returncode:
            return Row(version, way, "not to be had", _last_line(made))
        inside = str(venv / "bin" / "python")
        installed = _installed(inside, wheel, WAYS[way])
        if installed.returncode:
            return Row(version, way, "not to be had", _last_line(installed))
        own = f"sqlite:///{folder}/shop.sqlite"
        ran = subprocess.run(  # noqa: S603 - our own command
            [inside, "-W", "error::DeprecationWarning:tap_legacy_orders", str(TRY), own, *urls],
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        return Row(version, way, "FAILED", _last_line(ran))
    found = json.loads(ran.stdout.splitlines()[-1])
    return Row(found.pop("python"), way, "ran", ", ".join(f"{name} {value}" for name, value in found.items()))


def _installed(python: str, wheel: Path, how: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Install what we depend on by name, so that the lowest is the lowest of ours, and then the wheel by itself."""
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    pip = ["pip", "install", "--quiet", "--only-binary", ":all:", "--python", python]
    ended = _uv(*pip, "-r", str(ROOT / "pyproject.toml"), *extras, *how)
    return ended if ended.returncode else _uv(*pip, "--no-deps", str(wheel))


def main(pythons: Sequence[str]) -> int:
    """Run the command line."""
    rows: list[Row] = []
    print("| Python | Dependencies | Result | Versions, or why |\n|---|---|---|---|")  # noqa: T201
    with TemporaryDirectory(prefix="wheel-") as folder:
        built = _uv("build", "--quiet", "--wheel", "--out-dir", folder, str(ROOT))
        if built.returncode:
            sys.exit(_last_line(built))
        (wheel,) = Path(folder).glob("*.whl")
        for version in pythons:
            python = interpreter(version)
            for way in WAYS:
                if python is None:
                    row = Row(version, way, "not to be had", "no such interpreter here, and none to be fetched")
                else:
                    with _databases() as urls:
                        row = tried(python, version, way, wheel, urls)
                rows.append(row)
                print(row, flush=True)  # noqa: T201
    return int(any(row.failed for row in rows))


@contextlib.contextmanager
def _databases() -> Iterator[list[str]]:
    """New databases on the servers that answer here."""
    with contextlib.ExitStack() as stack:
        urls = []
        for database in (postgresql_database, mariadb_database):
            with contextlib.suppress(NoServerError):
                urls.append(stack.enter_context(database()))
        yield urls


def _uv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([UV, *words], capture_output=True, text=True, check=False)  # noqa: S603 - our own command


def _last_line(ended: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (ended.stderr or ended.stdout).splitlines() if line.strip()]
    cause = next(
        (line for line in lines if "cannot be used" in line or "no wheels" in line), lines[-1] if lines else ""
    )
    return cause.replace("|", "/")[:200]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PYTHONS))
