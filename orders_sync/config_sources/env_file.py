"""The file `.env` beside meltano.yml: where the secrets of a set-up are. Only its owner may read what we write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import load_dotenv, set_key

NAME = ".env"


def load_env_file() -> None:
    """Take the working directory's `.env` as Meltano does: what the environment holds already wins."""
    load_dotenv(Path.cwd() / NAME)


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Set variables in `path`; other lines stay as they are. Its mode is 0600 before a secret is in it.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    for name, value in variables.items():
        set_key(path, name, value)
