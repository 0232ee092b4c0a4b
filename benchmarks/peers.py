"""The programs that ours is measured against, each from PyPI in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PLAIN = Path(__file__).parent / "plain.py"


@dataclass(frozen=True)
class Peer:
    """What is installed; `requirements` name versions, so that the environment's name tells whether it is right."""

    name: str
    requirements: Sequence[str]

    @property
    def folder(self) -> Path:
        """The environment."""
        return PROJECT / ".bench" / "peers" / "_".join([self.name, *self.requirements]).translate(_FOR_FILES)

    @property
    def versions(self) -> dict[str, str]:
        """Each requirement's release."""
        return dict(requirement.split("==") for requirement in self.requirements)

    def program(self, name: str) -> str:
        """The path of an installed command; installs on first use.

        Raises:
            subprocess.CalledProcessError: pip could not install it; it has said why.
        """
        stamp = self.folder / "installed"
        if not stamp.exists():
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
            stamp.touch()
        return str(self.folder / "bin" / name)


_FOR_FILES = str.maketrans("[]=", "---")

SINGER_SDK = Peer("singer-sdk", [f"singer-sdk=={version('singer-sdk')}", f"psycopg[binary]=={version('psycopg')}"])
"""The release of singer-sdk that ours runs on: what is compared is what is built upon it."""

MELTANOLABS = Peer("meltanolabs-tap-postgres", ["meltanolabs-tap-postgres==0.10.0"])
"""The tap for PostgreSQL that Meltano's users meet first; it brings msgspec or not as it declares itself."""


def plain(role: str) -> list[str]:
    """The command of the plain pair's "tap" or "target"."""
    return [SINGER_SDK.program("python"), "-I", str(PLAIN), role]
