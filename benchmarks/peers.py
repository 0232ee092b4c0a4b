"""The programs that are measured, each in a virtual environment of its own, as whoever uses it has it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PLAIN = Path(__file__).parent / "plain.py"


@dataclass(frozen=True)
class Peer:
    """What is installed: `requirements` as pip takes them, all of one `state`."""

    name: str
    requirements: Sequence[str]
    state: str = ""

    @property
    def folder(self) -> Path:
        """The environment."""
        return PROJECT / ".bench" / "peers" / self.name

    @property
    def versions(self) -> dict[str, str]:
        """Each requirement's release."""
        return dict(requirement.split("==") for requirement in self.requirements)

    def program(self, name: str) -> str:
        """The path of an installed command; installs on first use.

        Raises:
            subprocess.CalledProcessError: pip could not install it; it has said why.
        """
        stamp = self.folder / "installed.txt"
        wanted = "\n".join([sys.version.split()[0], *self.requirements, self.state])
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            print(f"Making the environment of {self.name} ...", flush=True)
            venv.create(self.folder, with_pip=True, clear=True)
            pip = [
                str(self.folder / "bin" / "python"),
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
                "--quiet",
            ]
            subprocess.run([*pip, *self.requirements], check=True)
            stamp.write_text(wanted, encoding="utf-8")
        return str(self.folder / "bin" / name)


_DECLARED = (PROJECT / "pyproject.toml").read_bytes()
_OURS = Peer("orders-sync", ["--editable", f"{PROJECT}[postgres,mysql]"], state=hashlib.sha256(_DECLARED).hexdigest())

SINGER_SDK = Peer("singer-sdk", [f"singer-sdk=={version('singer-sdk')}", f"psycopg[binary]=={version('psycopg')}"])
"""The release of singer-sdk that ours runs on: what is compared is what is built upon it."""

MELTANOLABS = Peer("meltanolabs-tap-postgres", ["meltanolabs-tap-postgres==0.10.0"])
"""The tap for PostgreSQL that Meltano's users meet first; it brings msgspec or not as it declares itself."""


def plain(role: str) -> list[str]:
    """The command of the plain pair's "tap" or "target"."""
    return [SINGER_SDK.program("python"), "-I", str(PLAIN), role]


def ours(name: str) -> str:
    """The path of a command of ours: the code as it lies here, without the packages that only its development needs."""
    return _OURS.program(name)
