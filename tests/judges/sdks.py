"""Zoho's own SDKs as judges of the emulator: which there are, where each is installed, and how it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoho_crm_emulator.control import EmulatorProcess

HERE = Path(__file__).parent
CALLS = (
    "log in", "upsert", "upsert again", "upsert refused", "read by id", "list", "search", "COQL", "upload",
    "create job", "read job", "result", "delete", "deleted records",
)  # fmt: skip
INSTALL_SECONDS = 900
RUN_SECONDS = 600
ROWS = f'parent_id,Name,Total_Amount\nT-1,"Order, again",99.95\nT-3,New,1.5\nT-4,{"y" * 121},1\n'


class NotInstalledError(Exception):
    """An SDK could not be had; the text says what its installer said last."""


@dataclass(frozen=True)
class Sdk:
    """One SDK of Zoho's, in the release that is judged with."""

    language: Literal["Python", "TypeScript"]
    api: str
    """The version of the API that it speaks, as its name writes it."""
    release: str

    @property
    def name(self) -> str:
        """As the table calls it."""
        return f"{self.language} SDK {self.api}"

    @property
    def package(self) -> str:
        """As its registry calls it."""
        if self.language == "Python":
            return f"zohocrmsdk{self.api.replace('.', '_')}"
        return f"@zohocrm/typescript-sdk-{self.api}"

    @property
    def script(self) -> Path:
        """The calls in its language."""
        return HERE / ("python_calls.py" if self.language == "Python" else "typescript_calls.cjs")


SDKS = (
    Sdk("Python", "2.0", "6.0.0"),
    Sdk("Python", "2.1", "3.0.0"),
    Sdk("Python", "5.0", "2.0.0"),
    Sdk("Python", "6.0", "8.0.0"),
    Sdk("Python", "7.0", "6.0.0"),
    Sdk("Python", "8.0", "7.0.0"),
    Sdk("TypeScript", "2.1", "1.1.0"),
    Sdk("TypeScript", "6.0", "3.0.0"),
    Sdk("TypeScript", "7.0", "2.0.0"),
    Sdk("TypeScript", "8.0", "3.0.0"),
)


@dataclass(frozen=True)
class Verdict:
    """What one call came to; `where` is the line of the SDK's own code that failed, where it was one."""

    call: str
    ok: bool
    why: str = ""
    where: str = ""


def installed(sdk: Sdk, folder: Path) -> Path:
    """The folder with the environment of an SDK, made where it is not there yet; raises NotInstalledError."""
    home = folder / sdk.name.replace(" ", "-").lower()
    stamp = home / "installed.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == sdk.release:
        return home
    home.mkdir(parents=True, exist_ok=True)
    if sdk.language == "Python":
        venv.create(home, with_pip=True, clear=True)
        install = [home / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        command = [*map(str, install), f"{sdk.package}=={sdk.release}"]
    else:
        command = ["npm", "install", "--prefix", str(home), "--ignore-scripts", "--no-audit", "--no-fund"]
        command.append(f"{sdk.package}@{sdk.release}")
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except FileNotFoundError:
        raise NotInstalledError(f"{command[0]} is not there") from None
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise NotInstalledError(said[-1] if said else str(error)) from None
    stamp.write_text(sdk.release, encoding="utf-8")
    return home


def command_of(sdk: Sdk, emulator: EmulatorProcess, home: Path | None, folder: str) -> list[str]:
    """What runs the calls of an SDK in its environment; without one in this Python's."""
    where = [sdk.api, emulator.base_url, emulator.client_id, emulator.client_secret, emulator.refresh_token, folder]
    if sdk.language == "Python":
        return [str(home / "bin" / "python") if home else sys.executable, str(sdk.script), *where]
    assert home is not None
    return ["node", str(sdk.script), *where, str(home)]


def verdicts(sdk: Sdk, emulator: EmulatorProcess, home: Path | None) -> list[Verdict]:
    """Run every call against an emulator; those of which a process that died said nothing have failed."""
    with tempfile.TemporaryDirectory() as folder:
        if sdk.language == "TypeScript":
            assert home is not None
            with zipfile.ZipFile(home / "orders.zip", "w") as archive:
                archive.writestr("orders.csv", ROWS)
        ended = subprocess.run(
            command_of(sdk, emulator, home, folder),
            env={**os.environ, "TZ": "UTC", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
    told = [Verdict(**json.loads(line)) for line in ended.stdout.splitlines() if line.startswith("{")]
    said = {verdict.call: verdict for verdict in told}
    last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return [said.get(call, Verdict(call, ok=False, why=f"not reached: {last}")) for call in CALLS]
